"""The released configurations, and how to lay one out as a pipeline folder without weights.

``released/<name>.json`` holds the values of a checkpoint's configs, where they are from, and what was not confirmed.
Networks that several releases share stand in ``released/shared.json``. Tokenizers and image processors have no part in
any shape; the families' tiny ones stand in for them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from interplay.backbones.cogvideox import tiny as cogvideox
from interplay.backbones.hunyuan_video import tiny as hunyuan_video
from interplay.backbones.hunyuan_video_15 import tiny as hunyuan_video_15
from interplay.backbones.ltx_video import tiny as ltx_video
from interplay.backbones.quiet import quiet
from interplay.backbones.wan import tiny as wan

FOLDER = Path(__file__).parent / "released"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json") if path.stem != "shared")


def read(name: str) -> dict[str, Any]:
    """A release's values."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def lay_out(release: dict[str, Any], folder: Path) -> None:
    """Write the release as a diffusers pipeline folder: all configs, no weights."""
    shared = read("shared")["networks"]
    index: dict[str, Any] = {"_class_name": release["pipeline"], **release["settings"]}
    for part, values in release["networks"].items():
        values = shared[values] if isinstance(values, str) else values
        index[part] = values["_class"]
        (folder / part).mkdir(parents=True)
        config = {name: value for name, value in values.items() if name != "_class"}
        (folder / part / "config.json").write_text(json.dumps({**config, "_class_name": values["_class"][1]}))
    (folder / "scheduler").mkdir()
    index["scheduler"] = release["scheduler"]["_class"]
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(release["scheduler"]))
    for name, part in _stand_ins(release).items():
        part.save_pretrained(folder / name)
        index[name] = [type(part).__module__.split(".")[0], type(part).__name__]
    (folder / "model_index.json").write_text(json.dumps(index))


def _stand_ins(release: dict[str, Any]) -> dict[str, Any]:
    """Tokenizers, image processors and guiders, in the released sizes where they have one."""
    from diffusers import ClassifierFreeGuidance
    from transformers import CLIPImageProcessor, CLIPImageProcessorPil, SiglipImageProcessor

    shown = "ImageToVideo" in release["pipeline"]
    with quiet():
        if release["family"] == "hunyuan_video":
            kind = "token_replace" if shown else "none"
            parts = hunyuan_video.build(0, hunyuan_video.TinyHunyuanVideo(condition=kind)).pipeline.components
            size = {"shortest_edge": 336}
            processor = CLIPImageProcessor(size=size, crop_size={"height": 336, "width": 336})
            names = ("tokenizer", "tokenizer_2")
            return {**{name: parts[name] for name in names}, **({"image_processor": processor} if shown else {})}
        if release["family"] == "hunyuan_video_15":
            config = hunyuan_video_15.TinyHunyuanVideo15(task="t2v", glyph_tokens=256)
            parts = hunyuan_video_15.build(0, config).pipeline.components
            processor = SiglipImageProcessor(size={"height": 384, "width": 384})
            guider = ClassifierFreeGuidance(guidance_scale=release["guidance_scale"])
            names = ("tokenizer", "tokenizer_2")
            more = {"feature_extractor": processor} if shown else {}
            return {**{name: parts[name] for name in names}, "guider": guider, **more}
        family = {"cogvideox": cogvideox, "ltx_video": ltx_video, "wan": wan}[release["family"]]
        processor = {"image_processor": CLIPImageProcessorPil()} if "image_encoder" in release["networks"] else {}
        return {"tokenizer": family.word_tokenizer(), **processor}
