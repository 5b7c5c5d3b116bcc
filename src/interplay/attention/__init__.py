"""Observing attention between named regions of the token grid, without ever building the whole attention matrix.

``observe`` is the door; ``Region`` says which tokens, ``Scores``, ``Mass`` and ``RowMap`` say which number,
``OfElements`` of which part of the batch.
"""

from interplay.attention.observe import Observations, observe
from interplay.attention.regions import Region
from interplay.attention.requests import Mass, OfElements, Request, RowMap, Scores

__all__ = ["Mass", "Observations", "OfElements", "Region", "Request", "RowMap", "Scores", "observe"]
