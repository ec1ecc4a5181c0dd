"""`sluicegate policy explain`: what a policy finds in a line, what becomes of it, what it nearly found."""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.text import Text

    from collector.cli.terminal import Console
    from scrubbers.engine import Explained
    from scrubbers.workbench.why import Inquiry

EPILOG = """\
Examples:

    $ sluicegate policy explain 'user=jane@example.com from 203.0.113.9'
    $ sluicegate policy explain --why payment_card 'order 4111111111111112'
    $ head -3 app.log | sluicegate policy explain --policy policy.yaml -

A line on the command line is yours and is shown; of lines from stdin only the
shape of what is found is.
"""

MAX_LINE_BYTES = 1 << 20


def explain(
    lines: Annotated[
        list[str] | None, typer.Argument(help="Lines to explain; none, or `-`: the lines of stdin.")
    ] = None,
    policy: Annotated[
        str, typer.Option(metavar="FILE", help="The policy: a file, or the name of a preset.")
    ] = "default",
    why: Annotated[
        list[str] | None,
        typer.Option(metavar="RULE", help="Tell all about this rule: a detector, or a key. May be repeated."),
    ] = None,
    signal: Annotated[str, typer.Option(help="The signal that the lines are said to be of.")] = "logs",
    source: Annotated[str | None, typer.Option(help="The source that they are said to come from.")] = None,
    resource: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="An attribute of their resource. May be repeated.")
    ] = None,
) -> None:
    """Show what is found in a line, by which rule and tier; what becomes of it; what was nearly found, and why not."""
    from collector.cli.terminal import Console
    from scrubbers import load_policy
    from scrubbers.policy_file import path_of
    from scrubbers.workbench.why import Inquiry, Origin

    attributes = None if resource is None else tuple(map(_attribute, resource))
    inquiry = Inquiry(load_policy(path_of(policy)), Origin(signal, source, attributes))
    console = Console()
    number = 0
    for given in lines or ["-"]:
        shown = given != "-"
        for line in [given.encode(errors="surrogateescape")] if shown else _stdin():
            number += 1
            _explain(number, line, inquiry, why or (), console, shown=shown)


def _attribute(given: str) -> tuple[str, str]:
    name, sign, value = given.partition("=")
    if not sign:
        raise typer.BadParameter(f"--resource {given}: write NAME=VALUE")
    return name, value


def _stdin() -> Iterator[bytes]:
    while line := sys.stdin.buffer.readline(MAX_LINE_BYTES):
        yield line.removesuffix(b"\n")


def _explain(
    number: int, line: bytes, inquiry: "Inquiry", why: Sequence[str], console: "Console", *, shown: bool
) -> None:
    from rich.table import Table

    found = inquiry.findings(line)
    scrubbed = inquiry.scrub(line)
    console.print(f"line {number}, {len(line)} bytes: {len(found)} finding{'s' * (len(found) != 1)}", style="bold")
    if scrubbed.quarantined:
        console.print(f"  the record is withheld: {scrubbed.quarantined[0].reason}", style="yellow")
    elif shown:
        console.print(_marked("- ", line, [each for each, _ in found]))
        console.print(_plain("+ ", scrubbed.body))
    if found:
        value = "value" if shown else "shape of the value"
        table = Table("rule", "action", "confidence", "tier", "bytes", value, "becomes", box=None, padding=(0, 2, 0, 2))
        for each, confidence in found:
            text = line[each.start : each.end]
            becomes = each.replacement.decode(errors="backslashreplace") or "(removed)"
            if each.action == "observe":
                becomes = "(stays)"
            elif not shown and each.action in ("mask", "truncate"):
                becomes = "(a part of it stays)"
            table.add_row(
                each.rule, each.action, confidence or "–", f"{each.tier}", f"{each.start}–{each.end}",
                _printable(text) if shown else shape(text),
                becomes,
            )  # fmt: skip
        console.print(table)
    misses = [miss for name in why for miss in inquiry.why(line, name)] if why else inquiry.near_misses(line)
    if not misses:
        return
    console.print("  about it:" if why else "  not found:")
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 2))
    for miss in misses:
        span = "" if miss.start is None or miss.end is None else f"{miss.start}–{miss.end}"
        text = line[miss.start : miss.end] if span else b""
        table.add_row(miss.rule, span, _printable(text) if shown else shape(text), miss.why)
    console.print(table)


def _marked(head: str, line: bytes, found: Sequence["Explained"]) -> "Text":
    """The line with what is found in it in red."""
    from rich.text import Text

    text, reached = Text(head), 0
    for each in sorted(found, key=lambda one: one.start):
        if each.start >= reached:
            text.append(_printable(line[reached : each.start]))
            text.append(_printable(line[each.start : each.end]), style="bold red")
            reached = each.end
    return text.append(_printable(line[reached:]))


def _plain(head: str, line: bytes) -> "Text":
    from rich.text import Text

    return Text(head + _printable(line))


def _printable(text: bytes) -> str:
    from collector.cli.diff import printable

    return printable(text)


def shape(value: bytes) -> str:
    """What the value looks like, without what it says: letters as `x`, digits as `9`, at most 40 of them."""
    text = value.decode(errors="replace")
    shown = "".join("9" if c.isdigit() else "x" if c.isalpha() or not c.isprintable() else c for c in text[:40])
    return shown + ("…" if len(text) > 40 else "")
