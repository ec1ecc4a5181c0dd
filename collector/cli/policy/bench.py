"""`sluicegate policy bench`: what a policy costs, and which of its rules cost how much."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collector.cli.exits import CommandError

if TYPE_CHECKING:
    from collector.cli.policy.logs import Logs
    from collector.cli.terminal import Console
    from scrubbers.workbench.cost import Cost, Measured

EPILOG = """\
Examples:

    $ sluicegate policy bench                   # the default policy, on logs made for it
    $ sluicegate policy bench --policy policy.yaml /var/log/app/*.log

Without files the logs are generated: JSON records of which 2 % hold what the
detectors find, or one of the policy's keys. Of files as much is read as --size
says. It is CPU time on one core, the least of three rounds.
"""


def bench(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Logs to measure with; `-`: stdin; none: generated ones.")
    ] = None,
    policy: Annotated[
        str, typer.Option(metavar="FILE", help="The policy: a file, or the name of a preset.")
    ] = "default",
    size: Annotated[int, typer.Option(min=1, max=1024, metavar="MIB", help="How much is read or generated.")] = 16,
) -> None:
    """Measure what a policy costs: MB/s, the ratio to zstd level 1 in the same run, and each rule alone."""
    from collector.cli.policy.logs import Logs
    from collector.cli.terminal import Console
    from scrubbers import Scrubber, load_policy
    from scrubbers.policy_file import path_of
    from scrubbers.workbench.cost import costs, measure, rules
    from scrubbers.workbench.sample import sample

    loaded = load_policy(path_of(policy))
    failures: list[str] = []
    if files:
        scrubber = Scrubber(loaded)
        logs = Logs(files, lambda body: scrubber.scrub(body).body)
        blocks = _read(logs, size << 20)
        failures = logs.failures
        if logs.stopped is not None:
            raise typer.Exit(logs.stopped)
    else:
        blocks = list(_cut(sample(loaded, size << 20)))
    if not blocks:
        raise CommandError("\n".join([*failures, "there is nothing to measure with"]))
    console = Console()
    measured = measure(loaded, blocks)
    _show(measured, list(_waiting(costs(loaded, blocks), len(rules(loaded)))), console)
    if failures:
        raise CommandError("\n".join(failures))


def _read(logs: "Logs", size: int) -> list[bytes]:
    blocks: list[bytes] = []
    for _, body in logs:
        blocks.append(body)
        size -= len(body)
        if size <= 0:
            break
    return blocks


def _cut(data: bytes) -> Iterator[bytes]:
    """At line ends, into blocks as large as those that files are read in."""
    from collector.cli.blocks import BLOCK

    start = 0
    while start < len(data):
        end = data.rfind(b"\n", start, start + BLOCK) + 1
        yield data[start:end]
        start = end


def _waiting(of_rules: Iterable["Cost"], count: int) -> Iterator["Cost"]:
    """With a bar on stderr, if that is a terminal."""
    if not sys.stderr.isatty():
        yield from of_rules
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from collector.cli.terminal import Console

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("rules"))
    with Progress(*columns, console=Console(sys.stderr), transient=True) as progress:
        yield from progress.track(of_rules, total=count)


def _show(measured: "Measured", of_rules: list["Cost"], console: "Console") -> None:
    from rich.table import Table

    console.print(
        f"{measured.records:,} records, {measured.size / 1e6:,.1f} MB: {measured.rate:,.0f} MB/s, "
        f"{measured.ratio:.2f} of zstd level 1 ({measured.size / measured.zstd / 1e6:,.0f} MB/s)",
        style="bold",
    )
    console.print(f"{measured.deep / measured.records:.2%} of the records on the reference path")
    table = Table("alone", "findings", "µs a record", "of zstd's time", box=None, padding=(0, 2, 0, 0))
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("(no rules)", "", *_cost(measured.nothing, measured))
    for each in sorted(of_rules, key=lambda one: -one.seconds):
        table.add_row(each.rule, f"{each.findings:,}", *_cost(each.seconds, measured))
    console.print(table)


def _cost(seconds: float, measured: "Measured") -> tuple[str, str]:
    return f"{seconds / measured.records * 1e6:.3f}", f"{seconds / measured.zstd:.0%}"
