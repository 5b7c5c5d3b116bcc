"""JSON that a language model or a hurried script wrote: inside a code fence, or a list wrapped in an object.

What comes out can be written again as UTF-8 and JSON; what cannot (half characters, NUL bytes, infinite numbers) is
an error here and not at the far end of a conversion.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from interplay.core.errors import InputError
from interplay.records.formats.common.paths import check_regular
from interplay.records.formats.common.tables import parse_json

_FENCE = re.compile(r"```[A-Za-z]*[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL)


def read_loose_json(path: Path) -> Any:
    """The value in a file; :class:`InputError` about the file when there is none that could be written again."""
    check_regular(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=path, cure="check the path") from error
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 text ({error})", where=path, cure="save it as UTF-8") from error
    value = parse_json(_unfenced(text), str(path))
    _check_fit(value, path)
    return value


def unwrapped(value: Any) -> Any:
    """The list that is the only one among an object's values; anything else as it is."""
    if not isinstance(value, dict):
        return value
    lists = [inner for inner in value.values() if isinstance(inner, list)]
    return lists[0] if len(lists) == 1 else value


def _unfenced(text: str) -> str:
    fence = None if text.lstrip()[:1] in ("{", "[") else _FENCE.search(text)
    return text if fence is None else fence.group(1)


def _check_fit(value: Any, path: Path) -> None:
    try:
        written = json.dumps(value, ensure_ascii=False, allow_nan=False)
        written.encode("utf-8")
    except (ValueError, RecursionError) as error:  # half a surrogate pair is a ValueError of the codec, too
        told = f"holds what cannot be written as JSON ({type(error).__name__})"
        raise InputError(told, where=path, cure="remove half characters and infinite numbers") from error
    if "\\u0000" in written:
        raise InputError("holds a NUL byte", where=path, cure="remove it")
