"""The Wan family: self-attention over video, cross-attention to text, flow matching."""
