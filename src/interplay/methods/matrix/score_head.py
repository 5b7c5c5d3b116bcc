"""The smallest possible decoder: one scale and one bias per site turn a standardised map into mask logits.

It stands where the paper has a learnt decoder to the pixel grid (73 M parameters in the released code) and, like it, is
used in training only. Why this form: docs/decisions/0002-latent-rate-alignment.md.

Shape legend: ``b`` batch, ``n`` video tokens, ``s`` sites.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

# logit(0.12): an uninformative map (z = 0) then predicts that an instance covers 12 % of the frame.
_INITIAL_BIAS = -2.0


class ScoreHead(nn.Module):
    """``logit = exp(log_scale) * z + bias`` with a pair of its own for every site.

    The scale is positive by construction: a map that is low where the mask is must never count as aligned.
    """

    def __init__(self, sites: Sequence[str]) -> None:
        super().__init__()
        self.sites = tuple(sites)
        self.log_scale = nn.Parameter(torch.zeros(len(self.sites)))
        self.bias = nn.Parameter(torch.full((len(self.sites),), _INITIAL_BIAS))

    def forward(self, address: str, standardised: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
        """Mask logits of a map that was seen at this site."""
        site = self.sites.index(address)
        return self.log_scale[site].exp() * standardised + self.bias[site]
