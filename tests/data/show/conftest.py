from data_fixtures import make_located, one_video

__all__ = ["make_located", "one_video"]
