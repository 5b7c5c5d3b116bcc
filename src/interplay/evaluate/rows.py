"""Answers as rows of a ledger, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from interplay.core.config import digest
from interplay.evaluate.judges.base import Judge, Media
from interplay.evaluate.ledger import Row
from interplay.evaluate.protocol import Answer, Contact, Presence, Question, State
from interplay.records.masks import MaskTrack


def key_of(judge: Judge, media: Media, about: Question | str) -> str:
    """The digest of all that an answer depends on: video, judge, and the question (or "presence", "recovered")."""
    what = [about.interaction, about.name, about.text] if isinstance(about, Question) else about
    return digest([media.digest, judge.identity(media), what])


def answer_row(key: str, media: Media, judge: Judge, question: Question, answer: Answer) -> Row:
    """The row of an answered (or not answered) question."""
    return {
        "key": key,
        "clip_id": media.clip_id,
        "judge": judge.name,
        "interaction": question.interaction,
        "question_id": question.name,
        "topic": question.topic,
        "question": question.text,
        "answer": answer.answer,
        "state": answer.state.value,
        "frame_index": answer.frame_index,
        "reply": answer.reply,
    }


def answer_of(row: Row) -> Answer:
    """The answer in a row."""
    return Answer(State(row["state"]), row["answer"], row["frame_index"], row["reply"])


def presence_row(key: str, media: Media, judge: Judge, presence: Presence) -> Row:
    """The row of the check for emergence and disappearance."""
    return {
        "key": key,
        "clip_id": media.clip_id,
        "judge": judge.name,
        "presence": {
            "emergent_frames": list(presence.emergent_frames),
            "vanished_frames": list(presence.vanished_frames),
            "compared_frames": presence.compared_frames,
        },
        "state": presence.state.value,
        "reply": presence.reply,
    }


def presence_of(row: Row) -> Presence:
    """The check in a row."""
    seen = row["presence"]
    emergent, vanished = tuple(seen["emergent_frames"]), tuple(seen["vanished_frames"])
    return Presence(State(row["state"]), emergent, vanished, seen["compared_frames"], row["reply"])


def recovered_row(
    key: str, media: Media, tracks: Mapping[str, MaskTrack] | None, contacts: Sequence[Contact] | None
) -> Row:
    """The row of recovered tracks and contacts; ``None`` where the judge recovers none."""
    return {
        "key": key,
        "clip_id": media.clip_id,
        "tracks": None if tracks is None else {name: encode_track(track) for name, track in tracks.items()},
        "contacts": None if contacts is None else [asdict(contact) for contact in contacts],
    }


def encode_track(track: MaskTrack) -> dict[str, Any]:
    """A track as JSON values: ``size_hw``, and per frame the COCO counts as text or ``null`` for a gap."""
    frames = [None if counts is None else counts.decode("ascii") for counts in track.frames]
    return {"size_hw": list(track.size_hw), "frames": frames}
