"""What must be seen for a yes to the ten questions about each verb; one file per category, as in ``world.verbs``."""

from __future__ import annotations

from collections.abc import Mapping

from interplay.world.judge.verbs import contact, force, manipulation, social, solo, transport
from interplay.world.judge.verbs.base import Case, Shown

_GROUPS = (contact, force, transport, manipulation, social, solo)
SHOWN: Mapping[str, Shown] = {name: shown for group in _GROUPS for name, shown in group.SHOWN.items()}

__all__ = ["SHOWN", "Case", "Shown"]
