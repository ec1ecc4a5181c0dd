"""`sluicegate scrub`: files or stdin → stdout, cleaned; what it did goes into a report."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collector.cli.blocks import Bodies, Stop, arriving, write
from collector.cli.exits import CommandError, Exit

if TYPE_CHECKING:
    from collector.cli.tally import Tally
    from scrubbers import Scrubber

EPILOG = """\
Examples:

    $ tail -f app.log | sluicegate scrub | less
    $ sluicegate scrub app.log --report report.json > clean.log
    $ sluicegate scrub --observe app.log        # tell what would be found
    $ sluicegate scrub --diff app.log           # before and after

With --report - the report goes to stderr, since stdout carries the data;
with --observe to stdout.
"""

MAX_LINE_BYTES = 1 << 20


def scrub(
    files: Annotated[list[Path] | None, typer.Argument(help="Files to read; none, or `-`: stdin.")] = None,
    policy: Annotated[Path | None, typer.Option(help="A policy file instead of the default policy.")] = None,
    report: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write a JSON report: counts by rule, never values.")
    ] = None,
    observe: Annotated[
        bool, typer.Option("--observe", help="Write no data, only the report; end with 1 if anything was found.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Show changed lines before and after, instead of the data. Shows raw values!")
    ] = False,
) -> None:
    """Clean files or a stream: personal data and secrets out, everything else byte for byte."""
    from collector.cli.tally import Tally
    from scrubbers import Scrubber, load_policy

    if observe and diff:
        raise typer.BadParameter("--observe shows no data and --diff shows it; give one of them")
    scrubber = Scrubber(load_policy(policy))
    tally = Tally(scrubber.fingerprint)
    emit = _nothing if observe else _diff() if diff else _data
    failures: list[str] = []
    with Stop() as stop:
        try:
            for file in files or [Path("-")]:
                _file(file, scrubber, tally, emit, stop, failures)
        finally:
            _report(tally, report, observe)
    if stop.signal is not None:
        raise typer.Exit(128 + stop.signal)
    if tally.withheld:
        were = "record was" if tally.withheld == 1 else "records were"
        failures.append(f"{tally.withheld:,} {were} withheld: the scrubber could not handle them")
    if failures:
        raise CommandError("\n".join(failures))
    if observe and tally.findings:
        raise typer.Exit(Exit.FAILED)


Emit = Callable[[bytes, bytes, frozenset[int]], None]
"""(body, scrubbed body, indices of records withheld)."""


def _data(_: bytes, scrubbed: bytes, __: frozenset[int]) -> None:
    write(1, scrubbed)


def _nothing(_: bytes, __: bytes, ___: frozenset[int]) -> None:
    pass


def _diff() -> Emit:
    from collector.cli.diff import Diff

    return Diff().show


def _file(file: Path, scrubber: "Scrubber", tally: "Tally", emit: Emit, stop: Stop, failures: list[str]) -> None:
    """Scrub one file; one that cannot be read does not keep the others from being scrubbed."""
    try:
        descriptor = 0 if str(file) == "-" else os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        failures.append(f"{file}: {error.strerror}")
        return
    try:
        _stream(descriptor, scrubber, tally, emit, stop)
    except BrokenPipeError:
        raise
    except OSError as error:
        failures.append(f"{file}: {error.strerror}")
    finally:
        if descriptor:
            os.close(descriptor)


def _stream(descriptor: int, scrubber: "Scrubber", tally: "Tally", emit: Emit, stop: Stop) -> None:
    from collector.sources.framing.cut import Cut

    bodies = Bodies(Cut(MAX_LINE_BYTES, lambda body: scrubber.scrub(body).body))

    def one(body: bytes) -> None:
        scrubbed = scrubber.scrub(body)
        tally.add(body, scrubbed)
        emit(body, scrubbed.body, frozenset(record.index for record in scrubbed.quarantined))

    for data in arriving(descriptor, stop):
        for body in bodies.take(data):
            one(body)
    if stop.signal is None:
        for body in bodies.end():
            one(body)
    tally.cut(bodies.withheld)


def _report(tally: "Tally", report: str | None, observe: bool) -> None:
    if report is None:
        if observe:
            tally.show(sys.stdout)
        return
    if report == "-":
        write(1 if observe else 2, tally.json())
        return
    try:
        Path(report).write_bytes(tally.json())
    except OSError as error:
        raise CommandError(f"the report cannot be written to {report}: {error.strerror}") from None
