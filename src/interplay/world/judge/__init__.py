"""The exact judge: answers questions about a clip of the world from its pixels and the truth of its first frame.

``brief`` holds all that it may know besides the pixels: who stands where in frame 0, and what was asked for; it never
sees the motion. ``drawing`` draws that first frame, and ``appearance`` measures it with the judge's own eyes.
``segment`` names pixels by colour, ``components``, ``ownership`` and ``growth`` say whose they are, ``heads``,
``states``, ``places`` and ``sight`` read from them where somebody faces, what is open, where each is and whether it is
seen, and ``tracks`` puts that together. ``evidence`` and ``verbs`` answer the protocol's ten questions, ``presence``
says what emerged or vanished, ``contacts`` who touches whom, and ``verdict`` is the entry. ``faults`` and ``agreement``
are no part of it: they are what it is measured with.
"""

from interplay.world.judge.brief import known
from interplay.world.judge.contacts import Contact
from interplay.world.judge.verdict import Finding, Verdict, ask, judge

__all__ = ["Contact", "Finding", "Verdict", "ask", "judge", "known"]
