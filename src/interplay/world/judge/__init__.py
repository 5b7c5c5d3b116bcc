"""The exact judge: answers questions about a clip of the world from its pixels and the truth of its first frame.

``brief`` holds all that it may know besides the pixels: who stands where in frame 0, and what was asked for; it never
sees the motion. ``segment`` names pixels by colour, ``components`` and ``ownership`` say whose they are, ``tracks``
where everybody is, ``evidence`` and ``verbs`` answer the protocol's ten questions, ``presence`` what emerged or
vanished, and ``verdict`` puts it together.
"""

from interplay.world.judge.verdict import Finding, Verdict, ask, judge

__all__ = ["Finding", "Verdict", "ask", "judge"]
