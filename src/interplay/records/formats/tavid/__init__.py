"""TAViD: one picture with target masks and a prompt."""
