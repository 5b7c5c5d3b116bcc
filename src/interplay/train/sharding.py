"""Weights that are shared out among the processes (FSDP2): each holds a part, and a forward puts them together.

Outside of a forward a parameter is a ``DTensor``: :func:`whole` is all of it, :func:`laid_out_like` the way back. So a
checkpoint holds what one process alone would have written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from interplay.train.processes import Processes


def is_sharded(module: nn.Module) -> bool:
    """Whether some weights are shared out, so that a forward takes all processes at once."""
    return any(_is_shard(parameter) for parameter in module.parameters())


class Gradients:
    """Which parameters of a sharded module had a gradient, in any process.

    FSDP2 adds up the gradients that a process has, so all must have the same ones, or the sum fails in the middle of a
    step: a clip without interactions leaves the alignment's decoders without a gradient in its process alone. So zeros
    stand for missing gradients, and where they are missing in all processes they are taken out again: an optimiser
    passes over what has no gradient, and does not over what has a gradient of zero.
    """

    def __init__(self, module: nn.Module) -> None:
        self._had_one: set[str] = set()
        for path, unit in _units(module):
            unit.set_reduce_scatter_unused_params(True, recurse=False)
            # The parameters that autograd sees are there while the unit is put together, and stay the same objects.
            unit.unshard()
            for name, parameter in unit.named_parameters(prefix=path):
                if parameter.requires_grad and not _is_shard(parameter):
                    parameter.register_post_accumulate_grad_hook(partial(self._note, name))
            unit.reshard()

    def take_out_missing(self, parameters: Mapping[str, Tensor], processes: Processes) -> None:
        """After the backward passes of a step: no gradient where no process had one."""
        had_one = processes.added(torch.tensor([float(name in self._had_one) for name in parameters]))
        for parameter, count in zip(parameters.values(), had_one.tolist(), strict=True):
            if not count:
                parameter.grad = None
        self._had_one.clear()

    def _note(self, name: str, parameter: Tensor) -> None:
        self._had_one.add(name)


def as_forward(module: nn.Module, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """``method`` as a forward of the sharded ``module``, which is set to it as ``name``: weights are put together."""
    from torch.distributed.fsdp import register_fsdp_forward_method

    setattr(module, name, method)
    register_fsdp_forward_method(module, name)
    put_together = getattr(module, name)

    def called(*arguments: Any) -> Any:
        try:
            return put_together(*arguments)
        finally:
            # Only a backward pass takes the outermost weights apart again. The next forward would take these for
            # current, whatever is written to the parts meanwhile.
            for _, unit in _units(module):
                unit.reshard()

    return called


def join(module: nn.Module, parameters: Mapping[str, Tensor]) -> None:
    """Put whole tensors in the place of these parameters, so that modules can be saved as they are."""
    for key, value in parameters.items():
        path, _, leaf = key.rpartition(".")
        module.get_submodule(path).register_parameter(leaf, nn.Parameter(whole(value.detach())))


def whole(value: Tensor) -> Tensor:
    """A sharded tensor in full, any other one as it is. All processes must ask."""
    from torch.distributed.tensor import DTensor

    return value.full_tensor() if isinstance(value, DTensor) else value


def laid_out_like(value: Tensor, parameter: Tensor) -> Tensor:
    """A full tensor, sharded where the parameter is. All processes must ask."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(parameter, DTensor) or isinstance(value, DTensor):
        return value
    value = value.to(parameter.device)
    return distribute_tensor(value, parameter.device_mesh, parameter.placements)


def whole_state(optimizer: Any) -> dict[str, Any]:
    """The state of an optimiser, in full."""
    found = optimizer.state_dict()
    return {**found, "state": {number: _each(whole, entry) for number, entry in found["state"].items()}}


def load_state(optimizer: Any, state: Mapping[str, Any]) -> None:
    """The way back. What is of a parameter's shape is laid out as that is."""
    parameters: list[Tensor] = list(chain.from_iterable(group["params"] for group in optimizer.param_groups))

    def laid_out(number: int, value: Tensor) -> Tensor:
        parameter = parameters[number]
        return laid_out_like(value, parameter) if value.shape == parameter.shape else value

    entries = {number: _each(partial(laid_out, number), entry) for number, entry in state["state"].items()}
    optimizer.load_state_dict({**state, "state": entries})


def _each(change: Callable[[Tensor], Tensor], entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: change(value) if isinstance(value, Tensor) else value for key, value in entry.items()}


def _is_shard(value: Tensor) -> bool:
    from torch.distributed.tensor import DTensor

    return isinstance(value, DTensor)


def _units(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """The modules, by their path, whose own weights are put together at once."""
    from torch.distributed.fsdp import FSDPModule

    return ((path, one) for path, one in module.named_modules() if isinstance(one, FSDPModule))
