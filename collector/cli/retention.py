"""`sluicegate retention`: that what is stored goes when it is to go, by the buckets' own lifecycle rules."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from collector.cli.exits import CommandError
from collector.cli.words import counted

if TYPE_CHECKING:
    from exporters.lifecycle import Change, Lifecycle, Plan

app = typer.Typer(
    name="retention",
    help="Keep retention classes: as lifecycle rules of the buckets, beside those of others.",
    epilog="""\
Examples:

    $ sluicegate retention plan --config gate.yaml
    $ sluicegate retention apply --config gate.yaml
    $ sluicegate retention check --config gate.yaml  # ends with 1 if something is missing

Rules that sluicegate did not make stay as they are. Local stores, and buckets
with `lifecycle: sweep`, are swept by the gate itself and have no rules.
""",
    no_args_is_help=True,
)

ConfigFile: TypeAlias = Annotated[Path, typer.Option("--config", help="The gate's configuration file.")]
Exporter: TypeAlias = Annotated[str | None, typer.Option(help="Only this exporter's bucket.")]
Prune: TypeAlias = Annotated[
    bool, typer.Option("--prune", help="Remove our rules for classes that are not configured: what they stored stays.")
]

_SIGNS = {"add": "+", "change": "~", "remove": "-", "keep": "=", "covered": "=", "orphan": "?"}


@app.command(
    epilog="""\
Examples:

    $ sluicegate retention plan --config gate.yaml
    $ sluicegate retention plan --config gate.yaml --json  # for `aws s3api`, or for Terraform
"""
)
def plan(
    config: ConfigFile,
    exporter: Exporter = None,
    prune: Prune = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole lifecycle configuration as it would be.")
    ] = False,
) -> None:
    """Show what `apply` would change in the buckets' lifecycle rules; changes nothing."""
    with _buckets(config, exporter) as buckets:
        for bucket in buckets:
            planned = bucket.plan(prune=prune)
            if as_json:
                print(json.dumps({"Rules": planned.rules}, indent=2))
            else:
                _show(bucket, planned)


@app.command(
    epilog="""\
Examples:

    $ sluicegate retention apply --config gate.yaml
    $ sluicegate retention apply --config gate.yaml --yes
"""
)
def apply(
    config: ConfigFile,
    exporter: Exporter = None,
    prune: Prune = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Write what is missing into the buckets' lifecycle rules, and read it again."""
    with _buckets(config, exporter) as buckets:
        for bucket in buckets:
            planned = bucket.plan(prune=prune)
            _show(bucket, planned)
            if not planned.to_do:
                continue
            what = counted(len(planned.to_do), "rule")
            if not yes and not typer.confirm(f"Write {what} into bucket {bucket.options.bucket}?", err=True):
                raise CommandError("nothing was written")
            if left := bucket.apply(prune=prune).to_do:
                raise CommandError(f"{bucket.options.place}: still to do: {', '.join(each.prefix for each in left)}")
            print(f"{what} written")


@app.command(
    epilog="""\
Examples:

    $ sluicegate retention check --config gate.yaml || echo 'retention is not kept'
"""
)
def check(config: ConfigFile, exporter: Exporter = None) -> None:
    """Tell whether the buckets keep the retention classes; ends with 1 if one does not."""
    wrong = []
    with _buckets(config, exporter) as buckets:
        for bucket in buckets:
            problems = bucket.plan().problems
            wrong += [f"{bucket.options.place}: {problem}" for problem in problems]
            if not problems:
                print(f"{bucket.options.place}: keeps the retention classes")
    if wrong:
        raise CommandError("\n".join(wrong))


def _show(bucket: "Lifecycle", planned: "Plan") -> None:
    print(f"{bucket.options.place} ({bucket.name})")
    width = max(len(change.prefix) for change in planned.changes)
    for change in planned.changes:
        print(f"  {_SIGNS[change.kind]} {change.prefix:<{width}}  {_words(change)}")
    if planned.others:
        stay = "stays as it is" if planned.others == 1 else "stay as they are"
        print(f"    {counted(planned.others, 'rule')} of others {stay}")
    for conflict in planned.conflicts:
        print(f"  ! {conflict}")


def _words(change: "Change") -> str:
    match change.kind:
        case "change":
            return f"{change.after} (now: {change.before})"
        case "covered":
            return f"{change.after}: by rule {change.rule} of others"
        case "orphan":
            return f"{change.before}: no class of this configuration; --prune removes the rule"
        case "remove":
            return f"{change.before}: removed; what lies there stays"
        case _:
            return change.after


@contextmanager
def _buckets(path: Path, exporter: str | None) -> "Iterator[list[Lifecycle]]":
    from collector.config import load
    from exporters.exporter import ExportError
    from exporters.lifecycle import Lifecycle
    from exporters.s3_options import S3Options

    config = load(path)
    if exporter is not None and exporter not in config.exporters:
        known = ", ".join(config.exporters)
        raise typer.BadParameter(f"no exporter is called so; write one of {known}", param_hint="--exporter")
    found: list[Lifecycle] = []
    try:
        for name, options in config.exporters.items():
            if exporter in {None, name}:
                if isinstance(options, S3Options) and options.lifecycle != "sweep":
                    found.append(Lifecycle(name, options, config.retention.classes))
                else:
                    print(f"{name}: has no lifecycle rules")
        yield found
    except ExportError as error:
        raise CommandError(str(error)) from None
    finally:
        for each in found:
            each.close()
