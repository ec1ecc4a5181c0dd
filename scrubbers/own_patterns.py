"""Patterns that a policy brings along: a regular expression, and what more a finding must have.

An expression sees one string of JSON, or the whole text of a record, as it reads once decoded; our tokens divide it. In
a block that is known for strings without escapes; everything else is for the reference path.
"""

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import orjson
from stdnum import damm, luhn, verhoeff
from stdnum.iso7064 import mod_11_2, mod_11_10, mod_37_2, mod_37_36, mod_97_10

from scrubbers.detectors.detector import Span
from scrubbers.matching import Matcher, Unscrubbable
from scrubbers.notations.json_document import documents

Found: TypeAlias = tuple[Span, Span]
"""What matches, and what is taken of it."""

VALIDATORS: Mapping[str, Callable[[str], bool]] = {
    "luhn": luhn.is_valid,
    "verhoeff": verhoeff.is_valid,
    "damm": damm.is_valid,
    "mod_11_2": mod_11_2.is_valid,
    "mod_11_10": mod_11_10.is_valid,
    "mod_37_2": mod_37_2.is_valid,
    "mod_37_36": mod_37_36.is_valid,
    "mod_97_10": mod_97_10.is_valid,
}
"""Check digits, by the names of python-stdnum; asked of a value's letters and digits alone."""

CONTEXT = 64  # bytes before and behind a value in which a context word counts
_LONGEST_TOKEN = 1800
_LONGEST_SCALAR = 4096
_SCALAR_END = re.compile(rb"[-+.0-9A-Za-z]*\Z")
_SCALAR = re.compile(rb"[-+.0-9A-Za-z]*")
_NOT_ALNUM = re.compile(r"[^0-9A-Za-z]")
_AS_KEY = re.compile(rb"\"[ \t]*:").match


@dataclass(slots=True)
class _Line:
    """A record of the block. `json`: it is JSON as a whole; else it is text."""

    start: int
    end: int
    json: bool
    counted: int  # so far quotes were counted,
    quotes: int  # and so many there are


@dataclass(slots=True, frozen=True)
class _Part:
    """A text that the expression sees: what it finds there, and the JSON in it, which has parts of its own."""

    found: Sequence[Found]
    documents: Sequence[Span]


class _Seen(threading.local):
    """What was seen of a block: each thread scrubs its own."""

    def __init__(self) -> None:
        self.text = b""  # the block
        self.bounds: Span = (0, -1)
        self.line: _Line | None = None
        self.parts: dict[int, _Part | None] = {}
        self.missed: list[int] = []


class OwnPattern:
    """One pattern of the policy. It remembers what it has seen in a block.

    `slow`: only the reference path looks. `allowed`: whether a value is to be left alone.
    """

    token: "re.Pattern[bytes]" = re.compile(rb"(?!)")
    """Set by the plan, which knows the tokens of all rules."""

    def __init__(
        self,
        matcher: Matcher,
        *,
        slow: bool,
        validator: str | None,
        context: Sequence[str],
        allowed: Callable[[bytes], bool] | None,
    ) -> None:
        self._matcher, self._slow, self._allowed = matcher, slow, allowed
        self._valid = VALIDATORS[validator] if validator else None
        words = "|".join(re.escape(word.lower()) for word in context)
        self._context = re.compile(f"(?<![0-9a-z])(?:{words})".encode()) if words else None
        self._seen = _Seen()

    @property
    def missed(self) -> list[int]:
        """Where in the block its trigger reported, and nothing is taken."""
        return self._seen.missed

    def renew(self) -> None:
        """A new block begins."""
        self._seen.__init__()  # type: ignore[misc]

    def found(self, text: bytes, record: bytes, where: Callable[[int, int], Span]) -> list[Found]:
        """What it finds in a text. Raises Unscrubbable.

        `record` is what the text is a part of; `where` tells where in it a span of the text stands.
        """
        return [
            ((low + start, high + start), (first + start, last + start))
            for start, end in self._between_tokens(text)
            for (low, high), (first, last) in self._matcher.matches(text[start:end])
            if self._counts(text[first + start : last + start], record, where(first + start, last + start))
        ]

    def find(self, text: bytes, end: int) -> Span | None:
        """In a block: what is taken around the report that ended at `end`; an empty span where that cannot be told."""
        seen = self._seen
        if seen.text is not text:
            self.renew()
            seen.text = text
        line = None if self._slow else self._line_of(text, end - 1)
        if line is None:
            return end, end
        low, high = self._place(text, line, end - 1)
        if low == high:  # between strings and numbers: nothing that the expression sees
            seen.missed.append(end)
            return None
        if low not in seen.parts:
            seen.parts[low] = self._part(text, line, low, high)
        part = seen.parts[low]
        if part is None or any(start < end - low <= stop for start, stop in part.documents):
            return end, end
        for (start, stop), value in part.found:
            if start < end - low <= stop:
                scalar = line.json and text[low - 1] != 0x22
                return (end, end) if scalar else (value[0] + low, value[1] + low)
        seen.missed.append(end)
        return None

    def _line_of(self, text: bytes, at: int) -> _Line | None:
        """The record there, if the expression sees it as it is written."""
        seen = self._seen
        if not seen.bounds[0] <= at <= seen.bounds[1]:
            start, end = text.rfind(b"\n", 0, at) + 1, text.find(b"\n", at)
            seen.bounds, seen.line = (start, end), None
            line = text[start:end]
            if b"\\" not in line and b"%" not in line:
                is_json = line.startswith((b"{", b"["))
                if not is_json or _is_json(line):
                    seen.line = _Line(start, end, is_json, start, 0)
        return seen.line

    def _place(self, text: bytes, line: _Line, at: int) -> Span:
        """The string or number of JSON, or the whole text, that the byte there belongs to."""
        if not line.json:
            return line.start, line.end
        if at < line.counted:
            line.counted, line.quotes = line.start, 0
        line.quotes += text.count(b'"', line.counted, at)
        line.counted = at
        if line.quotes % 2:
            return text.rfind(b'"', line.start, at) + 1, text.find(b'"', at)
        low = at + 1 - len(_SCALAR_END.search(text, max(line.start, at - _LONGEST_SCALAR), at + 1)[0])  # type: ignore[index]
        return low, _SCALAR.match(text, low).end()  # type: ignore[union-attr]

    def _part(self, text: bytes, line: _Line, low: int, high: int) -> _Part | None:
        if line.json and _AS_KEY(text, high):
            return None  # a key may go with its value
        part = text[low:high]
        try:
            found = self.found(
                part, text[line.start : line.end], lambda at, to: (low - line.start + at, low - line.start + to)
            )
        except Unscrubbable:
            return None
        return _Part(found, [(each.start, each.end) for each in documents(part)])

    def _between_tokens(self, text: bytes) -> Iterator[Span]:
        at = 0
        if b"[" in text:
            for token in self.token.finditer(text):
                yield at, token.start()
                at = token.end()
        yield at, len(text)

    def _counts(self, value: bytes, record: bytes, span: Span) -> bool:
        if self._valid is not None and not self._valid(_NOT_ALNUM.sub("", value.decode("utf-8", "replace")).upper()):
            return False
        if self._context is not None:
            before = self.token.sub(b" ", record[max(0, span[0] - CONTEXT - _LONGEST_TOKEN) : span[0]])[-CONTEXT:]
            behind = self.token.sub(b" ", record[span[1] : span[1] + CONTEXT + _LONGEST_TOKEN])[:CONTEXT]
            if not (self._context.search(before.lower()) or self._context.search(behind.lower())):
                return False
        return self._allowed is None or not self._allowed(value)


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True
