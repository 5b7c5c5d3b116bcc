from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError, field_validator

from interplay.core.config import Config, digest, dump_recipe, load_recipe
from interplay.core.errors import InputError


class Matrix(Config):
    """A method with numbers."""

    kind: Literal["matrix"] = "matrix"
    lambda_sga: float = 0.01
    v2t_layers: tuple[int, ...] = (7, 11)


class Tavid(Config):
    """Another method, with other keys."""

    kind: Literal["tavid"] = "tavid"
    blocks: tuple[int, int] = (5, 23)


class Train(Config):
    """A group below the top."""

    steps: int
    learning_rate: float = 1e-4

    @field_validator("steps")
    @classmethod
    def _some(cls, steps: int) -> int:
        if steps < 1:
            raise ValueError("At least one step is needed.")
        return steps


class Recipe(Config):
    """All shapes a recipe can have."""

    name: str
    train: Train
    methods: tuple[Annotated[Matrix | Tavid, Field(discriminator="kind")], ...] = ()
    by_split: dict[str, Train] = Field(default_factory=dict)
    warmup: int | None = 10


GOOD = "name: small\ntrain:\n  steps: 100\n"


def recipe(folder: Path, text: str = GOOD) -> Path:
    path = folder / "r.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def complaint(path: Path, *overrides: str) -> str:
    with pytest.raises(InputError) as caught:
        load_recipe(path, Recipe, overrides)
    return str(caught.value)


def test_a_recipe_reads_with_its_defaults(tmp_path: Path) -> None:
    assert load_recipe(recipe(tmp_path), Recipe) == Recipe(name="small", train=Train(steps=100))


def test_a_config_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Train(steps=1).steps = 2  # type: ignore[misc]


def test_a_dumped_recipe_reads_back_equal(tmp_path: Path) -> None:
    # The names are those that one YAML version or the other would read as something else than text.
    for name in (
        "no",
        "1e-4",
        "16:9",
        "2024-01-01",
        "010",
        "null",
        "",
        "a: b",
        "zwölf",
        "12",
        "true",
        "~",
        ".5",
        "0x1f",
    ):
        config = Recipe(name=name, train=Train(steps=3, learning_rate=1e-5), methods=(Matrix(), Tavid()), warmup=None)
        dump_recipe(config, tmp_path / "out.yaml")
        assert load_recipe(tmp_path / "out.yaml", Recipe) == config


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-4", 1e-4), ("5E3", 5000.0), ("-.5", -0.5), ("+2.", 2.0), ("7", 7.0), (".inf", float("inf"))],
)
def test_numbers_are_written_in_any_usual_way(tmp_path: Path, text: str, value: float) -> None:
    loaded = load_recipe(recipe(tmp_path), Recipe, [f"train.learning_rate={text}"])
    assert loaded.train.learning_rate == value


def test_overrides_take_the_types_of_their_fields_and_the_last_one_wins(tmp_path: Path) -> None:
    overrides = [
        "name=12",
        "train.steps=7",
        "train.steps=8",
        "warmup=null",
        "methods=[{kind: matrix, v2t_layers: [1, 2]}]",
    ]
    loaded = load_recipe(recipe(tmp_path), Recipe, overrides)
    assert loaded == Recipe(name="12", train=Train(steps=8), methods=(Matrix(v2t_layers=(1, 2)),), warmup=None)


def test_an_override_may_open_a_group(tmp_path: Path) -> None:
    loaded = load_recipe(recipe(tmp_path, "name: x\ntrain:\n"), Recipe, ["train.steps=3", "by_split.val.steps=5"])
    assert loaded == Recipe(name="x", train=Train(steps=3), by_split={"val": Train(steps=5)})


def test_an_unknown_key_gets_the_nearest_valid_one(tmp_path: Path) -> None:
    path = recipe(tmp_path, GOOD + "  learnign_rate: 1\n")
    assert complaint(path) == (
        f'{path}: unknown key "train.learnign_rate"; '
        'did you mean "learning_rate"? (valid keys here: learning_rate, steps)'
    )


def test_an_unknown_key_far_from_all_gets_the_list(tmp_path: Path) -> None:
    path = recipe(tmp_path, GOOD + "zzz: 1\n")
    assert complaint(path).endswith("; valid keys here: by_split, methods, name, train, warmup")


def test_an_unknown_key_inside_a_union_in_a_list_is_placed_as_in_the_file(tmp_path: Path) -> None:
    path = recipe(tmp_path, GOOD + "methods:\n  - kind: matrix\n    lamda_sga: 1\n")
    assert complaint(path).startswith(f'{path}: unknown key "methods.0.lamda_sga"; did you mean "lambda_sga"?')


def test_an_unknown_key_inside_a_mapping_is_placed_as_in_the_file(tmp_path: Path) -> None:
    path = recipe(tmp_path, GOOD + "by_split:\n  val: {steps: 1, step: 2}\n")
    assert complaint(path).startswith(f'{path}: unknown key "by_split.val.step"; did you mean "steps"?')


def test_an_unknown_key_in_an_override_names_the_override(tmp_path: Path) -> None:
    assert complaint(recipe(tmp_path), "train.step=3").startswith(
        '--set train.step=3: unknown key "train.step"; did you'
    )


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    path = recipe(tmp_path, "name: x\ntrain: {}\n")
    assert complaint(path) == f'{path}: the required key "train.steps" is missing; add it'


def test_a_wrong_value_is_shown_and_the_others_counted(tmp_path: Path) -> None:
    path = recipe(tmp_path, "name: x\ntrain: {steps: many, learning_rate: fast}\n")
    assert complaint(path).startswith(f'{path}: key "train.steps" is "many": input should be a valid integer')
    assert "(and 1 more); correct the value" in complaint(path)


def test_the_words_of_a_validator_reach_the_user(tmp_path: Path) -> None:
    text = complaint(recipe(tmp_path), "train.steps=0")
    assert text == '--set train.steps=0: key "train.steps" is 0: at least one step is needed; correct the value'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name: [", "is not valid YAML"),
        ("name: a\nname: b\n", 'the key "name" occurs twice'),
        ("1: a\n", "the key 1 is not text"),
        ("- a\n", "holds a list"),
        ("!!python/object/apply:os.getcwd []\n", "is not valid YAML"),
        ("", 'the required key "name" is missing'),
    ],
)
def test_what_is_no_recipe_is_refused_in_one_line(tmp_path: Path, text: str, problem: str) -> None:
    path = recipe(tmp_path, text)
    assert complaint(path).startswith(f"{path}: ")
    assert problem in complaint(path)
    assert "\n" not in complaint(path)


def test_an_absent_recipe_is_named(tmp_path: Path) -> None:
    assert complaint(tmp_path / "none.yaml") == f"{tmp_path}/none.yaml: there is no such recipe; check the path"
    assert "is a folder" in complaint(tmp_path)


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("train.steps", "is not of the form key=value"),
        ("=3", "is not of the form key=value"),
        ("train..steps=3", "is not of the form key=value"),
        ("name.first=a", "name is a value, not a group of keys"),
        ("name=a: b: c", "the value is not valid YAML"),
    ],
)
def test_a_malformed_override_is_refused_in_one_line(tmp_path: Path, override: str, problem: str) -> None:
    assert complaint(recipe(tmp_path), override).startswith(f"--set {override}: {problem}")


def test_a_digest_depends_on_content_only() -> None:
    train = Train(steps=1)
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": (1, 2), "a": 1})
    assert digest([train]) == digest([train.model_dump(mode="json")])
    assert digest(train) != digest(Train(steps=2))
    assert digest({"a": 1}) == "015abd7f5cc57a2d"


def test_a_digest_refuses_what_has_no_canonical_form() -> None:
    with pytest.raises(TypeError, match="neither a config nor JSON-able"):
        digest({"a": object()})
    with pytest.raises(ValueError, match="Out of range"):
        digest({"a": float("nan")})
