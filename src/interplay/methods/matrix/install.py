"""What MATRIX changes of how a stock backbone reads, before anything is encoded: marker tokens, map, image tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from interplay.backbones.base import Backbone
from interplay.backbones.widen import widen_input
from interplay.core.config import Config
from interplay.methods.matrix.config import Binding, MatrixConfig
from interplay.methods.matrix.markers import Markers


class Conditioning(Config):
    """The part of a :class:`.MatrixConfig` that changes what the model reads, and so must be known to generate."""

    instance_map: bool
    # Adapters of before this could be chosen do not say it.
    image_tokens: bool = True
    binding: Binding
    markers: int
    marker_embeddings: str

    @classmethod
    def of(cls, config: MatrixConfig) -> Conditioning:
        """That part."""
        return cls.model_validate(config.model_dump(include=set(cls.model_fields)))


class Installed:
    """MATRIX on a backbone, until :meth:`remove`.

    ``channels`` is how many input channels were added (0 without an instance map); ``markers`` is ``None`` where the
    text shows none.
    """

    def __init__(self, backbone: Backbone, config: MatrixConfig, seed: int) -> None:
        self.config, self.conditioning = config, Conditioning.of(config)
        self._backbone = backbone
        self._undo: list[Callable[[], None]] = []
        self.channels = backbone.picture_channels if config.instance_map else 0
        if not config.image_tokens:
            self._undo.append(backbone.leave_out_image_tokens())
        if config.instance_map:
            self._undo.append(widen_input(backbone, self.channels))
        self.markers: Markers | None = None
        if config.binding != "words":
            trained = config.marker_embeddings == "trained"
            self.markers = Markers(backbone, config.markers, trained=trained, seed=seed)
            self._undo.append(self.markers.remove)

    @property
    def identity(self) -> dict[str, Any]:
        """What, beside the backbone's files, decides how a text is embedded; for the keys of a cache.

        Rows that are not the table's own count by their values: other seeds draw others under the same names.
        """
        if self.markers is None:
            return {"markers": None}
        rows = self.markers.rows
        named: dict[str, Any] = {"markers": list(self.markers.names)}
        return named if rows is None else named | {"rows": _digest(rows)}

    @property
    def changes_reading(self) -> bool:
        """Whether who generates with what was trained must know of this."""
        return bool(self.channels) or self.markers is not None or not self.config.image_tokens

    @property
    def trains_text(self) -> bool:
        """Whether text must be embedded in every step, because the markers' rows are trained."""
        rows = None if self.markers is None else self.markers.rows
        return rows is not None and rows.requires_grad

    @property
    def projections(self) -> dict[str, nn.Module]:
        """The widened input layers by their path below the pipeline; empty without an instance map."""
        if not self.channels:
            return {}
        names = ["transformer", *(f"transformer_{number}" for number in range(2, 1 + len(self._backbone.transformers)))]
        return {
            f"{name}.{self._backbone.input_projection}": one.get_submodule(self._backbone.input_projection)
            for name, one in zip(names, self._backbone.transformers, strict=True)
        }

    @property
    def trained(self) -> list[nn.Parameter]:
        """What the method trains of the model beside low-rank adapters: widened input layers (paper D.2), rows."""
        parameters = [parameter for layer in self.projections.values() for parameter in layer.parameters()]
        if self.trains_text and self.markers is not None and self.markers.rows is not None:
            parameters.append(self.markers.rows)
        return parameters

    def remove(self) -> None:
        """Leave the backbone as it was before."""
        while self._undo:
            self._undo.pop()()
        if _INSTALLED.get(self._backbone) is self:
            del _INSTALLED[self._backbone]


def _digest(rows: Tensor) -> str:
    """Names the values of embedding rows."""
    return hashlib.sha256(rows.detach().cpu().float().numpy().tobytes()).hexdigest()


_INSTALLED: WeakKeyDictionary[Backbone, Installed] = WeakKeyDictionary()


def install(backbone: Backbone, config: MatrixConfig, *, seed: int = 0) -> Installed:
    """Add what the config asks for, before a text is tokenized, a clip encoded or a LoRA added.

    Installed twice it is the same; with another conditioning, ``ValueError``: remove the first.
    """
    there = _INSTALLED.get(backbone)
    if there is None:
        there = _INSTALLED[backbone] = Installed(backbone, config, seed)
    elif there.conditioning != Conditioning.of(config):
        raise ValueError(f"{backbone.name} has MATRIX with another conditioning installed: remove that first")
    return there
