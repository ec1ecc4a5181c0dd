"""`sluicegate config`: check, show and describe the configuration file."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="config",
    help="Check, show and describe the configuration file.",
    epilog="""\
Examples:

    $ sluicegate config show                    # what is in force without a file
    $ sluicegate config check gate.yaml         # every mistake, with its line
""",
    no_args_is_help=True,
)


@app.command(
    epilog="""\
Examples:

    $ sluicegate config check gate.yaml && sluicegate run --config gate.yaml
"""
)
def check(file: Annotated[Path, typer.Argument(help="The configuration file.")]) -> None:
    """Read a configuration and its policy as `run` would, and tell every mistake at once; nothing is started."""
    from collector import config
    from scrubbers import load_policy

    loaded = config.load(file)
    load_policy(loaded.policy)
    print(f"{file}: a valid configuration")


@app.command(
    epilog="""\
Examples:

    $ sluicegate config show                        # the embedded default
    $ sluicegate config show gate.yaml
"""
)
def show(
    file: Annotated[Path | None, typer.Argument(help="The configuration file; none: the default.")] = None,
) -> None:
    """Print the configuration in force, defaults written out; what came by `${…}` is shown as it was written."""
    from collector import config

    print(config.show(file), end="")


@app.command(
    epilog="""\
Examples:

    $ sluicegate config schema > config.schema.json  # then, on top of gate.yaml, for editors:
    # yaml-language-server: $schema=config.schema.json
"""
)
def schema() -> None:
    """Print the JSON Schema of the configuration file."""
    import json

    from collector.config import Config
    from settings import schema

    print(json.dumps(schema(Config), indent=2))
