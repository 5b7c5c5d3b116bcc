"""Whole sheets: every clip on a page, links that lead somewhere, escaped text, resumed work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from data_fixtures import MakeClip, listed, moving
from interplay.core.errors import InputError
from interplay.data.check import Checker
from interplay.data.config import FormatChoice, ShowConfig
from interplay.data.ledger import QUARANTINE
from interplay.data.show import cards
from interplay.data.show.fragments import PageEntry
from interplay.data.show.pages import page_name, render
from interplay.data.show.run import show
from interplay.records.clip import Instance
from interplay.records.formats.base import LocatedClip, Note, Rejected
from interplay.records.masks import MaskTrack
from interplay.records.media.images import write_image


def config(**settings: object) -> ShowConfig:
    return ShowConfig.model_validate({"source": FormatChoice(name="listed"), "frames": 2, **settings})


class Links(HTMLParser):
    """Everything a page refers to, its anchors, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        for name, value in attrs:
            if name in ("href", "src") and value is not None:
                self.links.append(value)
            if name == "id" and value is not None:
                self.anchors.add(value)

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: Path) -> Links:
    parser = Links()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser


def check_links(folder: Path) -> None:
    pages = {page.name: read(page) for page in folder.glob("*.html")}
    for name, page in pages.items():
        assert "script" not in page.tags
        for link in page.links:
            target, _, anchor = link.partition("#")
            assert (folder / (target or name)).is_file(), f"{name}: {link}"
            assert not anchor or anchor in pages[target or name].anchors, f"{name}: {link}"


def test_every_clip_is_on_a_page_and_every_link_leads_somewhere(make_located: MakeClip, tmp_path: Path) -> None:
    items: list[LocatedClip | Rejected] = [make_located(f"c{index}") for index in range(7)]
    items.insert(3, Rejected("bad", "data.csv, row 4", "the video is truncated", "fetch it again"))
    sheet = show(config(page_size=3), listed(tmp_path / "source", items), tmp_path / "out")
    assert sheet.kind == "sheet"
    assert {name: sheet.summary[name] for name in ("found", "shown", "quarantined", "pages")} == {
        "found": 8,
        "shown": 7,
        "quarantined": 1,
        "pages": 3,
    }
    check_links(sheet.path)
    shown = "".join(read(sheet.path / f"page-{number:05d}.html").text for number in (1, 2, 3))
    assert all(f"scene c{index}" in shown for index in range(7))
    quarantine = read(sheet.path / "quarantine-00001.html").text
    assert "fetch it again" in quarantine
    assert "data.csv, row 4" in quarantine
    assert len(list((sheet.path / "thumbs").rglob("*.jpg"))) == 7


def test_a_limit_and_a_source_of_bad_clips_only(make_located: MakeClip, tmp_path: Path) -> None:
    clips = [make_located(f"c{index}") for index in range(5)]
    limited = show(config(limit=2), listed(tmp_path / "source", clips), tmp_path / "limited")
    assert limited.summary["shown"] == 2
    bad = [Rejected(f"bad{index}", "here", "no", "yes") for index in range(501)]
    sheet = show(config(), listed(tmp_path / "source", bad), tmp_path / "bad")
    assert (sheet.summary["found"], sheet.summary["pages"]) == (501, 0)
    check_links(sheet.path)
    assert (sheet.path / "quarantine-00002.html").is_file()


def test_text_of_a_dataset_is_text(make_located: MakeClip, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    located = make_located(
        caption=f"a man & {evil}", instances=(Instance("id1", evil), Instance("id2", "<b>")), split=evil
    )
    located = LocatedClip(located.clip, located.files, (Note(evil, evil, evil),))
    items = [located, Rejected(evil, evil, evil, evil)]
    source = listed(tmp_path / "source", items)
    (source.path / QUARANTINE).write_text(
        '{"clip_id": "<script>", "verdict": "quarantined", "where": "w", "reason": "r"}\n'
    )
    sheet = show(config(), source, tmp_path / "out")
    for page in sheet.path.glob("*.html"):
        assert "script" not in read(page).tags
        assert "onerror" not in read(page).attributes
    assert evil in read(sheet.path / "page-00001.html").text


def test_states_of_tracks_are_told_apart(make_located: MakeClip, tmp_path: Path) -> None:
    masks = moving(40, 36)
    masks[6:] = False
    gone = MaskTrack.from_array(masks, gaps=[0, 1])
    located = make_located(tracks={"id1": MaskTrack.from_array(moving(2, 4)), "id2": gone}, boxes={})
    sheet = show(config(), listed(tmp_path / "source", [located]), tmp_path / "out")
    html = (sheet.path / "page-00001.html").read_text()
    assert "id2 unknown" in html
    assert "id2 not there" in html
    assert 'class="unknown" style="width:22.222%" title="unknown: frames 0–1"' in html
    assert "seen 4, not there 3, unknown 2" in html


def test_other_media_and_a_video_that_cannot_be_read(make_located: MakeClip, one_video: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "person.png", np.full((40, 30, 3), 90, dtype=np.uint8))
    (tmp_path / "broken.mp4").write_bytes(one_video.read_bytes()[:1000])
    (tmp_path / "sound.wav").write_bytes(b"RIFF")
    media = {
        "person_image": "media/c0/person.png",
        "structure_video": "media/c0/s.mp4",
        "pose_video": "media/c0/p.mp4",
        "audio": "media/c0/a.wav",
    }
    files = [tmp_path / "person.png", one_video, tmp_path / "broken.mp4", tmp_path / "sound.wav"]
    located = make_located(media=media)
    located = LocatedClip(
        located.clip, {located.clip.video: tmp_path / "broken.mp4", **dict(zip(media.values(), files, strict=True))}
    )
    sheet = show(config(), listed(tmp_path / "source", [located]), tmp_path / "out")
    page = read(sheet.path / "page-00001.html")
    check_links(sheet.path)
    assert len([link for link in page.links if link.endswith(".jpg")]) == 3, "the strip, a picture and a video"
    assert "frame 0 cannot be read" in page.text
    assert re.search(r"pose video:\s+breaks off", page.text)
    assert "a .wav file" in page.text
    assert "video-unreadable" in page.text


def test_a_killed_run_goes_on_with_the_pages_that_are_missing(
    make_located: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = [make_located(f"c{index}") for index in range(6)]
    source = listed(tmp_path / "source", clips)

    def killed() -> Iterator[LocatedClip]:
        yield from clips[:5]
        raise KeyboardInterrupt

    source.format.items = killed()
    with pytest.raises(KeyboardInterrupt):
        show(config(page_size=2), source, tmp_path / "out")
    assert not (tmp_path / "out").exists()

    drawn: list[str] = []
    make = cards.CardMaker.make

    def counted(self: cards.CardMaker, located: LocatedClip, number: int, thumbs: str) -> cards.Card:
        drawn.append(located.clip.clip_id)
        return make(self, located, number, thumbs)

    monkeypatch.setattr(cards.CardMaker, "make", counted)
    source.format.items = clips
    sheet = show(config(page_size=2), source, tmp_path / "out")
    assert drawn == ["c4", "c5"]
    check_links(sheet.path)
    assert sheet.summary["shown"] == 6


def test_a_sheet_is_not_written_into_its_source(make_located: MakeClip, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lie in one another"):
        show(config(), listed(tmp_path / "source", [make_located()]), tmp_path / "source" / "sheet")


def test_hundreds_of_clips_on_pages(make_located: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paging alone: the cards are one card with other names, and drawing them is another test's matter."""
    card = cards.CardMaker(config(), Checker(config().check), tmp_path, tmp_path / "scratch").make(
        make_located(), 1, "t"
    )

    def renamed(self: cards.CardMaker, located: LocatedClip, number: int, thumbs: str) -> cards.Card:
        return replace(card, number=number, clip_id=located.clip.clip_id, strip_path="index.html")

    monkeypatch.setattr(cards.CardMaker, "make", renamed)
    plain = replace(make_located().clip, tracks={})
    clips = (LocatedClip(replace(plain, clip_id=f"c{index}"), {}) for index in range(1, 521))
    sheet = show(config(page_size=12), listed(tmp_path / "source", clips), tmp_path / "out")
    assert (sheet.summary["shown"], sheet.summary["pages"]) == (520, 44)
    middle = read(sheet.path / "page-00022.html")
    assert "12 clips: c253 to c264" in middle.text
    assert {"clip-253", "clip-264"} <= middle.anchors
    assert len([link for link in middle.links if link.startswith("page-")]) < 40
    assert "4 clips: c517 to c520" in read(sheet.path / "page-00044.html").text


def test_an_index_of_a_thousand_pages_names_them_all() -> None:
    entries = [PageEntry(n, page_name(n), f"c{n}", f"d{n}", 48, {"mask-tiny": n % 2}, {}) for n in range(1, 1051)]
    summary = {"source": "s", "format": "f", "found": 50400, "shown": 50400, "quarantined": 0, "pages": 1050}
    values = {
        "title": "t",
        "limit": None,
        "summary": summary,
        "spread": {},
        "general": (),
        "codes": [],
        "quarantine": "",
    }
    parser = Links()
    parser.feed(render("index.html.j2", pages=entries, **values))
    assert {page_name(number) for number in range(1, 1051)} <= set(parser.links)
    assert "1 001–1 050" in parser.text
