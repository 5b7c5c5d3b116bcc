"""One clip as the page shows it: strip, caption, who is who, facts, other media, and what the check found."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from interplay.data.check import Checker
from interplay.data.codes import Finding, grouped, within
from interplay.data.config import ShowConfig
from interplay.data.show.captions import Piece, pieces
from interplay.data.show.drawing import keep
from interplay.data.show.media import Thumb, sound_of, thumbs_of
from interplay.data.show.palette import Paint, paints
from interplay.data.show.strips import Strip, initials, make_strip
from interplay.data.show.tracks import State, Stretch, states_of, stretches
from interplay.records.clip import Clip, Interaction
from interplay.records.formats.base import LocatedClip

# Settings can hold hundreds of frame numbers; a card shows their beginning.
_MOST_SETTINGS = 400


@dataclass(frozen=True)
class Member:
    """An instance in the legend; ``timeline`` is empty when it has no track."""

    id: str
    noun: str
    appearance: str
    role: str
    timeline: tuple[Stretch, ...]
    counts: Mapping[State, int]


@dataclass(frozen=True)
class Origin:
    """Who made a label, when and how."""

    label: str
    maker: str
    made_at: str
    settings: str


@dataclass(frozen=True)
class Card:
    """The view model of one clip; ``strip_path`` is relative to the page, ``findings`` are grouped by their code."""

    number: int
    clip_id: str
    strip: Strip
    strip_path: str
    caption: tuple[Piece, ...]
    members: tuple[Member, ...]
    interactions: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    thumbs: tuple[Thumb, ...]
    origins: tuple[Origin, ...]
    findings: tuple[tuple[Finding, ...], ...]
    colours: Mapping[str, Paint]


class CardMaker:
    """Makes the cards of a sheet in ``folder``; ``root`` is the dataset's folder, from which its files are named."""

    def __init__(self, config: ShowConfig, checker: Checker, root: Path, folder: Path) -> None:
        self._frames, self._checker, self._root, self._folder = config.frames, checker, root, folder

    def make(self, located: LocatedClip, number: int, thumbs: str) -> Card:
        """The card of clip ``number``; its pictures go into ``thumbs``, a folder of the sheet."""
        clip = located.clip
        colours = paints((*(instance.id for instance in clip.instances), *clip.tracks))
        strip = make_strip(located, self._frames, colours)
        strip_path = f"{thumbs}/{number:06d}.jpg"
        keep(strip.jpeg, self._folder / strip_path)
        return Card(
            number=number,
            clip_id=clip.clip_id,
            strip=strip,
            strip_path=strip_path,
            caption=pieces(clip.caption),
            members=tuple(_members(clip, colours)),
            interactions=tuple(_in_words(clip, interaction) for interaction in clip.interactions),
            facts=tuple(_facts(located)),
            thumbs=thumbs_of(located, self._frames, self._folder, f"{thumbs}/{number:06d}"),
            origins=tuple(_origins(clip)),
            findings=grouped(within(finding, self._root) for finding in self._checker.one(located)),
            colours=colours,
        )


def _members(clip: Clip, colours: Mapping[str, Paint]) -> Iterator[Member]:
    listed = {instance.id: instance for instance in clip.instances}
    for name in colours:
        states = states_of(clip.tracks[name]) if name in clip.tracks else []
        instance = listed.get(name)
        yield Member(
            id=name,
            noun="not among the instances" if instance is None else instance.noun,
            appearance="" if instance is None else instance.appearance,
            role="" if instance is None or instance.role is None else instance.role,
            timeline=stretches(states),
            counts={state: states.count(state) for state in ("seen", "absent", "unknown")},
        )


def _in_words(clip: Clip, interaction: Interaction) -> str:
    """``id1 man pushes id2 ball, to id3 woman (0.5 s to 1.2 s, contact 5)``."""
    parts = [_name(clip, interaction.subject), interaction.verb]
    parts += [] if interaction.object is None else [_name(clip, interaction.object)]
    parts += [] if interaction.recipient is None else ["to", _name(clip, interaction.recipient)]
    span = [interaction.start_s, interaction.end_s]
    details = [] if span == [None, None] else [" to ".join("?" if s is None else f"{s:.4g} s" for s in span)]
    scores = {"contact": interaction.contact, "dynamism": interaction.dynamism}
    details += [f"{name} {score}" for name, score in scores.items() if score is not None]
    details += [kind for kind in (interaction.category, interaction.direction) if kind is not None]
    return " ".join(parts) + (f" ({', '.join(details)})" if details else "")


def _name(clip: Clip, instance_id: str) -> str:
    nouns = {instance.id: instance.noun for instance in clip.instances}
    return f"{instance_id} {nouns.get(instance_id, '(no such instance)')}".strip()


def _facts(located: LocatedClip) -> Iterator[tuple[str, str]]:
    clip = located.clip
    yield "size", f"{clip.size_hw[1]} × {clip.size_hw[0]}"
    if clip.num_frames == 1:
        yield "still", "1 frame"
    else:
        length = f" · {clip.num_frames / clip.fps:.2f} s" if clip.fps > 0 else ""
        yield "frames", f"{clip.num_frames} at {clip.fps:g} fps{length}"
    yield "split", clip.split
    yield "sound", sound_of(located)
    for name, boxes in clip.boxes.items():
        present = sum(box is not None for box in boxes.by_frame.values())
        yield f"{initials(name)} {name.replace('_', ' ')}", f"{present} of {len(boxes.by_frame)} boxes"
    yield "file", clip.video


def _origins(clip: Clip) -> Iterator[Origin]:
    for label, made in clip.provenance.items():
        settings = json.dumps(dict(made.settings), ensure_ascii=False, default=str) if made.settings else ""
        shown = settings if len(settings) <= _MOST_SETTINGS else settings[:_MOST_SETTINGS] + " …"
        yield Origin(label, made.maker, made.made_at or "", shown)
