"""Analysis: how much of a model's attention falls inside instance masks, and which layers carry the interactions."""
