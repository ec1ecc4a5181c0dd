"""Options and arguments that several commands have in common."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from collector.config import Config

ConfigFile: TypeAlias = Annotated[
    Path | None, typer.Option("--config", help="The gate's configuration file; none: the embedded default.")
]
Store: TypeAlias = Annotated[
    str | None, typer.Argument(help="A path, file:///path or s3://bucket/prefix; none: the embedded default's.")
]
Since: TypeAlias = Annotated[
    str | None, typer.Option(metavar="TIME", help="From this time on: how long ago (1h, 7d), or RFC 3339, UTC.")
]
Until: TypeAlias = Annotated[str | None, typer.Option(metavar="TIME", help="Before this time.")]
Signal: TypeAlias = Annotated[str | None, typer.Option(help="Only logs, traces or metrics.")]


def configured(path: Path | None) -> "Config":
    """What a ConfigFile says. Raises settings.SettingsError."""
    from collector.config import embedded, load

    return load(path) if path else embedded(["-"])
