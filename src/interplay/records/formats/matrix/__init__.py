"""MATRIX's dataset layout: videos, one PNG per frame and instance, and a table of prompts."""
