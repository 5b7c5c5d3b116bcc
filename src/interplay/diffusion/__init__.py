"""Noise, targets and sampling, the same for every backbone: the backbone knows its schedule, this room the loops."""
