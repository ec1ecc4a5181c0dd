"""`sluicegate policy suggest`: what a policy leaves in real logs that looks personal, and rules that would find it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collector.cli.exits import CommandError

if TYPE_CHECKING:
    from collector.cli.terminal import Console
    from scrubbers.workbench.observation import Observation
    from scrubbers.workbench.proposal import Suggestion

EPILOG = """\
Examples:

    $ sluicegate policy suggest /var/log/app/*.log
    $ sluicegate policy suggest --policy policy.yaml --output more.yaml app.log
    $ kubectl logs deploy/shop | sluicegate policy suggest

It shows names of keys, counts, and of values a third at most, and never more
than four characters. Ctrl-C ends the reading and tells what was seen so far.
"""


def suggest(
    files: Annotated[list[Path] | None, typer.Argument(help="Logs to look at; none, or `-`: stdin.")] = None,
    policy: Annotated[Path | None, typer.Option(help="The policy in force, instead of the default policy.")] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the proposed rules there instead of showing them.")
    ] = None,
) -> None:
    """Look through real logs for what the policy leaves and looks personal, and propose rules for it."""
    from collector.cli.policy.logs import Logs
    from collector.cli.terminal import Console
    from scrubbers import Scrubber, load_policy
    from scrubbers.workbench.observation import Observation
    from scrubbers.workbench.proposal import as_yaml, suggestions

    loaded = load_policy(policy)
    scrubber = Scrubber(loaded)
    observed = Observation(loaded)
    logs = Logs(files, lambda body: scrubber.scrub(body).body)
    for _, body in logs:
        observed.add(body)
    found = suggestions(observed, loaded)
    console = Console()
    _show(observed, found, console)
    proposed = as_yaml(found, observed.records, "default" if policy is None else _path_from(output, policy))
    if output is not None:
        _write(output, proposed)
    elif found:
        console.print()
        console.print(proposed, end="")
    if logs.stopped is not None:
        raise typer.Exit(logs.stopped)
    if logs.failures:
        raise CommandError("\n".join(logs.failures))


def _path_from(output: Path | None, policy: Path) -> str:
    """How the proposal names the policy that it extends."""
    path = os.path.relpath(policy, output.parent if output else ".")
    return path if path.startswith(".") else f"./{path}"


def _show(observed: "Observation", found: list["Suggestion"], console: "Console") -> None:
    from rich.table import Table

    console.print(
        f"{observed.records:,} records, {observed.findings:,} findings of the policy, "
        f"{len(found):,} suggestions for what it leaves",
        style="bold",
    )
    if observed.crowded:
        console.print(
            f"{observed.crowded:,} values were not looked at: there are too many different keys", style="yellow"
        )
    if not found:
        return
    table = Table(
        "", "where", "written as", "values", "records", "masked", "why", "rule", box=None, padding=(0, 2, 0, 0)
    )
    table.columns[3].justify = table.columns[4].justify = "right"
    for one in found:
        notation, _ = one.place
        share = f"{one.records / max(1, observed.records):.1%}"
        mark = "likely" if one.likely else "possible"
        table.add_row(mark, one.path, notation.value, f"{one.values:,}", share, one.example, one.why, one.rule)
    console.print(table)


def _write(output: Path, proposed: str) -> None:
    try:
        output.write_text(proposed, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{output}: {error.strerror}") from None
