"""``interplay generate``: a dataset again, a table of prompts, one prompt, or a clip once more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interplay.cli.options import Offload, Overwrite, Threads, the_offload, use_threads
from interplay.core.artifacts import open_artifact
from interplay.core.errors import InputError

if TYPE_CHECKING:
    from interplay.generate.config import GenerateConfig

_SOURCES = "--clips, --prompts, --prompt or --again"


def generate(
    out: Annotated[Path, typer.Option("--out", help="Folder to write; with --prompt and --again, an mp4.")],
    backbone: Annotated[
        str | None,
        typer.Option(help="A shipped tiny one, a pipeline folder or a name on the hub; default: the training's."),
    ] = None,
    clips: Annotated[
        Path | None, typer.Option(help="A dataset: its clips again, from first frame and caption.")
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(help="A CSV, JSON or JSONL: prompt, and clip_id, image, masks, seed, size, fps as wanted."),
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="One clip of this prompt, with or without markup.")] = None,
    image: Annotated[
        Path | None, typer.Option(help="Its first frame: a picture, or a video (with --again: where it is now).")
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(help="Masks of that frame: a painted picture, or a folder of <id>.png.")
    ] = None,
    again: Annotated[Path | None, typer.Option(help="The JSON beside a generated video: the same clip again.")] = None,
    training: Annotated[Path | None, typer.Option(help="A training artifact: its adapter is used.")] = None,
    adapter: Annotated[
        Path | None, typer.Option(help="A folder with a LoRA, or a checkpoint of MATRIX's released code.")
    ] = None,
    splits: Annotated[list[str] | None, typer.Option("--split", help="Only this split (may be repeated).")] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many clips (of each split).")] = None,
    size: Annotated[str | None, typer.Option(help="Width x height x frames, as 720x480x49.")] = None,
    fps: Annotated[float | None, typer.Option(help="Frames per second of the videos.")] = None,
    steps: Annotated[int | None, typer.Option(help="Denoising steps; default: the model's own.")] = None,
    guidance: Annotated[
        float | None, typer.Option(help="Classifier-free guidance scale, 1 = off; default: the model's own.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Root of all randomness (0 unless given); with --prompt, the clip's own seed.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Clips at once; default: by their size.")] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help='Any other: --set guidance.cmg_scale=1, --set "guidance.cmg_layers=[7, 11]".'),
    ] = None,
    text_to_video: Annotated[
        bool, typer.Option("--text-to-video", help="Show no first frame to a model that may be shown one.")
    ] = False,
    dtype: Annotated[
        str | None, typer.Option(help="What the model computes in: float32 (default), bfloat16 or float16.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Where the model runs: cpu (default), cuda, cuda:1.")] = None,
    offload: Offload = "none",
    tiling: Annotated[bool, typer.Option("--tiling", help="Decode in tiles: less memory.")] = False,
    playable: Annotated[bool, typer.Option("--playable", help="Videos that browsers play; not lossless.")] = False,
    threads: Threads = None,
    overwrite: Overwrite = False,
) -> None:
    """Generate clips; killed at any point, the same command goes on with the batches that are missing.

    Beside every mp4 lies a JSON that makes the clip again (--again). Steps, guidance, size and rate are those of the
    model's stock pipeline unless given. On a small GPU: --offload networks (or blocks) --tiling.

    Example: interplay generate --clips runs/clips --backbone tiny-cogvideox --split test --out runs/base
    Example: interplay generate --prompts prompts.csv --backbone tiny-cogvideox --training runs/training --out runs/mine
    Example: interplay generate --prompt "a man kicks a ball" --image first.png --backbone tiny-cogvideox --out kick.mp4
    Example: interplay generate --again kick.json --out kick-again.mp4
    """
    use_threads(threads)
    _one_of({"--clips": clips, "--prompts": prompts, "--prompt": prompt, "--again": again})
    if training is not None and adapter is not None:
        problem = "--training and --adapter exclude each other"
        raise InputError(problem, where="interplay generate", cure="give one of the two")
    place: dict[str, Any] = {"device": device or "cpu", "offload": the_offload(offload)}
    given: dict[str, object] = {
        "backbone": backbone if training is None or again else backbone or _backbone_of(training),
        "limit": limit,
        "size": size,
        "fps": fps,
        "steps": steps,
        "guidance_scale": guidance,
        "seed": seed,
        "batch_size": batch_size,
        "dtype": dtype,
        "text_to_video": text_to_video or None,
        "tiling": tiling or None,
        "lossless": False if playable else None,
        "splits": splits or None,
    }
    if again is not None:
        _refuse(
            "--again",
            {**given, "backbone": None, "lossless": None, "masks": masks, "overrides": overrides, "threads": threads},
        )
        place["device"] = device  # that of the record, unless given
        _again(again, backbone, training or adapter, image, out, place, playable, overwrite)
        return
    config = _config(given, overrides or [])
    if prompt is not None:
        _refuse("--prompt", {name: given[name] for name in ("splits", "limit", "batch_size")})
        _one(config, prompt, image, masks, training or adapter, out, place, overwrite)
        return
    _refuse("--clips" if clips else "--prompts", {"image": image, "masks": masks})
    from interplay.generate.run import run, run_prompts

    place |= {"training": None if training is None else open_artifact(training, "training"), "adapter": adapter}
    if prompts is not None:
        print(run_prompts(config, prompts, out, overwrite=overwrite, **place).path)
        return
    from interplay.records.store.opening import open_clips

    assert clips is not None
    print(run(config, open_clips(clips), out, overwrite=overwrite, **place).path)


def _one(
    config: GenerateConfig,
    prompt: str,
    image: Path | None,
    masks: Path | None,
    adapter: Path | None,
    out: Path,
    place: dict[str, Any],
    overwrite: bool,
) -> None:
    from interplay.generate.made import check_name
    from interplay.generate.model import load

    check_name(out, overwrite=overwrite)
    model = load(
        config.backbone,
        adapter=adapter,
        dtype=config.dtype,
        tiling=config.tiling,
        text_to_video=config.text_to_video,
        **place,
    )
    made = model.generate(
        prompt,
        image=image,
        masks=masks,
        seed=config.seed,
        size=config.size,
        fps=config.fps,
        steps=config.steps,
        guidance_scale=config.guidance_scale,
        negative_prompt=config.negative_prompt,
        guidance=config.guidance.model_dump(),
    )
    made.save(out, lossless=config.lossless, overwrite=overwrite)
    print(out)


def _again(
    record: Path,
    backbone: str | None,
    adapter: Path | None,
    image: Path | None,
    out: Path,
    place: dict[str, Any],
    playable: bool,
    overwrite: bool,
) -> None:
    from interplay.generate.made import check_name
    from interplay.generate.reproduce import reproduce

    check_name(out, overwrite=overwrite)
    made = reproduce(record, backbone=backbone, adapter=adapter, image=image, **place)
    made.save(out, lossless=not playable, overwrite=overwrite)
    print(out)


def _backbone_of(training: Path) -> str:
    """The model that was trained."""
    return str(open_artifact(training, "training").manifest["config"]["backbone"])


def _refuse(source: str, options: dict[str, object]) -> None:
    """Options that mean nothing beside this source are no decoration."""
    for name, value in options.items():
        if value not in (None, []):
            option = {"splits": "--split", "guidance_scale": "--guidance", "overrides": "--set"}
            told = option.get(name, f"--{name.replace('_', '-')}")
            raise InputError(f"means nothing beside {source}", where=told, cure="leave it out")


def _one_of(sources: dict[str, object]) -> None:
    given = [name for name, value in sources.items() if value is not None]
    if len(given) != 1:
        problem = f"{' and '.join(given)} exclude each other" if given else "nothing says what to generate"
        raise InputError(problem, where="interplay generate", cure=f"give one of {_SOURCES}")


def _config(given: dict[str, object], overrides: list[str]) -> GenerateConfig:
    """The settings: named options first, then ``--set``."""
    from interplay.core.config import from_mapping
    from interplay.generate.config import GenerateConfig

    if given["backbone"] is None:
        raise InputError(
            "is missing", where="--backbone", cure="name the model that is to make the clips, or a training"
        )
    named = {name: value for name, value in given.items() if value is not None}
    return from_mapping(GenerateConfig, named, overrides, where="interplay generate")
