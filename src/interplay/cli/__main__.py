"""The command as a module, which is what launchers of several processes start: ``accelerate launch -m interplay.cli``."""

from interplay.cli.main import main

main()
