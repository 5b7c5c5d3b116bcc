"""torch's Muon, many matrices at a time, in the precision that the machine computes in.

``torch.optim.Muon`` orthogonalises one matrix after the other, always in bfloat16. A CPU without such instructions
imitates them, and small matrices are mostly overhead: ``benchmarks/muon.md`` says what either takes. Options, state and
rule are torch's, whose own step is the readable twin.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from interplay.train.precision import native_precision


class Muon(torch.optim.Muon):
    """:class:`torch.optim.Muon` whose matrices of one shape are orthogonalised together, in ``dtype``.

    ``dtype`` left open is what the machine is made for. bfloat16 is enough for it (Jordan et al. 2024).
    """

    def __init__(self, params: Iterable[Tensor], *, dtype: torch.dtype | None = None, **options: Any) -> None:
        super().__init__(params, **options)
        self._dtype = dtype or getattr(torch, native_precision())

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of all matrices that have a gradient; returns what ``closure`` does."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._step_group(group)
        return loss

    def _step_group(self, group: dict[str, Any]) -> None:
        alike: dict[tuple[torch.Size, torch.device], list[Tensor]] = defaultdict(list)
        for parameter in group["params"]:
            if parameter.grad is not None:
                alike[parameter.shape, parameter.device].append(parameter)
        for (shape, _), parameters in alike.items():
            updates = torch.stack([self._accumulated(parameter, group) for parameter in parameters])
            directions = orthogonalised(
                updates.to(self._dtype), group["ns_coefficients"], group["ns_steps"], group["eps"]
            )
            rate = adjusted_rate(group["lr"], group["adjust_lr_fn"], shape)
            for parameter, direction in zip(parameters, directions, strict=True):
                parameter.mul_(1.0 - group["lr"] * group["weight_decay"])
                parameter.add_(direction, alpha=-rate)

    def _accumulated(self, parameter: Tensor, group: dict[str, Any]) -> Tensor:
        """The momentum of one matrix after its gradient, looked ahead by Nesterov's rule where it is asked for."""
        gradient, state = parameter.grad, self.state[parameter]
        assert gradient is not None
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        momentum = state["momentum_buffer"].lerp_(gradient, 1.0 - group["momentum"])
        return gradient.lerp(momentum, group["momentum"]) if group["nesterov"] else momentum


def orthogonalised(
    matrices: Tensor, coefficients: tuple[float, float, float], steps: int, smallest_norm: float
) -> Tensor:
    """Matrices ``(n, rows, columns)`` with all singular values near 1, by Newton and Schulz's iteration of fifth order.

    X <- a X + (b G + c G G) X with G = X X^T, begun with a matrix of Frobenius norm 1 (Jordan et al. 2024). With
    torch's coefficients the values end between about 0.7 and 1.2, not at 1.
    """
    a, b, c = coefficients
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=smallest_norm)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


def adjusted_rate(rate: float, rule: str | None, shape: torch.Size) -> float:
    """The learning rate for matrices of this shape, by torch's rules of the same names.

    ``match_rms_adamw`` makes an update's root mean square that of AdamW, 0.2 (Liu et al. 2025, equation 4).
    """
    rows, columns = shape
    if rule == "match_rms_adamw":
        return float(rate * 0.2 * max(rows, columns) ** 0.5)
    return float(rate * max(1.0, rows / columns) ** 0.5)
