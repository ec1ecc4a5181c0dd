"""`sluicegate run`: the gate itself."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collector.cli.exits import CommandError
from collector.cli.words import counted

if TYPE_CHECKING:
    from collector.gate import Summary

EPILOG = """\
Examples:

    $ sluicegate run --config /etc/sluicegate/gate.yaml
    $ sluicegate run '/var/log/app/**/*.log'    # into a sealed local store
    $ sluicegate run --once app.log --store ./store
    $ app | sluicegate run -                    # stdin as the source

Without a config everything stands under $SLUICEGATE_HOME (for root
/var/lib/sluicegate, else ~/.local/state/sluicegate): the store, the spool,
and the key that the first start makes. Keep a copy of the key: without it
nothing can be read.
"""


def run(
    paths: Annotated[
        list[str] | None, typer.Argument(help="Files or globs to tail, or `-` for stdin; instead of --config.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="The configuration file; see `sluicegate config`.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Take in what is there now, ship it, and end.")] = False,
    store: Annotated[
        Path | None, typer.Option(help="The folder for sealed objects, instead of the default; without --config.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="A policy file instead of the default policy; without --config.")
    ] = None,
    allow_root: Annotated[
        bool, typer.Option("--allow-root", help="Run as root also where only the network is listened to.")
    ] = False,
) -> None:
    """Take telemetry in, scrub it, seal it and ship it, until told to stop (SIGTERM and Ctrl-C drain)."""
    from collector import config as configuration

    if config is not None:
        if paths or store or policy:
            raise typer.BadParameter("PATHS, --store and --policy stand in the configuration file; leave them out")
        loaded = configuration.load(config)
    elif paths:
        loaded = configuration.embedded(paths, store=store, policy=policy)
    else:
        raise typer.BadParameter("nothing to read: give --config FILE, or paths, or `-` for stdin")
    from collector import gate
    from collector.privileges import needless_root

    if not allow_root and (why := needless_root(loaded)):
        raise CommandError(why)
    if code := gate.run(loaded, once=once, report=_print if once else _nothing):
        raise typer.Exit(code)


def _nothing(_: "Summary") -> None:
    """A gate that runs on tells its figures by its metrics."""


def _print(summary: "Summary") -> None:
    from collector.cli.terminal import Console

    console = Console(sys.stderr)
    sent = counted(summary.objects, "object")
    if summary.requests:
        sent = (
            f"{sent} and {counted(summary.requests, 'request')}"
            if summary.objects
            else counted(summary.requests, "request")
        )
    console.print(
        f"{counted(summary.records, 'record')}, {counted(summary.bytes, 'byte')} in; "
        f"{sent}, {counted(summary.sent_bytes, 'byte')} out; "
        f"{summary.quarantined:,} quarantined, {summary.dropped:,} dropped"
    )
    if not summary.records:
        console.print("nothing new to read: no file matches, or all was read before")
    if summary.pending:
        console.print(f"{counted(summary.pending, 'segment')} still in the spool, for the next run to ship")
    if summary.quarantined:
        console.print("look at what is in quarantine with `sluicegate quarantine list`")
    for rule, count in sorted(summary.findings.items(), key=lambda item: (-item[1], item[0])):
        console.print(f"{count:>10,}  {rule}")
