"""The whole page: complete, escaped, the same each time, and honest about what is missing."""

import re
from dataclasses import fields
from html.parser import HTMLParser

import pytest

from interplay.core.artifacts import build
from interplay.core.errors import InputError
from interplay.report.config import ReportConfig
from interplay.report.inputs import ReportInputs
from interplay.report.run import run
from report.synthetic import NASTY, make_evaluation, make_generation
from report.synthetic_analysis import make_analysis

CONFIG = ReportConfig(resamples=300, best=1, worst=1, typical=1, command="interplay demo --out <here>")


VIDEO_DATA = re.compile("data:video/mp4;base64,[A-Za-z0-9+/=]+")


class Outline(HTMLParser):
    """Every tag with its attributes, and the text outside of style and script."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.words, self._hidden = [], [], 0
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._hidden += tag in ("style", "script")

    def handle_endtag(self, tag):
        self._hidden -= tag in ("style", "script")

    def handle_data(self, data):
        if not self._hidden:
            self.words.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="session")
def page(story):
    return (run(CONFIG, story.inputs, story.folder / "report").path / "index.html").read_text()


def outline_of(inputs, folder, config=CONFIG):
    return Outline((run(config, inputs, folder / "report").path / "index.html").read_text())


def test_the_artifact_is_one_file_with_a_verdict(story, page):
    artifact = run(CONFIG, story.inputs, story.folder / "report")
    assert list(artifact.manifest["files"]) == ["index.html"]
    assert artifact.summary["outcome"] == "better"
    assert artifact.summary["missing"] == []
    assert set(artifact.manifest["inputs"]) == {field.name for field in fields(ReportInputs)}
    assert artifact.summary["verdict"] in Outline(page).text


def test_nothing_is_loaded_from_anywhere(page):
    outline = Outline(page)
    for _, attrs in outline.tags:
        for name in ("src", "href", "poster", "srcset", "data", "action"):
            if attrs.get(name):
                assert attrs[name].startswith(("data:", "#"))
    assert "url(" not in page
    assert "@import" not in page
    policy = next(meta["content"] for meta in outline.all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'")


def test_all_text_is_escaped(story):
    config = ReportConfig(resamples=300, best=0, worst=0, typical=20, title=NASTY)
    outline = Outline((run(config, story.inputs, story.folder / "report-nasty").path / "index.html").read_text())
    assert len(outline.all("script")) == 1
    assert not any("onerror" in attrs for attrs in outline.all("img"))
    assert outline.text.count('<script>alert("caption")</script>') >= 4  # title twice, a caption, a question
    assert "lambda_sga: 0.01 # <source>" in outline.text
    assert "<b>ties</b>" in outline.text
    assert not outline.all("source")


def test_every_part_of_the_story_is_there(page):
    outline = Outline(page)
    assert [attrs["id"] for attrs in outline.all("section")] == [
        "scores", "clips", "layers", "attention", "training", "provenance",
    ]  # fmt: skip
    classes = [attrs.get("class") for attrs in outline.all("article")]
    films = 3 * CONFIG.films  # nouns and verbs to their words, nouns to their regions
    assert len(outline.all("video")) == 3 * classes.count("card") + films
    assert len([name for name in classes if name.startswith("choice")]) == 3
    assert "test" in outline.text
    assert "heldout" in outline.text
    assert "10 of 11" in outline.text
    assert "2 videos (unparsable)" in outline.text
    assert "11 of the 11 clips that both models generated start from the same noise" in outline.text
    assert "grounding (SGA): verb" in outline.text
    assert "On clips that were not trained on" in outline.text
    assert "interaction fidelity of samples" in outline.text
    assert "held_out_at_0.5" not in outline.text
    assert "None of these choices is stable." in outline.text
    assert "a note with <i>markup</i>" in outline.text
    assert "Not here" not in outline.text


def test_pictures_have_words(page):
    outline = Outline(page)
    assert all(attrs.get("alt") for attrs in outline.all("img"))
    assert all(attrs.get("aria-label") for attrs in outline.all("video"))
    assert all(attrs.get("aria-label") for attrs in outline.all("svg"))


def test_the_same_inputs_give_the_same_page(story, page):
    again = (run(CONFIG, story.inputs, story.folder / "report-again").path / "index.html").read_text()
    # x264 promises the same picture quality, not the same bits, so the videos are compared by number alone.
    pages = [VIDEO_DATA.split(text) for text in (page, again)]
    assert len(pages[0]) > 1
    assert pages[0] == pages[1]


def test_a_report_of_nothing_says_what_is_missing(tmp_path):
    outline = outline_of(ReportInputs(), tmp_path)
    assert "the base evaluation is missing" in outline.text
    assert "No training was given to this report." in outline.text
    assert "No analysis was given to this report." in outline.text
    assert "No generation was given to this report." in outline.text
    assert "Not given to this report: clips, base generation" in outline.text


@pytest.mark.parametrize("name", [field.name for field in fields(ReportInputs)])
def test_any_artifact_may_be_missing(story, tmp_path, name):
    outline = outline_of(story.without(name), tmp_path)
    assert f"Not given to this report: {name.replace('_', ' ')}." in outline.text
    stage = {"clips": "dataset of clips"}.get(name, name.replace("_", " "))
    assert f"No {stage} was given to this report." in outline.text


def test_real_data_without_a_judge(story, tmp_path):
    generation = make_generation(tmp_path / "aligned", story.inputs.clips, quality=1.0, nasty=False)
    scores = make_evaluation(tmp_path / "scores", generation, level=0.5, seed=0, judge=False)
    inputs = ReportInputs(
        clips=story.inputs.clips,
        base_generation=generation,
        base_evaluation=scores,
        aligned_generation=generation,
        aligned_evaluation=scores,
    )
    outline = outline_of(inputs, tmp_path)
    assert "Not scored: no judge. Nothing here says" in outline.text
    assert "22 videos (not scored: no judge)" in outline.text
    assert "0 of 11" in outline.text
    assert "the first 3 of 11 clips" in outline.text
    assert len(outline.all("video")) == 9


def test_missing_files_are_named_where_they_should_be(story, tmp_path):
    plain = make_analysis(tmp_path / "analysis", story.inputs.clips, labelled=False, films=False)
    hollow = build(tmp_path / "training", kind="training", config={}, inputs={}, make=lambda folder: {})
    outline = outline_of(ReportInputs(analysis=plain, training=hollow), tmp_path)
    assert "films of attention. The analysis drew none." in outline.text
    assert "the artifact holds no losses.csv" in outline.text
    assert "the artifact holds no recipe.yaml" in outline.text
    assert "clips that were not trained on" not in outline.text
    assert "successes over failures" not in outline.text


def test_different_conditions_are_said(story, tmp_path):
    def make(folder):
        (folder / "index.json").write_text('{"clips": [], "backbone": "other", "steps": 50, "guidance": 2.0}')
        return {}

    other = build(tmp_path / "other", kind="generation", config={}, inputs={}, make=make)
    inputs = ReportInputs(base_generation=other, aligned_generation=story.inputs.aligned_generation)
    text = outline_of(inputs, tmp_path).text
    assert "Not the same backbone: other for the base, tiny-cogvideox for the aligned model." in text
    assert "was not generated by this model" in text


def test_an_artifact_of_another_kind_is_refused(story, tmp_path):
    with pytest.raises(InputError, match='give one of the kind "clips" as clips'):
        run(CONFIG, ReportInputs(clips=story.inputs.training), tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_scores_of_other_videos_are_refused(story, tmp_path):
    inputs = ReportInputs(base_generation=story.inputs.base_generation, base_evaluation=story.inputs.aligned_evaluation)
    with pytest.raises(InputError, match="does not hold the scores of"):
        run(CONFIG, inputs, tmp_path / "report")
