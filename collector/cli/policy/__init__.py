"""`sluicegate policy`: everything for the writer of a policy, one module a command."""

import typer

from collector.cli.policy import bench, describe, diff, explain, suggest, test

app = typer.Typer(
    name="policy",
    help="Write, test, explain, measure and compare scrubbing policies.",
    epilog="""\
Examples:

    $ sluicegate policy show > policy.yaml      # the default, to start from
    $ sluicegate policy check policy.yaml
    $ sluicegate policy explain 'user=jane@example.com from 203.0.113.9'
    $ sluicegate policy test policy.test.yaml
    $ sluicegate policy suggest app.log         # what it leaves that looks personal
    $ sluicegate policy diff policy.yaml new.yaml app.log
    $ sluicegate policy bench --policy policy.yaml app.log
""",
    no_args_is_help=True,
)

for name, command, epilog in (
    ("check", describe.check, describe.CHECK),
    ("show", describe.show, describe.SHOW),
    ("schema", describe.schema, describe.SCHEMA),
    ("explain", explain.explain, explain.EPILOG),
    ("diff", diff.diff, diff.EPILOG),
    ("suggest", suggest.suggest, suggest.EPILOG),
    ("test", test.run_cases, test.EPILOG),
    ("bench", bench.bench, bench.EPILOG),
):
    app.command(name, epilog=epilog)(command)
