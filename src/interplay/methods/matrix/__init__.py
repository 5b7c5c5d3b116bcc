"""MATRIX: aligning the attention of a few interaction layers with the mask tracks of the instances.

Semantic grounding (SGA) aligns how video tokens score a noun or verb with its mask track; semantic propagation (SPA)
aligns how an instance's region in frame 0 scores all video tokens with its track. Read :mod:`.config` for the numbers
and their sources, :mod:`.alignment` for the formulas, :mod:`.targets`, :mod:`.requests` and :mod:`.terms` for the flow
clip -> targets -> observation requests -> loss terms.
"""
