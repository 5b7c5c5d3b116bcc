"""Generation: clips from prompts and first frames, each with a sidecar that reproduces it."""
