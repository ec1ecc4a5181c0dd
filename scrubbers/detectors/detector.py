"""What a detector is: personal data of one shape, with everything about it in one place."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]

LEFT = rb"(?:(?<![0-9A-Za-z])|(?<=\\[bfnrt]))"
r"""Left guard: no letter or digit before, or one that is the letter of an escape (`\n` in a JSON string or a log)."""

RIGHT = rb"(?![0-9A-Za-z])"


@dataclass(slots=True, frozen=True)
class Trigger:
    """A cheap necessary condition, in Hyperscan's syntax; its report's end is what `find` starts from.

    `guarded`: stands behind a left guard; all such triggers are joined into one automaton, which costs one pass over
    the block whatever their number. Others should begin with a rare literal. It must report once per thing: end it
    where it cannot go on. `ends`: the bytes that the report of a guarded trigger can end on; the joined automaton does
    not tell which of them it was.
    """

    expression: bytes
    guarded: bool = False
    caseless: bool = False
    ends: bytes = b""


DIGIT_GROUPS = Trigger(
    rb"[0-9][0-9][0-9](?:-[0-9][0-9]-[0-9][0-9]|(?:\)|\)?[ .-])[0-9]{3}[ .-][0-9][0-9]"
    rb"|[0-9](?:[ -]?[0-9]{4}[ -]?[0-9]{4}|[ -][0-9]{6}[ -]))",
    guarded=True,
    ends=b"0123456789 -",
)
"""Digits grouped as people write card, phone and social security numbers. Shared by their detectors, because the three
joined by their common beginning stay one small automaton, and apart they do not (half the speed)."""


@dataclass(slots=True, frozen=True)
class Detector:
    """Finds personal data of one shape in text.

    `find(text, end)`: the span of the thing whose trigger report ended at `end`, or None. It checks guards and
    checksums, and looks at a bounded window around `end`.
    `bare`: the thing can be digits alone, so it may stand as a JSON number, and an identifier may look like it.
    """

    name: str
    about: str
    triggers: tuple[Trigger, ...]
    find: Callable[[bytes, int], Span | None]
    must: tuple[str, ...]
    must_not: tuple[str, ...]
    canonical: Callable[[bytes], bytes] = bytes.lower
    bare: bool = False


def digits(value: bytes) -> bytes:
    """Canonical form of numbers: their digits alone."""
    return re.sub(rb"[^0-9]", b"", value)


def compact(value: bytes) -> bytes:
    """Canonical form of grouped codes: upper case, without spaces."""
    return value.replace(b" ", b"").upper()
