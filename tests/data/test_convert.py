"""Conversions: every clip is written or listed with its reason, the counts add up, and killed work goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from damaged_datasets import DamagedDataset
from data_fixtures import MakeClip, listed
from interplay.core.errors import InputError
from interplay.data.check import check
from interplay.data.config import CheckConfig, ConvertConfig, FormatChoice, ShowConfig
from interplay.data.convert import append, convert, in_words
from interplay.data.ledger import LOSSES, QUARANTINE
from interplay.data.show.run import show
from interplay.data.source import choose_format, open_source
from interplay.records.clip import Interaction
from interplay.records.formats.base import LocatedClip, Note, Rejected, Written
from interplay.records.store.reader import ClipStore
from interplay.records.store.writer import StoreWriter

TO_STORE = ConvertConfig(source=FormatChoice(name="listed"), target=choose_format("store"))
BAD = Rejected("bad", "data.csv, row 2", "the video is truncated", "fetch it again")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_good_clips_are_written_and_bad_ones_listed(make_located: MakeClip, tmp_path: Path) -> None:
    repaired = make_located("c1", notes=(Note("data.csv, row 3", "keys are latent", "read as frames"),))
    contradictory = make_located("c2", interactions=(Interaction("id9", "runs"),))
    source = listed(tmp_path / "source", [make_located("c0"), BAD, repaired, contradictory])
    done = convert(TO_STORE, source, tmp_path / "out")
    assert done.artifact.kind == "clips"
    assert ClipStore(tmp_path / "out").ids == ("c0", "c1")
    told = {name: done.told[name] for name in ("found", "written", "quarantined", "repaired", "lossy")}
    assert told == {"found": 4, "written": 2, "quarantined": 2, "repaired": 1, "lossy": 0}
    assert lines(tmp_path / "out" / QUARANTINE) == [
        {
            "clip_id": "bad",
            "verdict": "quarantined",
            "where": "data.csv, row 2",
            "reason": "the video is truncated",
            "cure": "fetch it again",
        },
        {
            "clip_id": "c1",
            "verdict": "repaired",
            "where": "data.csv, row 3",
            "reason": "keys are latent",
            "done": "read as frames",
        },
        {
            "clip_id": "c2",
            "verdict": "quarantined",
            "where": "clip c2, interaction 'runs'",
            "reason": "id9 is not among the clip's instances (id1, id2)",
            "cure": "add id9 to the instances or correct the id",
        },
    ]
    assert not (tmp_path / "out" / LOSSES).exists()
    assert in_words(done)[0] == "4 clips found: 2 written, 2 left out"


def test_two_clips_of_one_id(make_located: MakeClip, tmp_path: Path) -> None:
    done = convert(TO_STORE, listed(tmp_path / "source", [make_located("c0"), make_located("c0")]), tmp_path / "out")
    assert (done.told["written"], done.told["quarantined"]) == (1, 1)
    assert "taken already" in lines(tmp_path / "out" / QUARANTINE)[0]["reason"]


def test_nothing_but_bad_clips_is_a_result_too(tmp_path: Path) -> None:
    done = convert(TO_STORE, listed(tmp_path / "source", [BAD]), tmp_path / "out")
    assert (done.told["found"], done.told["written"]) == (1, 0)
    assert len(lines(tmp_path / "out" / QUARANTINE)) == 1


def test_no_clips_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="names no clips"):
        convert(TO_STORE, listed(tmp_path / "source", []), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_a_layout_cannot_hold_is_listed(
    make_located: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from interplay.records.formats.store import StoreFormat

    def write(self: StoreFormat, clips: Iterator[LocatedClip], out: Path) -> Iterator[Written | Rejected]:
        for located in clips:
            yield Written(located.clip.clip_id, lost=("the boxes",) if located.clip.clip_id == "c1" else ())

    monkeypatch.setattr(StoreFormat, "write", write)
    clips = [make_located("c0"), make_located("c1")]
    done = convert(TO_STORE, listed(tmp_path / "source", clips), tmp_path / "out")
    assert lines(tmp_path / "out" / LOSSES) == [{"clip_id": "c1", "lost": ["the boxes"]}]
    assert done.told["lossy"] == 1
    assert str(tmp_path / "out" / LOSSES) in in_words(done)[1]


def test_a_writer_that_forgets_a_clip_is_found_out(
    make_located: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from interplay.records.formats.store import StoreFormat

    def write(self: StoreFormat, clips: Iterator[LocatedClip], out: Path) -> Iterator[Written | Rejected]:
        list(clips)
        yield Written("c0")

    monkeypatch.setattr(StoreFormat, "write", write)
    clips = [make_located("c0"), make_located("c1")]
    with pytest.raises(RuntimeError, match="did not answer for every clip"):
        convert(TO_STORE, listed(tmp_path / "source", clips), tmp_path / "out")


def test_a_killed_conversion_goes_on(make_located: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = [make_located(f"c{index}") for index in range(5)]

    def killed() -> Iterator[LocatedClip | Rejected]:
        yield from (clips[0], BAD, *clips[1:3])
        raise KeyboardInterrupt

    source = listed(tmp_path / "source", [])
    source.format.items = killed()
    with pytest.raises(KeyboardInterrupt):
        convert(TO_STORE, source, tmp_path / "out")
    copied: list[str] = []
    add = StoreWriter.add_files

    def counted(self: StoreWriter, located: LocatedClip) -> None:
        copied.append(located.clip.clip_id)
        add(self, located)

    monkeypatch.setattr(StoreWriter, "add_files", counted)
    source.format.items = [clips[0], BAD, *clips[1:]]
    done = convert(TO_STORE, source, tmp_path / "out")
    assert copied == ["c3", "c4"]
    assert (done.told["found"], done.told["written"], done.told["quarantined"]) == (6, 5, 1)
    assert len(lines(tmp_path / "out" / QUARANTINE)) == 1
    assert ClipStore(tmp_path / "out").ids == ("c0", "c1", "c2", "c3", "c4")


def test_the_same_source_is_converted_once_and_another_one_not_over_it(make_located: MakeClip, tmp_path: Path) -> None:
    source = listed(tmp_path / "source", [make_located("c0")])
    first = convert(TO_STORE, source, tmp_path / "out")
    source.format.items = []
    assert convert(TO_STORE, source, tmp_path / "out") == first
    (source.path / "new.csv").write_text("a")
    source.format.items = [make_located("c1")]
    with pytest.raises(InputError, match="exists already, made from another config or other inputs"):
        convert(TO_STORE, source, tmp_path / "out")
    convert(TO_STORE, source, tmp_path / "out", overwrite=True)
    assert ClipStore(tmp_path / "out").ids == ("c1",)


# --- adding to a store -----------------------------------------------------------------------------------------------


def test_clips_are_added_to_a_finished_store(make_located: MakeClip, tmp_path: Path) -> None:
    out = tmp_path / "out"
    convert(TO_STORE, listed(tmp_path / "first", [make_located("c0"), BAD]), out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and path.name != "manifest.json"}
    second = listed(tmp_path / "second", [make_located("c1"), replace(BAD, clip_id="bad2")])
    (second.path / "data.csv").write_text("second")
    done = append(TO_STORE, second, out)
    assert ClipStore(out).ids == ("c0", "c1")
    assert (done.told["found"], done.told["written"], done.told["quarantined"]) == (2, 1, 1)
    assert done.artifact.summary["clips_in_all"] == 2
    assert done.artifact.summary["found"] == 2, "what the first conversion said stays"
    assert {path: path.read_bytes() for path in before} == before
    assert lines(out / done.told["quarantine"])[0]["clip_id"] == "bad2"
    second.format.items = []
    assert append(TO_STORE, second, out) == done, "an addition that was made already is not made twice"


def test_an_id_that_is_there_must_mean_the_same_clip(make_located: MakeClip, tmp_path: Path) -> None:
    out = tmp_path / "out"
    convert(TO_STORE, listed(tmp_path / "first", [make_located("c0"), make_located("c1")]), out)
    second = listed(
        tmp_path / "second", [make_located("c0"), make_located("c1", caption="one <id1> man, one <id2> box")]
    )
    (second.path / "data.csv").write_text("second")
    second.format.items = [*second.format.items, make_located("c2")]
    done = append(TO_STORE, second, out)
    assert (done.told["written"], done.told["quarantined"]) == (2, 1)
    assert lines(out / done.told["quarantine"])[0]["clip_id"] == "c1"
    assert ClipStore(out).ids == ("c0", "c1", "c2")


def test_what_another_conversion_has_half_added_is_not_dropped_unasked(make_located: MakeClip, tmp_path: Path) -> None:
    out = tmp_path / "out"
    convert(TO_STORE, listed(tmp_path / "first", [make_located("c0")]), out)

    def killed_after(clip_id: str) -> Iterator[LocatedClip | Rejected]:
        yield make_located(clip_id)
        raise KeyboardInterrupt

    second, third = listed(tmp_path / "second", []), listed(tmp_path / "third", [make_located("c2")])
    for source in (second, third):
        (source.path / "data.csv").write_text(source.path.name)
    second.format.items = killed_after("c1")
    with pytest.raises(KeyboardInterrupt):
        append(TO_STORE, second, out)
    with pytest.raises(InputError, match=r"out: holds unfinished work, begun with content .* \(now .*\); run it as"):
        append(TO_STORE, third, out)
    second.format.items = [make_located("c1")]
    append(TO_STORE, second, out)
    assert ClipStore(out).ids == ("c0", "c1")
    second.format.items = killed_after("c3")
    (second.path / "data.csv").write_text("second, changed")
    with pytest.raises(KeyboardInterrupt):
        append(TO_STORE, second, out)
    append(TO_STORE, third, out, overwrite=True)
    assert ClipStore(out).ids == ("c0", "c1", "c2")


def test_only_a_store_can_be_added_to(make_located: MakeClip, tmp_path: Path) -> None:
    source = listed(tmp_path / "source", [make_located()])
    other = ConvertConfig(source=FormatChoice(name="listed"), target=FormatChoice(name="matrix"))
    with pytest.raises(InputError, match="clips can be added to a store only"):
        append(other, source, tmp_path / "out")
    with pytest.raises(InputError, match="there is no such folder"):
        append(TO_STORE, source, tmp_path / "out")


# --- a dataset with everything wrong ---------------------------------------------------------------------------------


def test_a_damaged_dataset_is_checked_converted_and_shown_to_its_end(
    damaged_matrix: DamagedDataset, tmp_path: Path
) -> None:
    source = open_source(damaged_matrix.folder)
    report = check(source, CheckConfig())
    assert (report.found, report.rejected) == (damaged_matrix.found, len(damaged_matrix.rejected))
    config = ConvertConfig(source=source.choice, target=choose_format("store"))
    done = convert(config, source, tmp_path / "store")
    assert (done.told["found"], done.told["quarantined"]) == (damaged_matrix.found, len(damaged_matrix.rejected))
    left_out = [line for line in lines(tmp_path / "store" / QUARANTINE) if line["verdict"] == "quarantined"]
    assert [line["clip_id"] for line in left_out] == [item.clip_id for item in source if isinstance(item, Rejected)]
    assert all(line["where"] and line["reason"] and line["cure"] for line in left_out)
    sheet = show(ShowConfig(source=source.choice, frames=1), source, tmp_path / "sheet")
    assert (sheet.summary["shown"], sheet.summary["quarantined"]) == (len(damaged_matrix.read), len(left_out))
    assert check(open_source(tmp_path / "store"), CheckConfig()).passes()
