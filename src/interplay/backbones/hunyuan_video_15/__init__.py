"""The HunyuanVideo-1.5 family: joint attention over video, picture and masked text, flow matching."""
