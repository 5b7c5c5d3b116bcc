"""How members look: each figure is a few tapered limbs, discs and slabs in the instance's colour."""
