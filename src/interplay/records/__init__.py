"""Clips and their parts on disk and in memory: captions with bindings, mask tracks, video, geometry, the store."""
