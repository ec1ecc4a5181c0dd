"""What a detector is: personal data of one shape, with everything about it in one place."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]

LEFT = rb"(?:(?<![0-9A-Za-z])|(?<=\\[bfnrt]))"
r"""Left guard: no letter or digit before, or one that is the letter of an escape (`\n` in a JSON string or a log)."""

RIGHT = rb"(?![0-9A-Za-z])"


Find: TypeAlias = Callable[[bytes, int], Span | None]


class Confidence(IntEnum):
    """How sure a finding is; a policy sets how sure it must be. It belongs to the trigger: all it finds is as sure."""

    SHAPE = 1  # it looks like one
    CONTEXT = 2  # and a word beside it says so
    CHECKSUM = 3  # its check digits are right, or its form is that of nothing else


@dataclass(slots=True, frozen=True)
class Trigger:
    """A cheap necessary condition, in Hyperscan's syntax, and what looks closer at the place where it reports.

    `find(text, end)`: the span of the thing whose report ended at `end`, or None. It checks guards and checksums, and
    looks at a bounded window around `end`.
    The expression must report once per thing: end it where it cannot go on. Two kinds are cheap:
    - with a literal inside that is rare in logs: such triggers stand apart, each is one fast search for its literal;
    - `guarded`: short chains of character classes behind a left guard. All of them are joined into one automaton, which
      costs one pass over the block, as long as it stays small: blur classes rather than write alternatives out. It does
      not tell which of them reported; `tail` tells whom to ask: what the last six bytes up to the report's end (or
      fewer) look like, in the syntax of `re`, and as FOLD blurs them.
    For messages of protobuf, `wire` is a narrower expression in its place (a single sign is seen in ids and times), and
    `harmless` what begins like the thing and is nobody's, in the syntax of `re`.
    """

    expression: bytes
    find: Find
    confidence: Confidence = Confidence.SHAPE
    guarded: bool = False
    caseless: bool = False
    tail: bytes = b""
    wire: bytes = b""
    harmless: bytes = b""


TAIL = 6  # bytes
FOLD = bytes(
    0x30 if 0x30 <= byte <= 0x39
    else 0x41 if 0x41 <= byte <= 0x46
    else 0x47 if 0x47 <= byte <= 0x5A
    else 0x61 if 0x61 <= byte <= 0x66
    else 0x67 if 0x67 <= byte <= 0x7A
    else byte
    for byte in range(256)
)  # fmt: skip
"""For `bytes.translate`: digits become `0`, hexadecimal letters `A` and `a`, other letters `G` and `g`."""

DIGITS = b"0123456789"
UPPER = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"

GUARD = b"(?:^|[^0-9A-Za-z])"
GUARD_OR_ESCAPE = GUARD[:-1] + b"|[bfnrt])"
"""Left guards in Hyperscan's syntax; the second one stands for LEFT where an expression stands apart."""

GROUPS_OF_THREE = rb"[0-9][0-9][0-9][) .-][0-9 .-][0-9][0-9-][0-9 .-][0-9 .-]"
"""Three digits, then more digits in groups: nine bytes, blurred so that one chain serves several number plans."""


def never(_value: bytes) -> bool:
    """No value is one that was published."""
    return False


def nowhere(_regions: tuple[str, ...]) -> tuple[Trigger, ...]:
    """It is the same in all countries."""
    return ()


@dataclass(slots=True, frozen=True)
class Detector:
    """Finds personal data of one shape in text.

    `bare`: the thing can be digits alone, so it may stand as a JSON number.
    `unmistakable`: it is in one line, begins with no `[`, and holds a byte that hexadecimal identifiers do not have.
    `documented`: whether a value is one that was published for tests and examples, and belongs to nobody.
    `in_regions`: more triggers, for the countries that a policy names.
    """

    name: str
    about: str
    triggers: tuple[Trigger, ...]
    must: tuple[str, ...]
    must_not: tuple[str, ...]
    canonical: Callable[[bytes], bytes] = bytes.lower
    bare: bool = False
    unmistakable: bool = False
    documented: Callable[[bytes], bool] = never
    in_regions: Callable[[tuple[str, ...]], tuple[Trigger, ...]] = nowhere


def digits(value: bytes) -> bytes:
    """Canonical form of numbers: their digits alone."""
    return value.translate(None, _NO_DIGITS)


def alnum(value: bytes) -> bytes:
    """Canonical form of numbers with letters in them: without separators, upper case."""
    return value.translate(None, _NO_ALNUM).upper()


_NO_DIGITS = bytes(byte for byte in range(256) if byte not in DIGITS)

_NO_ALNUM = bytes(byte for byte in range(0x80) if not chr(byte).isalnum())


def compact(value: bytes) -> bytes:
    """Canonical form of grouped codes: upper case, without spaces."""
    return value.replace(b" ", b"").upper()


def published(canonical: Callable[[bytes], bytes], *values: str) -> Callable[[bytes], bool]:
    """For `documented`: whether a value is one of these, given in canonical form."""
    known = frozenset(value.encode() for value in values)
    return lambda value: canonical(value) in known


def after_escape(text: bytes, at: int) -> bool:
    r"""Whether what stands before `at` is the letter of an escape: `\n`, but not the `n` of `\\n`."""
    if text[at - 1 : at] not in _ESCAPES:
        return False
    head = text[max(0, at - 65) : at - 1]
    return (len(head) - len(head.rstrip(b"\\"))) % 2 == 1


_ESCAPES = (b"b", b"f", b"n", b"r", b"t")
