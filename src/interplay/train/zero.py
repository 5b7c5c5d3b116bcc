"""DeepSpeed's ZeRO, stages 1 and 2: weights are whole everywhere, what the optimiser knows of them is shared out.

DeepSpeed's engine owns the step: it adds gradients up, clips them, lets each process step the part that is its own, and
hands the weights around. Three things are done here so that a run is the same run as with copies:

- Each parameter is shared out by itself (as a group of the optimiser's of its own). So an optimiser can pass over one
  that had no gradient, and what it knows can be put together and taken apart again, parameter by parameter.
- Gradients are added up once, when all draws of a step are made, in the order of the parameters. By itself stage 2 adds
  them up in the order in which a process computes them, and processes whose clips align different things differ in it.
- Where a process has no gradient zeros stand for it, or it would send less than the others receive.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from interplay.train.layouts import Layout, Seen, State, refuse, trained_of
from interplay.train.optimizers import OptimizerName

# What of DeepSpeed's configuration is known here. The rest was never tried, or changes numbers (offloading, quantised
# or low-precision gradients, an optimiser of its own), so it is refused by name.
_KNOWN = {
    "bf16",
    "fp16",
    "gradient_accumulation_steps",
    "gradient_clipping",
    "steps_per_print",
    "train_batch_size",
    "train_micro_batch_size_per_gpu",
    "wall_clock_breakdown",
    "zero_allow_untested_optimizer",
    "zero_force_ds_cpu_optimizer",
    "zero_optimization",
}
_KNOWN_OF_ZERO = {
    "allgather_bucket_size",
    "allgather_partitions",
    "contiguous_gradients",
    "overlap_comm",
    "reduce_bucket_size",
    "reduce_scatter",
    "stage",
    "stage3_gather_16bit_weights_on_model_save",
}
# DeepSpeed's own size of the buffer in which gradients are added up, in numbers: 2 GB, also where a LoRA is trained.
_BUCKET = 500_000_000
# Where a group of the optimiser names its parameter.
_NAME = "parameter"
_OFFLOADS = ("offload_optimizer", "offload_param")


@final
class Zero(Layout):
    """ZeRO 1 and 2 of one AdamW."""

    def _prepare(self, module: nn.Module, optimizers: Sequence[Any]) -> Sequence[Any]:
        (self._adamw,) = optimizers
        # As torch says them of the optimiser that copies have: a state is handed out in these, and so taken by each.
        self._groups = self._adamw.state_dict()["param_groups"]
        self._adamw.param_groups[:] = _one_each(self._adamw.param_groups, trained_of(module))
        with self._configured(sum(value.numel() for value in trained_of(module).values())):
            found = super()._prepare(module, optimizers)
        # From here on the parameters of AdamW are this process's parts of those that the module has, flat and padded.
        self._engine = found[0]
        self._engine.set_gradient_accumulation_boundary(True)
        self._adamw.register_step_pre_hook(self._pass_over)
        self._seen, self._nowhere = Seen(), set[str]()
        for name, parameter in trained_of(module).items():
            self._seen.watch(name, parameter)
        return found

    @contextmanager
    def _configured(self, numbers: int) -> Iterator[None]:
        """The configuration says for a while what the recipe says; what it asked for itself was looked at before."""
        config = self._accelerator.deepspeed_plugin.deepspeed_config
        asked = deepcopy(config)
        config["zero_optimization"] = {"reduce_bucket_size": min(numbers, _BUCKET), **config["zero_optimization"]}
        config.update(
            gradient_clipping=self._clip,
            gradient_accumulation_steps=self._accelerator.gradient_accumulation_steps,
            # A module here draws its own batches; DeepSpeed tells speeds by this number and does nothing else with it.
            train_micro_batch_size_per_gpu=1,
            train_batch_size="auto",
        )
        if self._in_bfloat16:
            # By itself the engine turns autocast off around a forward. Gradients are added up in float32 all the same.
            config["torch_autocast"] = {"enabled": True, "dtype": "bfloat16", "lower_precision_safe_modules": []}
        try:
            yield
        finally:
            config.clear()
            config.update(asked)

    # --- a step ------------------------------------------------------------------------------------------------------

    def clear(self) -> None:
        """There are no gradients, in the module either."""
        self._engine.optimizer.zero_grad()

    @contextmanager
    def all_draws(self) -> Iterator[None]:
        """The engine adds up what the parameters have at its end."""
        with self._engine.coalesce_grad_reduction():
            try:
                yield
                self._fill_in()
            except BaseException:
                # The engine adds up all the same, and would wait for processes that are elsewhere: so nothing is there.
                for parameter in self.trained.values():
                    parameter.grad = None
                raise

    def one_draw(self) -> AbstractContextManager[Any]:
        """Nothing is added up after it."""
        return nullcontext()

    def backward(self, loss: Tensor) -> None:
        """The engine's."""
        self._engine.backward(loss)

    def clipped_norm(self) -> float:
        """The engine clips as it steps; -1 is what it says of numbers that are none."""
        norm = float(self._engine.optimizer.scaled_global_norm())
        return norm if norm >= 0 else math.nan

    def step(self) -> None:
        """Each process steps its parts, and gets all others."""
        self._engine.step()

    def _fill_in(self) -> None:
        self._nowhere = self._seen.nowhere(list(self.trained), self._processes)
        for parameter in self.trained.values():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)

    def _pass_over(self, optimizer: torch.optim.Optimizer, *arguments: Any) -> None:
        """Before AdamW acts on a parameter: no gradient where no process had one."""
        for group in optimizer.param_groups:
            if group[_NAME] in self._nowhere:
                for part in group["params"]:
                    part.grad = None

    # --- all of it ---------------------------------------------------------------------------------------------------

    def whole(self, value: Tensor) -> Tensor:
        """It is."""
        return value

    def laid_out(self, value: Tensor, parameter: Tensor) -> Tensor:
        """It is."""
        return value

    def states(self) -> list[State]:
        """Put together from the parts of all processes; as AdamW of copies would say it."""
        known = {
            number: {key: self._joined(value, self.trained[group[_NAME]]) for key, value in entry.items()}
            for number, group in enumerate(self._adamw.param_groups)
            if (entry := self._adamw.state.get(group["params"][0]))
        }
        return [{"state": known, "param_groups": self._groups}]

    def load_states(self, states: Sequence[State]) -> None:
        """This process's parts of them, and of the weights."""
        (state,) = states
        for number, entry in state["state"].items():
            (part,) = self._adamw.param_groups[number]["params"]
            self._adamw.state[part] = {key: self._own(value, part) for key, value in entry.items()}
        self._engine.optimizer.refresh_fp32_params()

    def _joined(self, value: Tensor, parameter: Tensor) -> Tensor:
        from accelerate.utils import gather

        if not value.ndim:  # how many steps it has made
            return value.clone()
        joined: Tensor = gather(value)
        return joined[: parameter.numel()].view(parameter.shape).cpu()  # all of it at once is for no device

    def _own(self, value: Tensor, part: Tensor) -> Tensor:
        if not value.ndim:
            return value.clone()
        missing = part.numel() * self._processes.count - value.numel()
        parts = F.pad(value.flatten(), (0, missing)).view(self._processes.count, -1)
        return parts[self._processes.number].to(part.device, copy=True)

    def measuring(self, take: Callable[[int], Mapping[str, float]]) -> Callable[[int], Mapping[str, float]]:
        """They always are."""
        return take

    def leave(self) -> None:
        """They are no longer pieces of DeepSpeed's buffers."""
        for parameter in self.trained.values():
            parameter.data = parameter.data.clone()


def check_zero(accelerator: Any, optimizer: OptimizerName, precision: str, clip: float) -> None:
    """Refuse what accelerate's configuration asks of DeepSpeed and cannot be done, or the recipe says otherwise."""
    if optimizer != "adamw":
        why = "Muon needs whole matrices" if optimizer == "muon" else f"{optimizer} does not know parts"
        refuse(f"asks for DeepSpeed, and {why}", "use DDP, or optimizer: adamw in the recipe")
    if precision != "no":
        problem = f"asks for DeepSpeed in {precision}, which would train what is small in {precision} too"
        refuse(problem, "set mixed_precision: no there, and precision: bfloat16 in the recipe")
    config = accelerator.deepspeed_plugin.deepspeed_config
    zero = config["zero_optimization"]
    if zero.get("stage", 0) not in (1, 2):
        cure = "set zero_stage: 1 or 2 there; DDP shares out nothing, and FSDP2 (fsdp_version: 2) weights too"
        refuse(f"asks for ZeRO {zero.get('stage', 0)}, and only 1 and 2 can be done", cure)
    for name in _OFFLOADS:
        device = (zero.get(name) or {}).get("device", "none")
        if device != "none":
            refuse(f"asks for {name} to {device}, which was never tried", f"set {name}_device: none there")
    unknown = sorted((config.keys() - _KNOWN) | (zero.keys() - _KNOWN_OF_ZERO - set(_OFFLOADS)))
    if unknown:
        refuse(f"says {', '.join(unknown)} to DeepSpeed, which was never tried or is the recipe's", "take it out there")
    _check_numbers(accelerator, config, clip)


def _check_numbers(accelerator: Any, config: Mapping[str, Any], clip: float) -> None:
    ours = {
        "gradient_accumulation_steps": accelerator.gradient_accumulation_steps,
        "gradient_clipping": clip,
        "train_micro_batch_size_per_gpu": "auto",
        "train_batch_size": "auto",
    }
    for name, value in ours.items():
        if config.get(name, "auto") not in ("auto", value):
            problem = f"says {name} {config[name]} to DeepSpeed, which is the recipe's to say"
            refuse(problem, f"set {name}: auto there")
    guessed = [name for name, value in config["zero_optimization"].items() if value == "auto"]
    if guessed:
        problem = f"leaves {guessed[0]} for accelerate to guess by the size of a language model"
        refuse(problem, "give a number there, or take it out")


def _one_each(groups: Sequence[Mapping[str, Any]], trained: Mapping[str, Tensor]) -> list[dict[str, Any]]:
    """The groups of an optimiser, parameter by parameter and by name."""
    names = {id(value): name for name, value in trained.items()}
    return [{**group, "params": [one], _NAME: names[id(one)]} for group in groups for one in group["params"]]
