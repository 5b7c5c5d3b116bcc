"""The HunyuanVideo family: joint attention over [video; image; text] with masked padding, flow matching."""
