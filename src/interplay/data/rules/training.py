"""What a model makes of a clip: whether its text encoder reads the whole caption, and which bucket takes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from interplay.core.errors import InputError
from interplay.data.codes import Finding, found
from interplay.grid.assignment import Assignment, Drop
from interplay.records.caption import parse_caption, token_spans
from interplay.records.clip import Clip

_FILE = "tokenizer.json"


class JsonTokenizer:
    """A ``tokenizer.json`` as :func:`interplay.records.caption.token_spans` wants it, without ``transformers``."""

    is_fast = True
    # Lengths are what is asked for, and padding changes none.
    pad_token_id = None

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer

        file = path / _FILE if path.is_dir() else path
        if not file.is_file():
            raise InputError("there is no such tokenizer", where=file, cure=f"name a {_FILE}, or the folder of one")
        try:
            text = file.read_text(encoding="utf-8")
            self._limited, self._whole = Tokenizer.from_str(text), Tokenizer.from_str(text)
        except Exception as error:  # the package raises nothing narrower
            raise InputError(f"is not a readable tokenizer ({error})", where=file, cure=f"name a {_FILE}") from error
        for tokenizer in (self._limited, self._whole):
            tokenizer.no_padding()
            tokenizer.no_truncation()

    def __call__(self, text: str, **options: Any) -> Mapping[str, Any]:
        """The tokens and their offsets, at most ``max_length`` of them where ``truncation`` is asked for."""
        tokenizer = self._whole
        if options["truncation"]:
            tokenizer = self._limited
            tokenizer.enable_truncation(options["max_length"])
        encoded = tokenizer.encode(text)
        return {"input_ids": encoded.ids, "offset_mapping": encoded.offsets}

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of some tokens."""
        return str(self._whole.decode(token_ids))

    def length(self, text: str) -> int:
        """Tokens of the whole text, special ones counted."""
        return len(self._whole.encode(text).ids)


def check_length(clip: Clip, tokenizer: JsonTokenizer, max_tokens: int) -> Iterator[Finding]:
    """The text encoder reads the whole caption; else which bound words it never sees."""
    try:
        caption = parse_caption(clip.caption)
    except InputError:
        return  # check_caption says so
    length = tokenizer.length(caption.text)
    if length > max_tokens:
        lost = token_spans(caption, tokenizer, max_tokens).lost
        problem = f"has {length} tokens, of which {max_tokens} are read" + (f"; {', '.join(lost)} lost" if lost else "")
        yield found("caption-long", clip.clip_id, "caption", problem)


def check_bucket(clip: Clip, decided: Assignment | Drop) -> Iterator[Finding]:
    """A bucket takes the clip."""
    if isinstance(decided, Drop):
        yield found("bucket-drop", clip.clip_id, "buckets", f"{decided.reason}: {decided.problem}", decided.cure)
