from __future__ import annotations

from pathlib import Path

import pytest

from interplay.backbones.native import Native, read_native, write_native
from interplay.core.errors import InputError

RELEASED = Native(81, (480, 832), 512)


def test_what_is_written_is_read_and_nothing_written_is_the_default(tmp_path: Path) -> None:
    assert read_native(tmp_path, RELEASED) == RELEASED
    write_native(tmp_path, Native(17, (48, 80), 24))
    assert read_native(tmp_path, RELEASED) == Native(17, (48, 80), 24)


@pytest.mark.parametrize("text", ['{"num_frames": 17}', '{"num_frames": 17, "size_hw": 48, "text_length": 24}', "[]"])
def test_a_broken_note_is_an_input_error_that_names_the_fields(tmp_path: Path, text: str) -> None:
    (tmp_path / "interplay.json").write_text(text)
    with pytest.raises(InputError, match="num_frames, size_hw"):
        read_native(tmp_path, RELEASED)
