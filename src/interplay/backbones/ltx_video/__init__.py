"""The LTX-Video family: self-attention over video, masked cross-attention to text, flow matching."""
