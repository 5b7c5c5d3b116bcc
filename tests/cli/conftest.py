from tiny_fixtures import backbone_folder, clips

__all__ = ["backbone_folder", "clips"]
