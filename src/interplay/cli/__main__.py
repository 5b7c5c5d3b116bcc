"""The command as a module, as launchers of several processes start it: ``accelerate launch -m interplay.cli``."""

from interplay.cli.main import main

main()
