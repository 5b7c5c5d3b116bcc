"""Named seeds: every source of randomness has a name, and its seed follows from one root and that name.

Adding a consumer of randomness therefore never shifts the numbers of another one, and "clip 17 of the world" has the
same seed whichever clips were made before it.
"""

from __future__ import annotations

import hashlib
import json

SEED_BITS = 63  # non-negative in a signed 64-bit integer, which torch and numpy both take


def derive_seed(root: int, *names: str | int) -> int:
    """The seed of ``names`` (a path from general to special) under ``root``: an integer of 63 bits."""
    if not names:
        raise ValueError("a derived seed needs at least one name")
    text = json.dumps([root, *names], separators=(",", ":"))
    head = hashlib.sha256(text.encode("ascii")).digest()[:8]
    return int.from_bytes(head, "big") >> (64 - SEED_BITS)
