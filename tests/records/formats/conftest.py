"""The drawn CoInteract and InterGenEval datasets, the damaged MATRIX dataset and the real samples."""

import pytest

from cointeract_fixtures import dataset, hoi_training_clip
from damaged_datasets import damaged_matrix
from intergeneval_fixtures import benchmark_folder

__all__ = ["benchmark_folder", "damaged_matrix", "dataset", "hoi_training_clip"]


@pytest.fixture(scope="session")
def samples(hoi_training_clip):
    """The folder of all real samples."""
    return hoi_training_clip.parent
