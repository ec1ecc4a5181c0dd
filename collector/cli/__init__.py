"""The command `sluicegate`: a module per subcommand, which imports what it needs when it runs: help is quick."""

from collector.cli.app import main

__all__ = ["main"]
