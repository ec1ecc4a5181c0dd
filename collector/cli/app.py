"""The command's root: what all subcommands share."""

import os
import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from collector.cli import (
    config,
    keys,
    ls,
    policy,
    pseudonym,
    quarantine,
    read,
    retention,
    retry,
    reveal,
    run,
    scrub,
    status,
)
from collector.cli.exits import Exit, told, unforeseen

EPILOG = """\
Examples:

    $ app | sluicegate scrub                    # clean a stream as it passes
    $ sluicegate run '/var/log/app/*.log'       # scrub, seal and store
    $ sluicegate read --since 1h                # what is stored
    $ sluicegate config check gate.yaml         # every mistake, with its line
"""


class _Group(TyperGroup):
    """Gives every subcommand the same endings."""

    def invoke(self, ctx: Any) -> Any:
        with told():
            return super().invoke(ctx)


app = typer.Typer(
    name="sluicegate",
    help="Telemetry goes through the gate; personal data and secrets do not.",
    epilog=EPILOG,
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a traceback may quote records
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (run, scrub, read, ls, status, retry, reveal, pseudonym):
    app.command(epilog=module.EPILOG)(getattr(module, module.__name__.rpartition(".")[2]))
for module in (config, keys, policy, quarantine, retention):
    app.add_typer(module.app)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"sluicegate {version('sluicegate')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """The entry point of the `sluicegate` command."""
    try:
        app()
    except Exception as error:
        print(unforeseen(error), file=sys.stderr)
        code: int | str | None = Exit.BUG
    except SystemExit as ending:
        code = ending.code
    else:
        code = Exit.OK
    _close_output()
    sys.exit(code)


def _close_output() -> None:
    """Flush now, where a reader that went away is no surprise, and not when the interpreter ends."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
