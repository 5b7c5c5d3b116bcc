"""Stock video diffusion transformers behind one interface, one folder per family."""
