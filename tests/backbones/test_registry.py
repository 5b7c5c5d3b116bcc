from __future__ import annotations

from pathlib import Path

import pytest

from interplay.backbones import registry
from interplay.backbones.quiet import quiet
from interplay.backbones.registry import backbone_input, load_backbone, shipped_folder, shipped_names
from interplay.core.errors import InputError


def pipeline(folder: Path, weights: bytes) -> str:
    (folder / "vae").mkdir(parents=True)
    (folder / "model_index.json").write_text("{}")
    (folder / "vae" / "model.safetensors").write_bytes(weights)
    return str(folder)


def test_a_backbone_is_an_input_by_its_content_and_not_by_its_place(tmp_path: Path) -> None:
    one, same = pipeline(tmp_path / "one", b"weights"), pipeline(tmp_path / "same", b"weights")
    other = pipeline(tmp_path / "other", b"wEights")
    assert backbone_input(one).identity == backbone_input(same).identity
    assert backbone_input(one).identity != backbone_input(other).identity


def test_head_tail_and_size_of_a_large_file_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_SAMPLE_BYTES", 4)
    contents = [b"head....tail", b"Head....tail", b"head....taiL", b"head.....tail"]
    found = {backbone_input(pipeline(tmp_path / str(i), c)).identity for i, c in enumerate(contents)}
    assert len(found) == 4


def test_damaged_weights_are_named_before_anything_is_loaded(tmp_path: Path) -> None:
    folder = pipeline(tmp_path / "one", b"a page that says the file has moved")
    (tmp_path / "one" / "model_index.json").write_text('{"_class_name": "CogVideoXPipeline"}')
    with pytest.raises(InputError, match=r"vae/model\.safetensors: is no whole safetensors file"):
        load_backbone(folder)


def test_a_card_and_a_manifest_are_no_weights(tmp_path: Path) -> None:
    one = pipeline(tmp_path / "one", b"weights")
    before = backbone_input(one).identity
    (tmp_path / "one" / "README.md").write_text("a card")
    (tmp_path / "one" / "manifest.json").write_text("{}")
    assert backbone_input(one).identity == before


def test_these_ship_with_trained_weights() -> None:
    assert shipped_names() == ("tiny-cogvideox", "tiny-hunyuan-video", "tiny-wan")


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_weights_load_and_have_a_card(name: str) -> None:
    backbone = load_backbone(name)
    assert backbone.name == name
    card = (shipped_folder(name) / "README.md").read_text()
    assert "interplay world pretrain --" in card
    assert "## Scores" in card
    assert sum(path.stat().st_size for path in shipped_folder(name).rglob("*") if path.is_file()) < 12e6


def test_no_pipeline_is_an_input_error_that_names_the_tiny_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="tiny-cogvideox"):
        backbone_input(str(tmp_path))


def test_a_tiny_backbone_without_weights_says_how_to_make_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "shipped_names", lambda: ("tiny-cogvideox",))
    monkeypatch.setattr(registry, "shipped_folder", lambda name: Path("nowhere") / name)
    with pytest.raises(InputError, match="comes without trained weights") as caught:
        load_backbone("tiny-wan")
    assert caught.value.cure == (
        "make them (interplay world pretrain --backbone tiny-wan) and name their folder, or use tiny-cogvideox"
    )


def test_a_repository_of_the_hub_is_fetched_once_and_used_as_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fetched(repository: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        asked.append((repository, revision))
        assert "*/*.safetensors" in allow_patterns
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetched)
    (tmp_path / "model_index.json").write_text("{}")
    assert registry.pipeline_folder("owner/model") == tmp_path
    assert registry.pipeline_folder("owner/model.v1@refs/pr/3") == tmp_path
    assert asked == [("owner/model", None), ("owner/model.v1", "refs/pr/3")]
    (tmp_path / "model_index.json").unlink()
    with pytest.raises(InputError, match="repository without a pipeline"):
        registry.pipeline_folder("owner/model")


def test_a_repository_out_of_reach_is_an_input_error() -> None:
    # The tests run offline, and this one is in nobody's cache.
    with pytest.raises(InputError, match="the hub cannot be reached") as caught:
        load_backbone("nobody-at-all/no-such-model")
    assert "go online" in caught.value.cure


def test_a_missing_folder_is_no_repository(tmp_path: Path) -> None:
    for name in (str(tmp_path / "nothing"), "one-part", "a/b/c"):
        with pytest.raises(InputError, match="is no pipeline folder"):
            registry.pipeline_folder(name)


def test_quiet_restores_what_was_set() -> None:
    from diffusers.utils import logging

    level = logging.get_verbosity()
    with quiet():
        assert logging.get_verbosity() == logging.ERROR
    assert logging.get_verbosity() == level
