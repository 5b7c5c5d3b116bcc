"""The stage that turns real media into clips with instance tracks: ``curate.run(config, source, out)``."""
