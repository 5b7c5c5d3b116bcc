"""The command line: one command per stage, and ``demo``, which runs them all. No logic lives here."""
