"""How what is trained lies among the processes, and so who adds gradients up, clips them, steps and is asked for all.

:class:`Copies` (one process, or DDP) stands here, :class:`~interplay.train.sharding.Shards` (FSDP2) and
:class:`~interplay.train.zero.Zero` (DeepSpeed's ZeRO) beside it. The loop asks none of them which it is. A state that
one of them hands out is whole, and each of them takes it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NoReturn, final

import torch
from torch import Tensor, nn

from interplay.core.errors import InputError
from interplay.train.processes import Processes

State = dict[str, Any]


class Layout(ABC):
    """A module and its optimisers as accelerate has prepared them; where nothing else is said, accelerate does it.

    ``trained`` are its parameters by name. Gradients are clipped to the norm ``clip``; ``in_bfloat16``: a forward is
    computed in it.
    """

    def __init__(
        self,
        accelerator: Any,
        module: nn.Module,
        optimizers: Sequence[Any],
        processes: Processes,
        *,
        clip: float,
        in_bfloat16: bool,
    ) -> None:
        self.module = module
        self._accelerator, self._processes, self._clip, self._in_bfloat16 = accelerator, processes, clip, in_bfloat16
        # A module that is prepared may have other tensors in the place of its parameters.
        self.prepared, *self.optimizers = self._prepare(module, optimizers)
        self.trained = trained_of(module)

    def _prepare(self, module: nn.Module, optimizers: Sequence[Any]) -> Sequence[Any]:
        found: Sequence[Any] = self._accelerator.prepare(module, *optimizers)
        return found

    # --- a step ------------------------------------------------------------------------------------------------------

    def clear(self) -> None:
        """Before the first draw of a step: there are no gradients."""
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)

    def all_draws(self) -> AbstractContextManager[Any]:
        """Around the draws of a step; at its end the gradients of all processes are added up."""
        return nullcontext()

    def one_draw(self) -> AbstractContextManager[Any]:
        """Around each of them."""
        found: AbstractContextManager[Any] = self._accelerator.accumulate(self.prepared)
        return found

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of a draw, as its part of the step's, to what is there."""
        self._accelerator.backward(loss)

    def clipped_norm(self) -> float:
        """The norm of the whole gradient before it is clipped; the optimisers will see it clipped."""
        norm = self._accelerator.clip_grad_norm_(self.trained.values(), self._clip)
        return float(self.whole(norm)) if isinstance(norm, Tensor) else float(norm or 0.0)

    def step(self) -> None:
        """Let the optimisers act."""
        for optimizer in self.optimizers:
            optimizer.step()

    # --- all of it ---------------------------------------------------------------------------------------------------

    @abstractmethod
    def whole(self, value: Tensor) -> Tensor:
        """All of a tensor that lies as a parameter does. All processes must ask."""

    @abstractmethod
    def laid_out(self, value: Tensor, parameter: Tensor) -> Tensor:
        """A whole tensor, to be copied into the parameter. All processes must ask."""

    @abstractmethod
    def states(self) -> list[State]:
        """What each optimiser knows, whole, with parameters by number as torch has it. All processes must ask."""

    @abstractmethod
    def load_states(self, states: Sequence[State]) -> None:
        """The way back, after the weights were written."""

    @abstractmethod
    def measuring(self, take: Callable[[int], Mapping[str, float]]) -> Callable[[int], Mapping[str, float]]:
        """``take``, with weights in place that a forward of the module's parts can read."""

    @abstractmethod
    def leave(self) -> None:
        """After the last step: the module's parameters are whole and its own."""


@final
class Copies(Layout):
    """Each process has all of it and takes the same step; so does one process alone."""

    def whole(self, value: Tensor) -> Tensor:
        """It is."""
        return value

    def laid_out(self, value: Tensor, parameter: Tensor) -> Tensor:
        """It is."""
        return value

    def states(self) -> list[State]:
        """As torch says them."""
        return [optimizer.state_dict() for optimizer in self.optimizers]

    def load_states(self, states: Sequence[State]) -> None:
        """As torch reads them."""
        for optimizer, state in zip(self.optimizers, states, strict=True):
            optimizer.load_state_dict(state)

    def measuring(self, take: Callable[[int], Mapping[str, float]]) -> Callable[[int], Mapping[str, float]]:
        """They always are."""
        return take

    def leave(self) -> None:
        """They are."""


class Seen:
    """Which parameters had a gradient in the draws of a step, in any process.

    An optimiser passes over what has no gradient, and does not over what has a gradient of zero: the moments decay, the
    step counts. So where processes fill in zeros to have the same gradients to add up, they must agree on what had one.
    """

    def __init__(self) -> None:
        self._had_one: set[str] = set()

    def watch(self, name: str, parameter: Tensor) -> None:
        """Take note of the gradients that this parameter gets."""
        parameter.register_post_accumulate_grad_hook(partial(self._note, name))

    def nowhere(self, names: Sequence[str], processes: Processes) -> set[str]:
        """Those of ``names`` that had none in any process since this was last asked. All processes must ask."""
        counts = processes.added(torch.tensor([float(name in self._had_one) for name in names]))
        self._had_one.clear()
        return {name for name, count in zip(names, counts.tolist(), strict=True) if not count}

    def _note(self, name: str, parameter: Tensor) -> None:
        self._had_one.add(name)


def trained_of(module: nn.Module) -> dict[str, Tensor]:
    """The parameters that are trained, by name."""
    return {key: value for key, value in module.named_parameters() if value.requires_grad}


def refuse(problem: str, cure: str) -> NoReturn:
    """What accelerate's configuration asks for and cannot be done."""
    raise InputError(problem, where="accelerate's configuration", cure=cure)
