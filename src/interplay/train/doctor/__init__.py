"""What a recipe will need of a machine, found out before it runs: no weights, no pixels, no accelerator."""
