"""`"key": value` and `'key': value` in running text: JSON in a sentence, print-outs of maps, quoted values."""

import re
from dataclasses import dataclass

from scrubbers.detectors.detector import Span

_SIGN = re.compile(rb"([\"'])\s*(?::|=>?)\s*")
_STRING = {
    b'"': re.compile(rb'"((?:[^"\\\n]|\\.)*)("?)'),
    b"'": re.compile(rb"'((?:[^'\\\n]|\\.|'')*)('?)"),  # SQL doubles a quote
}
BARE = re.compile(rb"[^\s,;}\])\"']+")
_BRACKET = re.compile(rb"[{}\[\]]|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
_BEFORE = re.compile(rb"[{,][ \t]*\Z")
_AFTER = re.compile(rb"[ \t]*(,[ \t]*|(?=\}))")


@dataclass(slots=True, frozen=True)
class Value:
    """A value with bounds of its own: `outer` with its quotes or brackets, `inner` what is personal."""

    outer: Span
    inner: Span


def value_at(text: bytes, at: int) -> Value | None:
    """The quoted or bracketed value that begins at `at`; an open end reaches to the end of the line."""
    first = text[at : at + 1]
    if first in _STRING:
        found = _STRING[first].match(text, at)
        return Value(found.span(), found.span(1)) if found else None
    if first in (b"{", b"["):
        depth = 0
        end = len(text.rstrip(b"\r\n"))
        for found in _BRACKET.finditer(text, at):
            depth += (found[0] in b"{[") - (found[0] in b"}]")
            if depth == 0:
                end = found.end()
                break
        return Value((at, end), (at, end))
    return None


@dataclass(slots=True, frozen=True)
class QuotedKey:
    """A key between quotes, and where its value begins."""

    key_start: int
    value_at: int

    def bare(self, text: bytes) -> Span | None:
        found = BARE.match(text, self.value_at)
        return found.span() if found else None

    def member(self, text: bytes, value: Span) -> Span | None:
        """The member as a whole, with one comma, where it stands in braces as JSON writes it."""
        start = self.key_start - 1
        before = _BEFORE.search(text, max(0, start - 16), start)
        after = _AFTER.match(text, value[1])
        if before is None or after is None or text[start : start + 1] != b'"':
            return None
        if not after[1] and before[0].startswith(b","):
            return before.start(), value[1]
        return start, after.end()


def quoted_key(text: bytes, end: int) -> QuotedKey | None:
    """The quoted key that ends at `end` (its closing quote stands there), if a sign and a value follow."""
    sign = _SIGN.match(text, end)
    if sign is None:
        return None
    start = text.rfind(sign[1], max(0, end - 96), end)
    return QuotedKey(start + 1, sign.end()) if start >= 0 else None
