"""Where interactions live in the network: what the page says of it, and how far that can be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from interplay.methods.matrix.layers import CHOSEN_FROM
from interplay.report.absent import Absent
from interplay.report.alignment import Grid, Terms

TITLES: Mapping[str, str] = {
    "noun_v2t": "Nouns, video to text",
    "verb_v2t": "Verbs, video to text",
    "noun_v2v": "Nouns, video to video",
    "verb_v2v": "Verbs, video to video",
}
MEANINGS: Mapping[str, str] = {
    "noun_v2t": "How much the video inside an instance's mask attends to the words of its noun.",
    "verb_v2t": "How much the video inside the masks of subject and object attends to the words of the verb.",
    "noun_v2v": "How much an instance's first-frame region attends to the video inside its mask.",
    "verb_v2v": "How much the first-frame regions of subject and object attend to the video inside their masks.",
}
RELATIONS: Mapping[str, str] = {"v2t": "words are bound to regions", "v2v": "regions are followed through the frames"}
# Four kinds of five layers each; those of a deep model fold away.
_MOST_OPEN_ROWS = 20


@dataclass(frozen=True)
class Measured:
    """A number with its 95 % interval over resampled clips; ``None`` for what was not measured."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class LayerRow:
    """One layer in one variant.

    ``frequency`` counts the clips that have it among their top layers; the shares are those of the resamples in which
    it is influential, dominant and chosen.
    """

    layer: int
    frequency: int
    magnitude: Measured
    success_gap: Measured
    failure_gap: Measured
    separation: Measured
    influential_share: float
    dominant_share: float
    picked_share: float
    influential: bool
    dominant: bool
    picked: bool
    dummy: bool

    @property
    def role(self) -> str:
        """What the rule calls the layer, in a word."""
        return "dominant" if self.dominant else "influential" if self.influential else "dummy" if self.dummy else ""


@dataclass(frozen=True)
class Need:
    """How often so many clips repeat the choice of all, and how many it takes for a ``share`` of resamples.

    ``clips`` is ``None`` where the most that were tried, ``curve[-1]``, do not suffice.
    """

    share: float
    clips: int | None
    curve: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Variant:
    """One of the four ways to look at alignment; ``beside`` is (the other measure, what it would choose).

    Where experts share the model's noise levels it is one of them (``expert``) that is looked at, and the ``name`` of
    the ``kind`` says which.
    """

    name: str
    kind: str
    expert: int | None
    title: str
    meaning: str
    clips: int
    rows: tuple[LayerRow, ...]
    picks_by_draw: tuple[tuple[int, ...], ...]
    beside: tuple[str, tuple[int, ...]] | None
    need: Need
    steps: Grid | Absent
    heads: Grid | Absent
    terms: Terms | Absent

    @property
    def picks(self) -> tuple[LayerRow, ...]:
        """The layers that the variant chooses."""
        return tuple(row for row in self.rows if row.picked)

    @property
    def told(self) -> tuple[LayerRow, ...]:
        """The layers that the table lists: chosen first, then dominant, then influential, the strongest first."""
        shown = [row for row in self.rows if row.influential or row.picked]
        return tuple(sorted(shown, key=lambda r: (not r.picked, not r.dominant, -(r.magnitude.value or 0.0))))

    @property
    def trains(self) -> bool:
        """Whether the layers that this variant chooses are among those that a training aligns."""
        return any(self.kind in names for names in CHOSEN_FROM.values())

    @property
    def mark(self) -> str:
        """What colours its line and its key: the kind, and the expert where there are several."""
        place = list(TITLES).index(self.kind) if self.kind in TITLES else len(TITLES)
        return f"kind-{place}" if self.expert is None else f"kind-{place} expert-{self.expert}"

    @property
    def star(self) -> str:
        """What marks the layers that the variant chooses: hollow where training does not use them."""
        return "★" if self.trains else "☆"

    @property
    def digits(self) -> int:
        """How many decimals show three digits of the greatest mean score, so that a column of numbers lines up."""
        greatest = max((abs(row.magnitude.value or 0.0) for row in self.rows), default=0.0)
        return min(max(2 - math.floor(math.log10(greatest)), 0), 8) if greatest > 0 else 3

    @property
    def has_gaps(self) -> bool:
        """Whether successes and failures were told apart."""
        return any(row.separation.value is not None for row in self.rows)


@dataclass(frozen=True)
class Choice:
    """One layer that a training aligns: for which relation, of which variants, and how sure that is."""

    relation: str
    layer: int
    variants: tuple[tuple[Variant, LayerRow], ...]
    share: float
    stable: bool


@dataclass(frozen=True)
class PublishedRow:
    """One relation: what was published for the model, and what this analysis found of it."""

    relation: str
    dominant: tuple[int, ...]
    trained: tuple[int, ...] | None
    chosen: tuple[int, ...]
    shared: tuple[int, ...]


@dataclass(frozen=True)
class Published:
    """The published layers of the model that was analysed."""

    name: str
    source: str
    rows: tuple[PublishedRow, ...]


@dataclass(frozen=True)
class Layers:
    """Everything the section on layers says; ``notes`` are the analysis's own reservations, ``facts`` (what, how)."""

    variants: tuple[Variant, ...]
    choices: tuple[Choice, ...]
    chosen: Mapping[str, tuple[int, ...]]
    published: Published | None
    rule: str
    measure: str
    notes: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]

    @property
    def table_is_short(self) -> bool:
        """Whether the table of influential layers is short enough to stand open on the page."""
        return sum(len(variant.told) for variant in self.variants) <= _MOST_OPEN_ROWS

    @property
    def claim(self) -> str:
        """The finding in a sentence, and how much of it is stable."""
        found = [f"{_where(layers)} {RELATIONS.get(name, name)}" for name, layers in self.chosen.items()]
        sentence = "; ".join(found)
        stable = sum(choice.stable for choice in self.choices)
        return f"{sentence[:1].upper()}{sentence[1:]}. {_how_many_stable(stable, len(self.choices))}".strip()


def title_of(kind: str, expert: int | None) -> str:
    """A variant in words."""
    what, comma, relation = TITLES.get(kind, kind).partition(", ")
    return f"{what}{comma}{relation}" if expert is None else f"{what} of expert {expert}{comma}{relation}"


def _where(layers: tuple[int, ...]) -> str:
    if not layers:
        return "in no layer"
    *rest, last = map(str, sorted(layers))
    return f"in layers {', '.join(rest)} and {last}" if rest else f"in layer {last}"


def _how_many_stable(stable: int, choices: int) -> str:
    if choices < 2:
        return ("The choice is stable." if stable else "The choice is not stable.") if choices else ""
    few = {0: "None of these choices is stable.", choices: f"All {choices} choices are stable."}
    return few.get(stable, f"{stable} of these {choices} choices {'is' if stable == 1 else 'are'} stable.")
