"""Pretraining a tiny backbone on the world: autoencoder first, then transformer and text encoder together."""
