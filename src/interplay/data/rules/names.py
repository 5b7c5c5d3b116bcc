"""Who is named where: instances, markers, tracks and roles must mean each other; and the captions themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from interplay.core.errors import InputError
from interplay.data.codes import Finding, found
from interplay.records.caption import parse_caption
from interplay.records.check import roles_of
from interplay.records.clip import Clip, Interaction
from interplay.records.store.layout import check_id

# Time spans come from frame numbers and rates: half a frame of rounding is no error.
_SLACK_FRAMES = 0.5


def check_caption(clip: Clip) -> Iterator[Finding]:
    """The caption is there and can be parsed."""
    if not clip.caption.strip():
        yield found("caption-empty", clip.clip_id, "caption", "is empty")
        return
    try:
        parse_caption(clip.caption)
    except InputError as error:
        yield found("caption-malformed", clip.clip_id, "caption", error.problem, error.cure)


def check_names(clip: Clip) -> Iterator[Finding]:
    """Ids are unique, and every id that is used somewhere means an instance."""
    try:
        check_id(clip.clip_id, where="clip id")
    except InputError as error:
        yield found("id-unsafe", clip.clip_id, error.where, error.problem, error.cure)
    yield from _check_instances(clip)


def _check_instances(clip: Clip) -> Iterator[Finding]:
    listed = [instance.id for instance in clip.instances]
    for instance_id in [name for name, count in Counter(listed).items() if count > 1]:
        yield found(
            "instance-twice", clip.clip_id, "instances", f"{instance_id} is listed {listed.count(instance_id)} times"
        )
    known = ", ".join(listed) or "none"
    marked = _marked(clip)
    for instance_id in marked:
        if instance_id not in listed:
            problem = f"the marker <{instance_id}> is none of the instances ({known})"
            yield found("marker-no-instance", clip.clip_id, "caption", problem)
        elif instance_id not in clip.tracks:
            yield found("marker-no-track", clip.clip_id, "caption", f"the marker <{instance_id}> has no mask track")
    for instance_id in clip.tracks:
        if instance_id not in listed:
            problem = f"is none of the instances ({known})"
            yield found("track-no-instance", clip.clip_id, f"track {instance_id}", problem)
        elif instance_id not in marked:
            yield found("track-no-marker", clip.clip_id, f"track {instance_id}", "has no marker in the caption")


def check_interactions(clip: Clip) -> Iterator[Finding]:
    """Roles are instances, and time spans lie in the clip."""
    listed = {instance.id for instance in clip.instances}
    for interaction in clip.interactions:
        where = f"interaction '{interaction.verb}'"
        for role in roles_of(interaction):
            if role not in listed:
                yield found("role-unknown", clip.clip_id, where, f"{role} is none of the instances")
        yield from _check_span(clip, interaction, where)


def _check_span(clip: Clip, interaction: Interaction, where: str) -> Iterator[Finding]:
    if not clip.fps > 0:
        return  # without a rate nobody knows where the clip ends, and the rate has a finding of its own
    end_s, slack_s = clip.num_frames / clip.fps, _SLACK_FRAMES / clip.fps
    start = 0.0 if interaction.start_s is None else interaction.start_s
    end = end_s if interaction.end_s is None else interaction.end_s
    if not (-slack_s <= start < end <= end_s + slack_s):
        problem = f"is {start:g} s to {end:g} s, and the clip is 0 s to {end_s:g} s"
        yield found("span-outside", clip.clip_id, where, problem)


def _marked(clip: Clip) -> tuple[str, ...]:
    try:
        return parse_caption(clip.caption).instance_ids
    except InputError:
        return ()  # check_caption says so
