"""The drawn CoInteract dataset and the real one."""

from cointeract_fixtures import dataset, hoi_training_clip

__all__ = ["dataset", "hoi_training_clip"]
