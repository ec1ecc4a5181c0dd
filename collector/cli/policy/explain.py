"""`sluicegate policy explain`: which rule found which bytes of a line, by which tier, and what becomes of them."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collector.cli.words import counted

if TYPE_CHECKING:
    from collector.cli.terminal import Console
    from scrubbers import Scrubber

EPILOG = """\
Examples:

    $ sluicegate policy explain 'user=jane@example.com from 203.0.113.9'
    $ head -3 app.log | sluicegate policy explain --policy policy.yaml
"""

MAX_LINE_BYTES = 1 << 20


def explain(
    lines: Annotated[list[str] | None, typer.Argument(help="Lines to explain; none: the lines of stdin.")] = None,
    policy: Annotated[Path | None, typer.Option(help="A policy file instead of the default policy.")] = None,
) -> None:
    """Show, for each line, which rule found which bytes, by which tier, and what becomes of them; values are masked."""
    from collector.cli.terminal import Console
    from scrubbers import Scrubber, load_policy

    scrubber = Scrubber(load_policy(policy))
    console = Console()
    given = (line.encode(errors="surrogateescape") for line in lines) if lines else _stdin()
    for number, line in enumerate(given, 1):
        _explain(number, line, scrubber, console)


def _stdin() -> Iterator[bytes]:
    while line := sys.stdin.buffer.readline(MAX_LINE_BYTES):
        yield line.removesuffix(b"\n")


def _explain(number: int, line: bytes, scrubber: "Scrubber", console: "Console") -> None:
    from rich.table import Table

    found = scrubber.explain(line)
    console.print(f"line {number}, {counted(len(line), 'byte')}: {counted(len(found), 'finding')}", style="bold")
    if not found:
        return
    table = Table("rule", "action", "bytes", "tier", "shape of the value", "becomes", box=None, padding=(0, 2, 0, 2))
    for one in found:
        becomes = one.replacement.decode(errors="backslashreplace") or "(removed)"
        span = f"{one.start}–{one.end}"
        table.add_row(one.rule, one.action, span, str(one.tier), shape(line[one.start : one.end]), becomes)
    console.print(table)


def shape(value: bytes) -> str:
    """What the value looks like, without what it says: letters as `x`, digits as `9`, at most 40 of them."""
    text = value.decode(errors="replace")
    shown = "".join("9" if c.isdigit() else "x" if c.isalpha() or not c.isprintable() else c for c in text[:40])
    return shown + ("…" if len(text) > 40 else "")
