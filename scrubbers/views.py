"""Views: texts that a record is unfolded into, each of which knows where in the record it stands."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from scrubbers.detectors.detector import Span
from scrubbers.encodings import decode
from scrubbers.notations.json_document import Document
from scrubbers.plan import Rule
from scrubbers.splice import Finding

Offsets: TypeAlias = Sequence[int]
Path: TypeAlias = tuple[bytes, ...]


@dataclass(slots=True)  # not frozen: that would triple the price of making one
class View:
    """Text in a record: its bytes, and where each of them (and the end) begins in the record."""

    text: bytes
    offsets: Offsets
    depth: int = 0  # rounds of decoding passed through
    quotes: int = 0  # JSON strings it stands in
    scalar: bool = False  # a JSON number or word, replaced as a whole
    literal: bool = False  # between the quotes of a JSON string: what it says shows only when decoded
    path: Path = ()  # of the key whose value it stands in, as `Names` takes it; only if some rule asks for it
    documents: Sequence[Span] = ()  # JSON in it, which has views of its own
    whole: Span | None = None  # the run of base64 that it stands in, which goes as a whole
    spaced: bool = False  # read as a form: with `+` as space

    def part(self, start: int, end: int, path: Path) -> "View":
        offsets = self.offsets[start : end + 1]
        view = View(self.text[start:end], offsets, self.depth, self.quotes, path=path, whole=self.whole)
        view.spaced = self.spaced
        return view

    def string(self, start: int, end: int, path: Path) -> "View":
        """What stands between the quotes of a JSON string."""
        view = self.part(start, end, path)
        view.quotes += 1
        view.literal = True
        return view

    def span(self, start: int, end: int) -> Span:
        """Where a span of this view stands in the record."""
        last = self.offsets[end - 1] if end > start else -1
        while end < len(self.offsets) - 1 and self.offsets[end] == last:
            end += 1  # a character of several bytes comes from one escape
        return self.offsets[start], self.offsets[end]

    def finding(self, start: int, end: int, replacement: bytes, rule: Rule) -> Finding:
        """A span of this view is to be replaced; the replacement is written as it must be where this view stands."""
        if self.whole is not None:
            return (*self.whole, rule.token, rule)
        for _ in range(self.quotes):
            replacement = escaped(replacement)
        return (*self.span(start, end), replacement, rule)


def escaped(text: bytes) -> bytes:
    """Text as it stands between the quotes of a JSON string."""
    text = text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return _CONTROL.sub(lambda found: b"\\u%04x" % found[0][0], text)


_CONTROL = re.compile(rb"[\x00-\x1f]")


class Paths:
    """The path of the key whose value a place in a document belongs to."""

    def __init__(self, document: Document, outer: Path, token: "re.Pattern[bytes]") -> None:
        self._outer, self._token = outer, token
        members = [member for members in document.objects for member in members]
        self._members = sorted(members, key=lambda member: (member.value[0], -member.value[1]))
        self._starts = [member.value[0] for member in self._members]
        self._around: list[int] = []  # for each member the one around it, or -1
        open_: list[int] = []
        for number, member in enumerate(self._members):
            while open_ and self._members[open_[-1]].value[1] <= member.value[0]:
                open_.pop()
            self._around.append(open_[-1] if open_ else -1)
            open_.append(number)

    def at(self, place: int) -> Path:
        number = bisect_right(self._starts, place) - 1
        while number >= 0 and self._members[number].value[1] <= place:
            number = self._around[number]
        return (*segments(self._members[number].path, self._token), *self._outer) if number >= 0 else self._outer


def nowhere(_place: int) -> Path:
    return ()


def segments(path: Sequence[bytes], token: "re.Pattern[bytes]") -> list[bytes]:
    """The path of a key as names are compared: lower-case segments, the innermost first; our tokens say nothing."""
    found: list[bytes] = []
    for key in path:
        name = decode(key) or key
        if b"[" in key:
            name = token.sub(b"[]", name)
        found += reversed(name.lower().split(b"."))
    return found


def around(at: int, spans: Sequence[Span]) -> Span | None:
    """The one of these spans, sorted and apart, in which a place lies."""
    number = bisect_right(spans, (at, 1 << 62)) - 1
    return spans[number] if number >= 0 and at < spans[number][1] else None


def within(at: int, spans: Sequence[Span]) -> bool:
    """Whether a place lies in one of these spans, sorted and apart."""
    return around(at, spans) is not None
