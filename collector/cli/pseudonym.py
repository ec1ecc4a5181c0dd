"""`sluicegate pseudonym`: what to search for in the place of a value."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from collector.cli.exits import CommandError, Exit

EPILOG = """\
Examples:

    $ sluicegate pseudonym --policy policy.yaml jane@example.com
    $ echo jane@example.com | sluicegate pseudonym --policy policy.yaml | grep -F -f - app.log
"""

MAX_LINE_BYTES = 1 << 16


def pseudonym(
    policy: Annotated[Path, typer.Option(help="The policy that hashes.")],
    values: Annotated[list[str] | None, typer.Argument(help="Values; none: the lines of stdin.")] = None,
    rule: Annotated[str | None, typer.Option(help="The name of a rule, as tokens have it; without it: all.")] = None,
) -> None:
    """Tell what the `hash` tokens of a value hold, under the current key and each previous one, line by line."""
    from scrubbers import load_policy
    from scrubbers.keyring import Pseudonyms
    from scrubbers.plan import Plan

    loaded = load_policy(policy)
    hashing = [each.replace for each in Plan(loaded).rules if isinstance(each.replace, Pseudonyms)]
    if not hashing:
        raise CommandError(f"{policy} has no rule that hashes; name the policy that wrote the tokens", Exit.CONFIG)
    asked = [each for each in hashing if rule is None or each.label == rule]
    if not asked:
        known = ", ".join(sorted({each.label for each in hashing}))
        raise typer.BadParameter(f"no rule of this name hashes; write one of {known}", param_hint="--rule")
    for value in (each.encode(errors="surrogateescape") for each in values) if values else _stdin():
        found = dict.fromkeys(text for each in asked for text in each.searched(value))
        sys.stdout.buffer.write(b"".join(text + b"\n" for text in found))


def _stdin() -> Iterator[bytes]:
    while line := sys.stdin.buffer.readline(MAX_LINE_BYTES):
        yield line.removesuffix(b"\n")
