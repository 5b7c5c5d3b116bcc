"""The exact judge: answers questions about a clip of the world from its pixels and the truth of its first frame.

``segment`` names pixels by colour, ``components`` and ``ownership`` say whose they are, ``tracks`` where everybody is,
``evidence`` and ``verbs`` answer the protocol's ten questions, ``presence`` what emerged or vanished, and ``verdict``
puts it together. The judge never sees the motion: what it knows is who stood where in frame 0, and the verb.
"""

from interplay.world.judge.verdict import Finding, Verdict, ask, judge

__all__ = ["Finding", "Verdict", "ask", "judge"]
