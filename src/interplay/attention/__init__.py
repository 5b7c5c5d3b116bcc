"""Observing attention between named regions of the token grid, without ever building the whole attention matrix.

``observe`` is the door (and ``Plan``, where many forwards are observed alike); ``Region`` says which tokens,
``Scores``, ``Mass``, ``PairedMass`` and ``RowMap`` say which number, ``OfElements`` of which part of the batch.
"""

from interplay.attention.observe import Observations, Plan, observe
from interplay.attention.regions import Region
from interplay.attention.requests import Mass, OfElements, PairedMass, Request, RowMap, Scores

__all__ = [
    "Mass",
    "Observations",
    "OfElements",
    "PairedMass",
    "Plan",
    "Region",
    "Request",
    "RowMap",
    "Scores",
    "observe",
]
