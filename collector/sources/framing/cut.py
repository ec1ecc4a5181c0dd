"""Where a line that is too long may be cut without hiding anything from the scrubber.

The pieces of a long line are scrubbed apart, so a secret across a cut would be seen by neither side. No separator is
safe by itself: `4111 1111 1111 1111` and `Authorization: Bearer x` have blanks inside. So the scrubber itself is asked:
**a cut is taken only if scrubbing what is left of it together with what follows gives the same as scrubbing both
apart.** Left of it stands the whole piece, so that holds for everything that begins in the piece, however long it is,
and reaches up to `LOOKAHEAD` bytes beyond the cut, or further. Places from the limit down to half of it are tried; a
line that has none (one single finding of half a `max_line_bytes`) is given up from there on, loudly.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from collector.sources.source import Redact

LOOKAHEAD = 16 << 10
"""Bytes behind the limit that must be seen before a line is cut, as long as the line has them."""

_SEPARATORS = (b" ", b"\t", b",", b";", b"&")
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_"
_TEXT = b"~ "
"""Put before what is tried, so that a line that happens to end within it is scrubbed as text, as its pieces will be."""


@dataclass(slots=True, frozen=True)
class Cut:
    """Cuts long lines: `limit` is the largest piece in bytes."""

    limit: int
    redact: Redact

    def place(self, line: bytes) -> int:
        """Where to cut `line`, which is longer than the limit and holds `LOOKAHEAD` bytes more if there are any.

        0 means that there is no safe place.
        """
        for at in self._candidates(line):
            left, right = line[:at], line[at : at + LOOKAHEAD]
            if self._scrub(_TEXT + left + right) == self._scrub(_TEXT + left) + self._scrub(right):
                return at
        return 0

    def _scrub(self, text: bytes) -> bytes:
        return self.redact(text + b"\n").removesuffix(b"\n")

    def _candidates(self, line: bytes) -> Iterator[int]:
        tried = 0
        for back in (0, 64, 512, 2 << 10, 8 << 10, 32 << 10, self.limit // 8, self.limit // 4, self.limit // 2):
            at = _boundary(line, self.limit - back) if back < self.limit else 0
            if 0 < at != tried:
                yield at
                tried = at


def _boundary(line: bytes, limit: int) -> int:
    """At or before `limit`: behind a separator; else where neither a base64 quantum nor a character is divided."""
    near = max(line.rfind(separator, max(0, limit - 1024), limit) for separator in _SEPARATORS)
    if near >= 0:
        return near + 1
    token = len(line[:limit].rstrip(_BASE64))
    if limit - token >= 4:
        return limit - (limit - token) % 4
    at = limit
    while at > limit - 4 and line[at] & 0xC0 == 0x80:
        at -= 1
    return at
