"""What a caption is once its markup is read: plain text, and the characters that each label is bound to."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Nine digits: still a number for every reader and a file name on every disk.
ID_PATTERN, VERB_PATTERN = r"id[1-9][0-9]{0,8}", r"verb[0-9]{0,9}"
_LABEL = re.compile(f"{ID_PATTERN}|{VERB_PATTERN}")


@dataclass(frozen=True)
class Span:
    """Characters ``start:end`` of a plain text, and the label (``id1``, ``verb``, ``verb2``) they are bound to."""

    label: str
    start: int
    end: int


@dataclass(frozen=True)
class Caption:
    """Plain text and its bound spans, in order of start, end and label. A label may occur several times."""

    text: str
    spans: tuple[Span, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label once, in order of first appearance."""
        return tuple(dict.fromkeys(span.label for span in self.spans))

    @property
    def instance_ids(self) -> tuple[str, ...]:
        """The labels that name instances."""
        return tuple(label for label in self.labels if is_instance_id(label))

    @property
    def verb_labels(self) -> tuple[str, ...]:
        """The labels that name verbs."""
        return tuple(label for label in self.labels if not is_instance_id(label))

    def words(self, label: str) -> tuple[str, ...]:
        """The texts that are bound to ``label``, one per occurrence."""
        return tuple(self.text[span.start : span.end] for span in self.spans if span.label == label)


def is_label(name: str) -> bool:
    """Whether ``name`` can stand in a marker: ``id1``, ``id2``, ... or ``verb``, ``verb1``, ..."""
    return _LABEL.fullmatch(name) is not None


def is_instance_id(label: str) -> bool:
    """Whether a label names an instance (``id1``) and not a verb."""
    return label.startswith("id")
