"""Official on-disk layouts of the published systems, one module each."""
