"""The smallest possible decoder: one scale and one bias per site turn a standardised map into mask logits.

Alone it serves alignment at latent rate; :mod:`.decoder` puts a learnt upsampler on top. Why this form:
docs/decisions/0002-latent-rate-alignment.md.

Shape legend: ``l`` sites, ``r`` maps of one site, ``n`` video tokens.
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
        self.sites = tuple(dict.fromkeys(sites))
        self.log_scale = nn.Parameter(torch.zeros(len(self.sites)))
        self.bias = nn.Parameter(torch.full((len(self.sites),), _INITIAL_BIAS))

    def forward(self, addresses: Sequence[str], standardised: Float[Tensor, "l r n"]) -> Float[Tensor, "l r n"]:
        """Mask logits of maps that were seen at these sites."""
        rows = [self.sites.index(address) for address in addresses]
        return self.log_scale[rows].exp()[:, None, None] * standardised + self.bias[rows][:, None, None]
