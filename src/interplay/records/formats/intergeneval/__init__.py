"""InterGenEval's folders: meta, first frames, masks, tracks, questions, generated videos."""
