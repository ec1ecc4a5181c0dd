"""`sluicegate policy test`: cases (a line, and what must become of it) are tried on a policy."""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collector.cli.exits import CommandError, Exit

if TYPE_CHECKING:
    from collector.cli.terminal import Console
    from scrubbers import Scrubber
    from scrubbers.workbench.cases import CaseFile, Failure, Result

EPILOG = """\
Examples:

    $ sluicegate policy test shop.test.yaml     # tests the shop.yaml beside it
    $ sluicegate policy test --policy new.yaml cases/*.yaml
    $ sluicegate policy test --junit report.xml shop.test.yaml

A file names its policy by `policy: FILE`; without that NAME.test.yaml tests
NAME.yaml beside it, and else the default policy is tested. --policy wins over
both. The lines of a case that fails are shown as they stand in the file.
"""


def run_cases(
    files: Annotated[list[Path], typer.Argument(help="Files of cases.")],
    policy: Annotated[Path | None, typer.Option(help="Test this policy, whatever the files name.")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the results there, as JUnit XML.")] = None,
) -> None:
    """Try a policy on cases: lines, and what must become of them; end with 1 if any fails."""
    from collector.cli.terminal import Console
    from scrubbers.workbench.cases import run

    console = Console()
    results: list[tuple[Path, list[Result]]] = []
    for file, scrubber in _loaded(files, policy):
        results.append((file.path, list(run(file, scrubber))))
        _show(*results[-1], console)
    if junit is not None:
        _write(junit, results)
    ended = [bool(result.failures) for _, of_file in results for result in of_file]
    failed = sum(ended)
    console.print(f"{len(ended) - failed} passed, {failed} failed", style="bold red" if failed else "bold green")
    if failed:
        raise typer.Exit(Exit.FAILED)


def _loaded(files: list[Path], given: Path | None) -> Iterator[tuple["CaseFile", "Scrubber"]]:
    """The files with their scrubbers; first everything that is wrong in any of them is told."""
    from scrubbers import Scrubber, load_policy
    from scrubbers.workbench.cases import load_cases
    from settings import Problem, SettingsError

    problems: list[Problem] = []
    loaded: list[CaseFile] = []
    scrubbers: dict[Path | None, Scrubber] = {}
    for path in files:
        try:
            loaded.append(load_cases(path))
        except SettingsError as error:
            problems += error.problems
    for used in dict.fromkeys(given or file.policy for file in loaded):
        try:
            scrubbers[used] = Scrubber(load_policy(used))
        except SettingsError as error:
            problems += error.problems
    if problems:
        raise SettingsError(problems)
    return ((file, scrubbers[given or file.policy]) for file in loaded)


def _show(path: Path, results: Sequence["Result"], console: "Console") -> None:
    from rich.table import Table

    console.print(str(path), style="bold")
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 1))
    for result in results:
        mark, style = ("✗", "red") if result.failures else ("✓", "green")
        table.add_row(mark, f"{result.line}", result.name, style=style if result.failures else None)
    console.print(table)
    for result in results:
        for failure in result.failures:
            console.print(f"{path}:{result.line}: {result.name}: {failure.message}", style="red")
            for line in _details(failure):
                console.print(f"  {line}", style={"-": "red", "+": "green"}.get(line[:1]))


def _details(failure: "Failure") -> Iterator[str]:
    from collector.cli.diff import printable

    if failure.actual is None:
        return
    if failure.expected is None:
        yield f"+{printable(failure.actual.encode())}"
        return
    before, after = (printable(text.encode()).split("\n") for text in (failure.expected, failure.actual))
    yield from difflib.unified_diff(before, after, "expected", "actual", lineterm="")


def _write(junit: Path, results: list[tuple[Path, list["Result"]]]) -> None:
    from collector.cli.junit import TestCase, write

    suites = []
    for path, of_file in results:
        cases = []
        for result in of_file:
            messages = "; ".join(failure.message for failure in result.failures)
            details = "\n".join(line for failure in result.failures for line in _details(failure))
            failed = (messages, details) if result.failures else None
            cases.append(TestCase(result.name, str(path), result.line, result.seconds, failed))
        suites.append((str(path), cases))
    try:
        write(junit, suites)
    except OSError as error:
        raise CommandError(f"{junit}: {error.strerror}") from None
