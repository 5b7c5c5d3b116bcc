"""The CogVideoX family: one joint attention over [text; video] in every block, v-prediction."""
