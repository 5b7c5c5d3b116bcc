"""Who answers the questions. A judge is found by its name; its module is imported when it is wanted."""

from interplay.core.registry import Registry
from interplay.evaluate.judges.base import Judge

JUDGES: Registry[type[Judge]] = Registry(
    "judge",
    {
        "world": "interplay.evaluate.judges.world:WorldJudge",
        "none": "interplay.evaluate.judges.none:NoJudge",
    },
)

__all__ = ["JUDGES", "Judge"]
