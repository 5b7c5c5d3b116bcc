"""Weights that are shared out among the processes (FSDP2): each holds a part, and a forward puts them together.

Outside of a forward a parameter is a ``DTensor``: :func:`whole` is all of it, :func:`laid_out_like` the way back. So a
checkpoint holds what one process alone would have written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, final

from torch import Tensor, nn

from interplay.train.layouts import Layout, Seen, State, refuse, trained_of
from interplay.train.optimizers import OptimizerName


@final
class Shards(Layout):
    """FSDP2.

    It adds up the gradients that a process has, so all must have the same ones, or the sum fails in the middle of a
    step: a clip without interactions leaves the alignment's decoders without a gradient in its process alone. So zeros
    stand for missing gradients, and where they are missing in all processes they are taken out again.
    """

    def _prepare(self, module: nn.Module, optimizers: Sequence[Any]) -> Sequence[Any]:
        _name_blocks(module)
        found = super()._prepare(module, optimizers)
        self._seen = Seen()
        for path, unit in _units(module):
            unit.set_reduce_scatter_unused_params(True, recurse=False)
            # The parameters that autograd sees are there while the unit is put together, and stay the same objects.
            unit.unshard()
            for name, parameter in unit.named_parameters(prefix=path):
                if parameter.requires_grad and not _is_shard(parameter):
                    self._seen.watch(name, parameter)
            unit.reshard()
        return found

    def clipped_norm(self) -> float:
        """As accelerate does it, once there is no gradient where no process had one."""
        for name in self._seen.nowhere(list(self.trained), self._processes):
            self.trained[name].grad = None
        return super().clipped_norm()

    def whole(self, value: Tensor) -> Tensor:
        """All parts of it."""
        return whole(value)

    def laid_out(self, value: Tensor, parameter: Tensor) -> Tensor:
        """This process's part of it."""
        return laid_out_like(value, parameter)

    def states(self) -> list[State]:
        """All parts of them."""
        return [whole_state(optimizer) for optimizer in self.optimizers]

    def load_states(self, states: Sequence[State]) -> None:
        """This process's part of them."""
        for optimizer, state in zip(self.optimizers, states, strict=True):
            load_state(optimizer, state)

    def measuring(self, take: Callable[[int], Mapping[str, float]]) -> Callable[[int], Mapping[str, float]]:
        """Weights are put together for what counts as a forward of the module, and no more."""
        return as_forward(self.module, "take_examination", take)

    def leave(self) -> None:
        """Put whole tensors in the place of the parameters, so that modules can be saved as they are."""
        for key, value in self.trained.items():
            path, _, leaf = key.rpartition(".")
            self.module.get_submodule(path).register_parameter(leaf, nn.Parameter(whole(value.detach())))
        self.trained = trained_of(self.module)


def check_shards(accelerator: Any, optimizer: OptimizerName, precision: str) -> None:
    """Refuse what accelerate's configuration asks of shards and they cannot do."""
    if not accelerator.is_fsdp2:
        refuse("asks for the first version of FSDP", "set fsdp_version: 2 there")
    if optimizer != "adamw":
        why = "Muon needs whole matrices" if optimizer == "muon" else f"{optimizer} does not know shards"
        refuse(f"shares weights out, and {why}", "use DDP, or optimizer: adamw in the recipe")
    if precision != "no":
        problem = f"asks for {precision} and shares weights out, which would train what is small in {precision} too"
        refuse(problem, "set mixed_precision: no there, and precision: bfloat16 in the recipe")
    plugin = accelerator.state.fsdp_plugin
    if plugin.activation_checkpointing:
        cure = "set fsdp_activation_checkpointing: false there, and gradient_checkpointing: true in the recipe"
        refuse("asks for activation checkpointing, which is the recipe's to say", cure)
    if type(plugin.cpu_offload).__name__ == "CPUOffloadPolicy":
        refuse("asks for weights in the memory of the CPU", "set fsdp_offload_params: false there")
    if getattr(plugin.auto_wrap_policy, "__name__", "") == "size_based_auto_wrap_policy":
        problem = "shares weights out by size, and some of them are read outside of their layer's forward"
        refuse(problem, "set fsdp_auto_wrap_policy: TRANSFORMER_BASED_WRAP there")


def is_sharded(module: nn.Module) -> bool:
    """Whether some weights are shared out, so that a forward takes all processes at once."""
    return any(_is_shard(parameter) for parameter in module.parameters())


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


def _name_blocks(module: nn.Module) -> None:
    """Tell FSDP2, which shares out layers, which classes the layers are of: those of the models inside."""
    names = {name for one in module.modules() for name in getattr(one, "_no_split_modules", None) or ()}
    present = {type(one).__name__ for one in module.modules()}
    module._no_split_modules = sorted(names & present)  # type: ignore[assignment]
