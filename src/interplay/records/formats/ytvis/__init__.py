"""YouTube-VIS JSON, and COCO-style JSON of videos."""
