"""Refusing step caches: a cache that skips blocks makes what is observed there stale or missing."""

from __future__ import annotations

from torch import nn

from interplay.core.errors import InputError

# The modules of diffusers whose hooks reuse a block's earlier output (diffusers.hooks, 0.42).
_CACHE_MODULES = frozenset(
    f"diffusers.hooks.{name}"
    for name in (
        "faster_cache",
        "first_block_cache",
        "mag_cache",
        "pyramid_attention_broadcast",
        "sea_cache",
        "taylorseer_cache",
        "text_kv_cache",
    )
)


def refuse_step_cache(transformer: nn.Module) -> None:
    """``InputError`` when a step cache is enabled on the transformer or hooked onto any of its modules."""
    names = sorted(_cache_hooks(transformer))
    if names:
        raise InputError(
            f"a step cache is enabled ({', '.join(names)}) and skips blocks, so attention there would be wrong",
            where="transformer",
            cure="call transformer.disable_cache() before observing",
        )


def _cache_hooks(transformer: nn.Module) -> set[str]:
    from diffusers.hooks import HookRegistry

    found: set[str] = set()
    waiting = [transformer]
    # Every forward that is observed by itself asks this, and `modules()` takes four times as long to walk a model.
    while waiting:
        module = waiting.pop()
        waiting += [child for child in module._modules.values() if child is not None]
        registry = vars(module).get("_diffusers_hook")
        if isinstance(registry, HookRegistry):
            found |= {type(h).__name__ for h in registry.hooks.values() if type(h).__module__ in _CACHE_MODULES}
    return found
