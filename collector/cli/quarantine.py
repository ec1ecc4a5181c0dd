"""`sluicegate quarantine`: the records that could not be scrubbed, kept encrypted on this node."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collector.cli.blocks import write
from collector.cli.exits import CommandError
from collector.cli.options import ConfigFile, configured
from collector.cli.words import counted

if TYPE_CHECKING:
    from collector.quarantine import Quarantine, Shown

app = typer.Typer(
    name="quarantine",
    help="Look at records that could not be scrubbed, and let them go.",
    epilog="""\
Examples:

    $ sluicegate quarantine list
    $ sluicegate quarantine release --all --yes
""",
    no_args_is_help=True,
)

EVERY = -1  # as a limit, in SQLite's words


@app.command(
    "list",
    epilog="""\
Examples:

    $ sluicegate quarantine list --config gate.yaml
""",
)
def list_(
    config: ConfigFile = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the oldest first.")] = 1000,
) -> None:
    """List the records: id, time, source, signal, reason, size; never contents."""
    from rich.table import Table

    from collector.cli.terminal import Console

    with _opened(config) as quarantine:
        entries = quarantine.list(limit)
    table = Table("id", "time", "source", "signal", "reason", "bytes", box=None, pad_edge=False, header_style="bold")
    for entry in entries:
        time = f"{datetime.fromtimestamp(entry.time / 1e9, UTC):%Y-%m-%dT%H:%M:%SZ}"
        table.add_row(entry.id, time, entry.source, entry.signal, entry.reason, f"{entry.bytes}")
    Console().print(table)


@app.command(
    epilog="""\
Examples:

    $ sluicegate quarantine show 5f1a…                # raw: personal data and all
"""
)
def show(
    record: Annotated[str, typer.Argument(metavar="ID", help="As `list` gives it.")], config: ConfigFile = None
) -> None:
    """Write one record to stdout as it came, unscrubbed; what came by OTLP as a line of OTLP/JSON."""
    with _opened(config) as quarantine:
        shown = quarantine.show(record)
    write(1, _request(shown) if shown.format == "otlp" else shown.content + b"\n")


def _request(shown: "Shown") -> bytes:
    """As a line of OTLP/JSON; one that is not even OTLP as it is."""
    from exporters.otlp_json import readable
    from exporters.requests import NotOtlp

    try:
        return readable(shown.signal, shown.content)
    except NotOtlp:
        return shown.content


@app.command(
    epilog="""\
Examples:

    $ sluicegate quarantine release 5f1a… 77c0…
    $ sluicegate quarantine release --all --yes
"""
)
def release(
    records: Annotated[list[str] | None, typer.Argument(metavar="ID", help="As `list` gives them.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="All there are.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigFile = None,
) -> None:
    """Delete records from the quarantine, once their contents were looked at or are not wanted."""
    if bool(records) == all_:
        raise typer.BadParameter("give the ids of records, or --all")
    with _opened(config) as quarantine:
        ids = records or [entry.id for entry in quarantine.list(EVERY)]
        if not yes and not typer.confirm(f"Delete {counted(len(ids), 'record')} for good?", err=True):
            raise CommandError("nothing was deleted")
        count = quarantine.release(ids)
    print(f"{counted(count, 'record')} deleted")
    if count < len(ids):
        missing = len(ids) - count
        raise CommandError(f"{missing:,} {'was' if missing == 1 else 'were'} not in quarantine")


@contextmanager
def _opened(path: Path | None) -> "Iterator[Quarantine]":
    from collector.quarantine import Quarantine, QuarantineError
    from collector.spool import SpoolError, SpoolRefused

    config = configured(path)
    try:
        quarantine = Quarantine.open(config.spool.directory, config.quarantine_key_file)
        try:
            yield quarantine
        finally:
            quarantine.close()
    except (QuarantineError, SpoolError, SpoolRefused) as error:
        raise CommandError(str(error)) from None
