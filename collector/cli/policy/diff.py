"""`sluicegate policy diff`: what a second policy changes on the same logs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collector.cli.exits import CommandError, Exit

if TYPE_CHECKING:
    from collector.cli.terminal import Console
    from scrubbers.workbench.comparison import Comparison

EPILOG = """\
Examples:

    $ sluicegate policy diff policy.yaml new.yaml /var/log/app/*.log
    $ sluicegate policy diff default gdpr app.log   # presets have names
    $ kubectl logs deploy/shop | sluicegate policy diff policy.yaml new.yaml

Ends as diff does: 0 nothing changes, 1 something does, 2 a file could not be
read. Of a value a third at most is shown, and never more than four characters.
"""


def diff(
    old: Annotated[str, typer.Argument(help="The policy in force: a file, or the name of a preset.")],
    new: Annotated[str, typer.Argument(help="The policy that is to take its place.")],
    files: Annotated[list[Path] | None, typer.Argument(help="Logs to try both on; none, or `-`: stdin.")] = None,
) -> None:
    """Scrub the same logs by two policies, and tell what the second one changes."""
    from collector.cli.policy.logs import Logs
    from collector.cli.terminal import Console
    from scrubbers import load_policy
    from scrubbers.policy_file import path_of
    from scrubbers.workbench.comparison import Comparison, in_force

    policies = load_policy(path_of(old)), load_policy(path_of(new))
    scrubber = in_force(policies[0])
    compared = Comparison(scrubber, in_force(policies[1]))
    logs = Logs(files, lambda body: scrubber.scrub(body).body)
    for file, body in logs:
        compared.add(file, body)
    console = Console()
    _show(compared, console)
    modes = [policy.mode for policy in policies]
    if modes[0] != modes[1]:
        console.print(f"mode: {modes[0]} → {modes[1]}; above both are taken as if they were in force", style="yellow")
    if logs.stopped is not None:
        raise typer.Exit(logs.stopped)
    if logs.failures:
        raise CommandError("\n".join(logs.failures), Exit.USAGE)
    if compared.differing or compared.counts[0] != compared.counts[1] or modes[0] != modes[1]:
        raise typer.Exit(Exit.FAILED)


def _show(compared: "Comparison", console: "Console") -> None:
    from rich.table import Table

    console.print(f"{compared.records:,} records, {compared.differing:,} become something else", style="bold")
    old, new = compared.counts
    rules = sorted(rule for rule in old.keys() | new.keys() if old[rule] != new[rule])
    if rules:
        table = Table("rule", "action", "old", "new", "", box=None, padding=(0, 2, 0, 0))
        for column in table.columns[2:]:
            column.justify = "right"
        for rule in rules:
            table.add_row(*rule, f"{old[rule]:,}", f"{new[rule]:,}", f"{new[rule] - old[rule]:+,}")
        console.print(table)
    if compared.withheld[0] != compared.withheld[1]:
        console.print("withheld records: {:,} → {:,}".format(*compared.withheld), style="yellow")
    if compared.changes:
        table = Table("what changes", "records", "masked", "first at", box=None, padding=(0, 2, 0, 0))
        table.columns[1].justify = "right"
        for change, seen in sorted(compared.changes.items(), key=lambda each: -each[1].records):
            table.add_row(str(change), f"{seen.records:,}", seen.example, f"{seen.file}:{seen.line}")
        console.print()
        console.print(table)
