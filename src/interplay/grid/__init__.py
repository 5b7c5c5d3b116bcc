"""All index arithmetic between pixels, latents and tokens, and the pooling of masks onto tokens."""
