"""Recognising a content by what was read of it, whole or a front part of it.

A copy of a file may end anywhere: rotation copies what is there, and more was read of the original by then. So one
digest at the offset does not do. A mark carries a ladder of digests that grows with the file: one at each line end in
the first `DENSE` bytes, where contents with equal first lines part; further on at the ends of the latest reads, and
one in each power of two before. A file that ends between two rungs is recognised by all rungs below.
"""

from collections.abc import Iterator
from hashlib import blake2b

import msgspec

from collector.sources.content import Content
from collector.sources.framing import BEGIN, Format, State

WINDOW = 1024
"""Bytes at the start of a content and before a rung that are compared; fewer while the offset is smaller."""

DENSE = 4096
_MOST_DENSE = 64  # rungs at line ends; with lines shorter than 64 bytes the dense part is shorter
_LATEST = 16
_MOST = _MOST_DENSE + 3 * _LATEST  # before the ladder is thinned
_OFFSET, _PRINT = 6, 4  # bytes of a rung
_RUNG = _OFFSET + _PRINT
_BLOCK = 256 << 10


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """An offset in a content, and how to recognise that content."""

    offset: int
    head: str  # digest of the first min(offset, WINDOW) bytes
    tail: str  # digest of the min(offset, WINDOW) bytes before the offset
    format: Format | None = None
    state: State = BEGIN
    ladder: bytes = b""
    """Rungs of an offset and a digest of the bytes before it, ascending; the last one is at `offset`."""


START = Mark(0, "", "")
"""Nothing was read: every content matches."""


class Fingerprints:
    """Makes marks and compares them. `secret` (up to 64 bytes) keys the digests: they are stored with the data, and
    whoever has the scrubbed records could else find out by trying what was scrubbed."""

    def __init__(self, secret: bytes = b"") -> None:
        self._secret = secret

    def at(self, offset: int, content: Content, format: Format | None = None) -> Mark:  # noqa: A002
        """The mark of an offset in a content."""
        start = content.read(0, min(offset, DENSE))
        mark, _ = self.grown(START, start, 0, len(start), BEGIN)
        step = 2 * DENSE
        while mark.offset < offset:
            end = min(step, offset)
            window = content.read(end - WINDOW, WINDOW)
            mark, _ = self.grown(mark, window, end - len(window), end, BEGIN)
            step *= 2
        return msgspec.structs.replace(mark, format=format)

    def grown(self, mark: Mark, data: bytes, start: int, offset: int, state: State) -> tuple[Mark, bytes]:
        """The mark moved on to `offset`, and the bytes before it.

        `data` is the content from `start`, which is at least `WINDOW` bytes before the old mark or its beginning.
        """
        before = data[max(0, offset - start - WINDOW) : offset - start]
        tail, head, ladder = self._digest(before), mark.head, mark.ladder
        if start == 0 and mark.offset < WINDOW:
            head = self._digest(data[: min(offset, WINDOW)]) if offset else ""
        if offset > mark.offset:
            if mark.offset < DENSE and len(ladder) < _MOST_DENSE * _RUNG:
                ladder += b"".join(self._line_ends(data, start, mark.offset, min(offset - 1, DENSE), len(ladder)))
            ladder = _thinned(ladder + _rung(offset, tail))
        return Mark(offset, head, tail, mark.format, state, ladder), before

    def before(self, mark: Mark, content: Content) -> bytes | None:
        """The bytes before the mark, if the content is the one it was made in."""
        if not mark.offset:
            return b""
        window = min(mark.offset, WINDOW)
        if self._digest(content.read(0, window)) != mark.head:
            return None
        before = content.read(mark.offset - window, window)
        return before if len(before) == window and self._digest(before) == mark.tail else None

    def covered(self, mark: Mark, content: Content) -> int | None:
        """The length of a content that ends before the mark, if it is the front part of the one the mark was made in.

        None also if it holds no whole line.
        """
        at, first = 0, b""
        for offset, printed in _rungs(mark.ladder):
            if offset <= DENSE:
                first = first or content.read(0, DENSE)
                before = first[max(0, offset - WINDOW) : offset]
            else:
                before = content.read(offset - WINDOW, WINDOW)
            if len(before) < min(offset, WINDOW):
                break
            if bytes.fromhex(self._digest(before))[:_PRINT] != printed:
                return None
            at = offset
        if not 0 < at < mark.offset:
            return None
        dense = _dense_until(mark.ladder)
        while part := content.read(at, _BLOCK):
            if b"\n" in part[: max(0, dense - at)]:
                return None  # a line ends where none did
            at += len(part)
        return at if at < mark.offset else None

    def _line_ends(self, data: bytes, start: int, after: int, end: int, size: int) -> Iterator[bytes]:
        room = _MOST_DENSE - size // _RUNG
        at = after
        while room > 0 and (newline := data.find(b"\n", at - start, end - start)) >= 0:
            at = start + newline + 1
            yield _rung(at, self._digest(data[max(0, at - start - WINDOW) : at - start]))
            room -= 1

    def _digest(self, data: bytes) -> str:
        return blake2b(data, digest_size=8, key=self._secret).hexdigest()


def _rung(offset: int, digest: str) -> bytes:
    return offset.to_bytes(_OFFSET, "big") + bytes.fromhex(digest)[:_PRINT]


def _rungs(ladder: bytes) -> Iterator[tuple[int, bytes]]:
    for at in range(0, len(ladder), _RUNG):
        yield int.from_bytes(ladder[at : at + _OFFSET], "big"), ladder[at + _OFFSET : at + _RUNG]


def _dense_until(ladder: bytes) -> int:
    """Up to where each line end has its rung."""
    at = (_MOST_DENSE - 1) * _RUNG
    return min(DENSE, int.from_bytes(ladder[at : at + _OFFSET], "big")) if len(ladder) > at else DENSE


def _thinned(ladder: bytes) -> bytes:
    """The dense part, one rung in each power of two, and the latest."""
    if len(ladder) <= _MOST * _RUNG:
        return ladder
    rungs = list(_rungs(ladder))
    kept, octave = rungs[:_MOST_DENSE], 0
    for offset, printed in rungs[_MOST_DENSE:-_LATEST]:
        if offset.bit_length() != octave:
            kept.append((offset, printed))
            octave = offset.bit_length()
    return b"".join(offset.to_bytes(_OFFSET, "big") + printed for offset, printed in kept + rungs[-_LATEST:])
