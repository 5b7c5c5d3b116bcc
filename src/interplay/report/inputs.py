"""The artifacts of a report. Each may be missing; none may be the wrong one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from interplay.core.artifacts import Artifact
from interplay.core.errors import InputError

KINDS: Mapping[str, str] = {
    "clips": "clips",
    "base_generation": "generation",
    "base_evaluation": "evaluation",
    "analysis": "analysis",
    "training": "training",
    "aligned_generation": "generation",
    "aligned_evaluation": "evaluation",
}


@dataclass(frozen=True)
class ReportInputs:
    """What the earlier stages made; ``None`` where a stage was not run."""

    clips: Artifact | None = None
    base_generation: Artifact | None = None
    base_evaluation: Artifact | None = None
    analysis: Artifact | None = None
    training: Artifact | None = None
    aligned_generation: Artifact | None = None
    aligned_evaluation: Artifact | None = None

    def given(self) -> dict[str, Artifact]:
        """The artifacts that are there, by name, in the order of the story."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: artifact for name, artifact in named.items() if artifact is not None}

    def check(self) -> None:
        """:class:`InputError` for an artifact of another kind, and for scores that belong to other videos."""
        for name, artifact in self.given().items():
            if artifact.kind != KINDS[name]:
                problem = f'is an artifact of the kind "{artifact.kind}"'
                raise InputError(problem, where=artifact.path, cure=f'give one of the kind "{KINDS[name]}" as {name}')
        _check_pair("base", self.base_generation, self.base_evaluation)
        _check_pair("aligned", self.aligned_generation, self.aligned_evaluation)


def _check_pair(model: str, generation: Artifact | None, evaluation: Artifact | None) -> None:
    if generation is None or evaluation is None:
        return
    made_from = {entry["identity"] for entry in evaluation.manifest["inputs"].values()}
    if generation.identity not in made_from:
        problem = f"does not hold the scores of {generation.path}"
        cure = f"give the evaluation of exactly these videos as {model}_evaluation"
        raise InputError(problem, where=evaluation.path, cure=cure)
