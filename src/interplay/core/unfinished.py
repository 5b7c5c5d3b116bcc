"""Unfinished work: the folder ``<out>.partial`` in which an artifact is made, and the mark that says what it is to be.

What is being added to a finished artifact (:mod:`.additions`) is unfinished work, too. The promises to whoever was
interrupted:

- The next run that asks the same goes on from what is there.
- A run that asks something else leaves it alone and says what is different, unless it is told to overwrite.
- A folder without work in it (nothing but the mark) is in nobody's way.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from interplay.core.errors import InputError, InterplayError
from interplay.core.files import read_json, write_json
from interplay.core.manifest import SCRATCH

# Of so many differences each is told, and of a value so many characters.
_TOLD, _WIDTH = 4, 60


@dataclass(frozen=True)
class Mark:
    """What is being made: its identity, and what that is the digest of (``inputs`` by name are identities)."""

    identity: str
    kind: str
    config: Mapping[str, Any]
    inputs: Mapping[str, str]


@dataclass(frozen=True)
class Work:
    """What somebody has begun at a place: whether there is any of it to lose, and how it is cleared away.

    ``elsewhere`` is whether another run could do its own at another place.
    """

    where: Path
    is_there: Callable[[], bool]
    clear: Callable[[], None]
    elsewhere: bool

    def make_way(self, begun: Mapping[str, Any], mark: Mark, *, overwrite: bool) -> None:
        """Clear what was ``begun`` as something else than ``mark``, where that costs nothing or is permitted.

        :class:`InputError` that names the differences where it is not.
        """
        if self.is_there():
            difference = _difference(begun, mark)
            if not overwrite:
                instead = "give another --out, or" if self.elsewhere else "or"
                cure = f"run it as it was begun, {instead} --overwrite to drop the unfinished work"
                raise InputError(f"holds unfinished work, begun with {difference}", where=self.where, cure=cure)
            say(f"{self.where}: unfinished work, begun with {difference}, cleared")
        self.clear()

    @contextmanager
    def kept_where_there_is_any(self) -> Iterator[None]:
        """When an error ends the work, say that it is kept and for whom; nothing stays of work that wrote no file.

        Many a cure changes a setting, and what changes a setting is another run.
        """
        try:
            yield
        except InterplayError:
            if self.is_there():
                told = "a run with the same settings and inputs goes on from there, any other needs"
                instead = "another --out or --overwrite" if self.elsewhere else "--overwrite"
                say(f"{self.where}: what is done is kept; {told} {instead}, which drops it")
            else:
                self.clear()
            raise


def beside(out: Path, suffix: str) -> Path:
    """The neighbour of an artifact that serves its making: ``.lock``, ``.partial``, ``.replaced``."""
    return out.with_name(out.name + suffix)


def prepare_partial(out: Path, mark: Mark, *, overwrite: bool) -> Path:
    """The folder to make ``out`` in, with what an earlier run that asked the same has left there.

    :class:`InputError` where another one's work waits, unless ``overwrite`` permits dropping it.
    """
    partial = beside(out, ".partial")
    if _mark_of(partial).is_file():
        _make_way(partial, mark, overwrite)
    elif partial.exists() and any(name != SCRATCH for name in os.listdir(partial)):
        cure = "move it away, or give another --out"
        raise InputError("exists and is no unfinished artifact", where=partial, cure=cure)
    write_json(_mark_of(partial), asdict(mark))
    return partial


def work_in(partial: Path) -> Work:
    """The work in a folder that :func:`prepare_partial` gave."""
    return Work(partial, lambda: _holds_work(partial), lambda: _clear(partial), elsewhere=True)


def say(line: str) -> None:
    """Tell something on stderr that is neither a result nor an error."""
    print(line, file=sys.stderr, flush=True)


def _mark_of(partial: Path) -> Path:
    return partial / SCRATCH / "identity.json"


def _make_way(partial: Path, mark: Mark, overwrite: bool) -> None:
    begun = read_json(_mark_of(partial))
    if not isinstance(begun, dict):
        raise InputError("is no mark of unfinished work", where=_mark_of(partial), cure=f"remove {partial}")
    if begun.get("identity") != mark.identity:
        work_in(partial).make_way(begun, mark, overwrite=overwrite)


def _holds_work(partial: Path) -> bool:
    return any(path != _mark_of(partial) and not path.is_dir() for path in partial.rglob("*"))


def _clear(partial: Path) -> None:
    # The mark goes last: a folder that was half cleared when we died is still known as ours, and whose it was.
    mark = _mark_of(partial)
    for entry in (*partial.iterdir(), *mark.parent.iterdir()):
        if entry in (mark, mark.parent):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    shutil.rmtree(partial)


# --- what is different ----------------------------------------------------------------------------------------------


def _difference(begun: Mapping[str, Any], mark: Mark) -> str:
    """What a mark says otherwise, in words. Marks of earlier versions hold the identity alone."""
    if begun.get("kind", mark.kind) != mark.kind:
        return f'another kind of artifact ("{begun["kind"]}")'
    found = [
        *_changed_fields(begun.get("config", {}), mark.config),
        *_changed_inputs(begun.get("inputs", {}), mark.inputs),
    ]
    if "config" not in begun or not found:
        return "another config or other inputs"
    more = f" and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
    return ", ".join(found[:_TOLD]) + more


def _changed_fields(old: Any, new: Any, name: str = "") -> Iterator[str]:
    """``name old (now new)`` of every value that differs, groups by their fields."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys([*old, *new]):
            inner = f"{name}.{key}" if name else str(key)
            yield from _changed_fields(old.get(key, _ABSENT), new.get(key, _ABSENT), inner)
    elif _text(old) != _text(new):
        yield f"{name} {_short(old)} (now {_short(new)})"


def _changed_inputs(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in dict.fromkeys([*old, *new]):
        if name not in old:
            yield f"no input {name}"
        elif name not in new:
            yield f"an input {name}"
        elif old[name] != new[name]:
            yield f"another input {name}"


class _Absent:
    """In the place of a field that a config does not have."""


_ABSENT = _Absent()


def _text(value: Any) -> str:
    return "nothing" if value is _ABSENT else json.dumps(value, sort_keys=True, ensure_ascii=False)


def _short(value: Any) -> str:
    text = _text(value)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."
