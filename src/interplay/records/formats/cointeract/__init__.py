"""CoInteract's training table and its two inference tables."""
