"""`sluicegate policy check`, `show`, `schema`: whether a file is a policy, and what stands in one."""

from pathlib import Path
from typing import Annotated

import typer

CHECK = """\
Examples:

    $ sluicegate policy check policy.yaml
"""

SHOW = """\
Examples:

    $ sluicegate policy show > policy.yaml      # to start from
"""

SCHEMA = """\
Examples:

    $ sluicegate policy schema > policy.schema.json  # then, on top of policy.yaml, for editors:
    # yaml-language-server: $schema=policy.schema.json
"""


def check(file: Annotated[Path, typer.Argument(help="The policy file.")]) -> None:
    """Read and compile a policy as `run` would, and tell every mistake at once."""
    from scrubbers import Scrubber, load_policy

    scrubber = Scrubber(load_policy(file))
    print(f"{file}: a valid policy, fingerprint {scrubber.fingerprint}")


def show() -> None:
    """Print the default policy, with its comments."""
    from scrubbers.policy import DEFAULT

    print(DEFAULT.read_text(encoding="utf-8"), end="")


def schema() -> None:
    """Print the JSON Schema of the policy file."""
    import json

    from scrubbers import Policy
    from settings import schema

    print(json.dumps(schema(Policy), indent=2))
