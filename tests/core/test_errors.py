from __future__ import annotations

import pickle
from pathlib import Path

from interplay.core.errors import InputError, InterplayError


def test_the_text_is_one_line_that_names_place_problem_and_cure() -> None:
    error = InputError("holds\n  no clip", where=Path("a/b.csv"), cure="add a row")
    assert str(error) == "a/b.csv: holds no clip; add a row"


def test_exit_codes_tell_the_user_from_us() -> None:
    assert InterplayError.exit_code == 1
    assert InputError("p", where="w", cure="c").exit_code == 2


def test_an_input_error_survives_a_process_border() -> None:
    copy = pickle.loads(pickle.dumps(InputError("p", where="w", cure="c")))  # noqa: S301
    assert (str(copy), copy.problem, copy.where, copy.cure) == ("w: p; c", "p", "w", "c")
