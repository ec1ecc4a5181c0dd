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

    $ sluicegate policy show > policy.yaml      # the default, to start from
    $ sluicegate policy show gdpr
    $ sluicegate policy show --merged policy.yaml
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


def show(
    policy: Annotated[
        str, typer.Argument(help="A preset (default, strict, secrets-only, gdpr, pci), or a policy file.")
    ] = "default",
    merged: Annotated[
        bool, typer.Option("--merged", help="With all that it extends in it, and where each rule comes from.")
    ] = False,
) -> None:
    """Print a policy: as it was written, with its comments, or merged with what it extends."""
    from scrubbers.policy_file import path_of, read_policy
    from settings.loader import read_text

    path = path_of(policy)
    print(read_policy(path).as_yaml() if merged else read_text(path), end="")


def schema() -> None:
    """Print the JSON Schema of the policy file."""
    import json

    from scrubbers import Policy
    from settings import schema

    print(json.dumps(schema(Policy), indent=2))
