"""The ground floor: errors, files, named seeds, configs and recipes, artifacts, registries, progress.

Nothing here knows about video, models or torch, and nothing here imports from another room.
"""
