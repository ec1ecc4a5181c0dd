"""`sluicegate retry`: let a destination have once more what it has refused for good."""

from contextlib import closing
from typing import Annotated

import typer

from collector.cli.exits import CommandError
from collector.cli.options import ConfigFile, configured
from collector.cli.words import counted

EPILOG = """\
Examples:

    $ sluicegate status                         # what was rejected, by destination
    $ sluicegate retry otel --config gate.yaml  # once its server takes it

It works while the gate runs, and while it does not: then it is sent after the next start. A
destination that gets data as it comes is sent all that came behind the first refused record
in the same segment again.
"""


def retry(
    exporter: Annotated[str, typer.Argument(metavar="EXPORTER", help="Its name in the configuration.")],
    config: ConfigFile = None,
) -> None:
    """Let an exporter try again what its destination has refused for good."""
    from collector.spool import Ledger, SpoolError, SpoolRefused, put_back

    loaded = configured(config)
    if exporter not in loaded.exporters:
        raise CommandError(f"{exporter} is not an exporter; there are {', '.join(loaded.exporters)}")
    try:
        with closing(Ledger.open(loaded.spool.directory)) as ledger:
            segments = put_back(ledger, exporter)
    except (SpoolError, SpoolRefused) as error:
        raise CommandError(str(error)) from None
    print(f"{counted(segments, 'segment')} put back")
