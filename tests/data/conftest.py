from damaged_datasets import damaged_matrix
from data_fixtures import make_located, one_video

__all__ = ["damaged_matrix", "make_located", "one_video"]
