"""`sluicegate reveal`: the values in `encrypt` tokens, for those who have the key."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collector.cli.blocks import Stop, arriving, write
from collector.cli.exits import CommandError, Exit
from collector.cli.words import counted

if TYPE_CHECKING:
    from scrubbers.revealing import Revealer

EPILOG = """\
Examples:

    $ sluicegate reveal --policy policy.yaml '[AES:email/k1/x…]'
    $ sluicegate read --since 1h | sluicegate reveal --key /run/keys/encrypt > revealed.ndjson
"""

MAX_LINE_BYTES = 1 << 20
_MAX_KEY_BYTES = 1 << 16
_LONGEST_TOKEN = 1800


def reveal(
    tokens: Annotated[
        list[str] | None, typer.Argument(help="Tokens; none: text with tokens in it, from stdin.")
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="The policy whose keys are used, previous ones too.")] = None,
    key: Annotated[Path | None, typer.Option(help="A file that holds one key, used for every token.")] = None,
) -> None:
    """Put the values back in place of their `encrypt` tokens. Shows personal data!"""
    revealer = _revealer(policy, key)
    if tokens:
        for token in tokens:
            write(1, revealer.reveal(token.encode(errors="surrogateescape")) + b"\n")
    else:
        with Stop() as stop:
            for text in _whole(arriving(0, stop)):
                write(1, revealer.reveal(text))
        if stop.signal is not None:
            raise typer.Exit(128 + stop.signal)
    problems = []
    if revealer.refused:
        which = "it, or it was" if revealer.refused == 1 else "them, or they were"
        problems.append(f"{_not_opened(revealer.refused)}: the key is not the one that made {which} changed")
    if revealer.unknown:
        which = "its version" if revealer.unknown == 1 else "their versions"
        problems.append(f"{_not_opened(revealer.unknown)}: the policy has no key of {which}")
    if tokens and not (problems or revealer.opened):
        problems.append("there is no token in what was given; a token looks like [AES:email/k1/x…]")
    if problems:
        raise CommandError("\n".join(problems))


def _not_opened(number: int) -> str:
    return f"{counted(number, 'token')} {'was' if number == 1 else 'were'} not opened"


def _revealer(policy: Path | None, key: Path | None) -> "Revealer":
    from scrubbers import load_policy
    from scrubbers.revealing import Revealer

    if (policy is None) is (key is None):
        raise typer.BadParameter("give --policy or --key, one of them")
    if policy is not None:
        keys = load_policy(policy).encrypt
        if keys is None:
            raise CommandError(f"{policy} has no `encrypt` key; name the policy that wrote the tokens", Exit.CONFIG)
        return Revealer(keys)
    assert key is not None
    from settings import Secret

    with key.open("rb") as file:
        content = file.read(_MAX_KEY_BYTES + 1)
    try:
        text = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        text = ""
    if not text or len(content) > _MAX_KEY_BYTES:
        raise CommandError(f"{key} does not hold a key; name the file that the policy names", Exit.CONFIG)
    return Revealer(Secret(text))


def _whole(arriving: Iterator[bytes]) -> Iterator[bytes]:
    """Text that ends between tokens: whole lines, or parts of a very long one."""
    rest = b""
    for data in arriving:
        rest += data
        end = rest.rfind(b"\n") + 1
        if not end and len(rest) > MAX_LINE_BYTES:
            opening = rest.rfind(b"[", len(rest) - _LONGEST_TOKEN)
            end = len(rest) if opening < 0 else opening
        if end:
            yield rest[:end]
            rest = rest[end:]
    if rest:
        yield rest
