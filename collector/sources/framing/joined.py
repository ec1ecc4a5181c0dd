"""Envelopes around each line, which divide a long record into pieces: joined again per stream, at any length."""

from collections.abc import Iterator
from io import BytesIO
from typing import NamedTuple

from msgspec import structs

from collector.batch import TARGET_BYTES, Nanoseconds
from collector.sources.framing.cut import LOOKAHEAD, Cut
from collector.sources.framing.run import BEGIN, Line, Partial, Read, Run, State, open_key
from collector.sources.framing.stamp import HOUR, nanoseconds, text

_PART = 64 << 10
PARTIAL = b',"partial":true'


class Piece(NamedTuple):
    """What one line of a file holds. `time` is in UTC, without the `Z`."""

    time: bytes
    stream: bytes
    partial: bool
    content: bytes


class Joined:
    """The part of framing that the envelopes share. A line that is not in the envelope is a record as it stands."""

    def __init__(self, *, read: Read, cut: Cut, now: Nanoseconds) -> None:
        self._read, self._cut, self._now = read, cut, now

    def parse(self, line: bytes) -> Piece | None:
        """One line without its end; None if it is not in this envelope."""
        raise NotImplementedError

    def whole(self, block: bytes, offset: int) -> Run | None:
        """The block at once, if it is made of whole records of one hour alone; equal to what `lines` gives."""
        raise NotImplementedError

    def frame(self, block: bytes, offset: int, state: State) -> list[Run]:
        if not block:
            return []
        if not state.partials and (run := self.whole(block, offset)):
            return [run]
        return self.lines(block, offset, state)

    def lines(self, block: bytes, offset: int, state: State) -> list[Run]:
        """The reference: line by line."""
        runs = _Runs()
        partials = {partial.stream: partial for partial in state.partials}
        time, at = state.time, offset
        for line in block[:-1].split(b"\n"):
            runs.line(at, State(tuple(partials.values()), time=time))
            piece = self.parse(line)
            if piece is None:
                stamp = time.encode() or text(self._now)
                runs.add(stamp, b'{"time":"%bZ"' % stamp, line)
            else:
                time, stream = piece.time.decode(), piece.stream.decode()
                partial = partials.pop(stream, None)
                if partial is None and not piece.partial:
                    runs.add(piece.time, _head(piece.time, piece.stream), piece.content)
                else:
                    partial = _longer(partial or Partial(stream, time, (), 0), (at, len(line)), len(piece.content))
                    if partial := self._emit(partial, piece.partial, block, offset, runs):
                        partials[stream] = partial
            at += len(line) + 1
        runs.close(at, State(tuple(partials.values()), time=time))
        return runs.done

    def flush(self, offset: int, state: State) -> list[Run]:
        runs = _Runs()
        runs.line(offset, state)
        for partial in state.partials:
            if partial.line is not Line.DROPPING:
                content = self._content(partial, b"", offset)[0]
                runs.add(partial.time.encode(), _head_of(partial) + PARTIAL, content)
        if state.partials:
            runs.close(offset, State(time=state.time))
        return runs.done

    def _emit(self, partial: Partial, more: bool, block: bytes, offset: int, runs: "_Runs") -> Partial | None:
        """Add what can be added of a record in pieces; what is left of it, if more of it follows."""
        if partial.line is Line.DROPPING:
            runs.dropped += partial.size
            return structs.replace(partial, ranges=(), size=0) if more else None
        limit = self._cut.limit
        if more and partial.size <= limit + LOOKAHEAD:
            return partial
        content, lengths = self._content(partial, block, offset)
        head, stamp = _head_of(partial), partial.time.encode()
        done = 0
        while len(content) - done > limit + (LOOKAHEAD if more else 0):
            piece = self._cut.place(content[done : done + limit + LOOKAHEAD])
            if not piece:
                runs.dropped += len(content) - done
                runs.given_up += 1
                return structs.replace(partial, ranges=(), size=0, skip=0, line=Line.DROPPING) if more else None
            runs.add(stamp, head + PARTIAL, content[done : done + piece])
            runs.pieces += 1
            done += piece
        line = Line.CUT if done else partial.line
        if more:
            return _shorter(structs.replace(partial, line=line), lengths, done)
        runs.add(stamp, head if line is Line.START else head + PARTIAL, content[done:])
        runs.pieces += line is Line.CUT
        return None

    def _content(self, partial: Partial, block: bytes, offset: int) -> tuple[bytes, list[int]]:
        """What is joined so far, and the length of each piece; lines before the block are read again."""
        contents = []
        for start, length in partial.ranges:
            inside = start - offset
            line = block[inside : inside + length] if inside >= 0 else self._read(start, length)
            piece = self.parse(line)
            contents.append(piece.content if piece else line)  # None: the file changed under us; nothing to be hidden
        return b"".join(contents)[partial.skip :], [len(content) for content in contents]


def parts(block: bytes) -> Iterator[list[bytes]]:
    """The lines with their ends, so many at once that what is made of them stays in the cache."""
    file = BytesIO(block)
    while lines := file.readlines(_PART):
        yield lines


def _head(stamp: bytes, stream: bytes) -> bytes:
    return b'{"time":"%bZ","stream":"%b"' % (stamp, stream)


def _head_of(partial: Partial) -> bytes:
    return _head(partial.time.encode(), partial.stream.encode())


def _longer(partial: Partial, line: tuple[int, int], size: int) -> Partial:
    return structs.replace(partial, ranges=(*partial.ranges, line), size=partial.size + size)


def _shorter(partial: Partial, lengths: list[int], done: int) -> Partial:
    """Without `done` bytes at its front; lines of which nothing is left are let go."""
    skip, gone = partial.skip + done, 0
    while gone < len(lengths) and lengths[gone] <= skip:
        skip -= lengths[gone]
        gone += 1
    return structs.replace(partial, ranges=partial.ranges[gone:], size=partial.size - done, skip=skip)


class _Runs:
    """Collects records; a run ends where the hour changes, or where it is large enough, but never in a key."""

    def __init__(self) -> None:
        self.done: list[Run] = []
        self.pieces = self.dropped = self.given_up = 0
        self._at, self._state = 0, BEGIN
        self._clear()

    def _clear(self) -> None:
        self._bodies: list[bytes] = []
        self._heads: list[bytes] = []
        self._lines: list[int] = []
        self._times: list[Nanoseconds] = []
        self._size = 0

    def line(self, at: int, state: State) -> None:
        """The line at `at` comes next; `state` is that before it."""
        self._at, self._state = at, state

    def add(self, stamp: bytes, head: bytes, content: bytes) -> None:
        """The line completes a record; line ends within its content make it several."""
        time = nanoseconds(stamp)
        if self._bodies and self._lines[-1] != self._at:
            full = self._size >= TARGET_BYTES or time // HOUR != self._times[0] // HOUR
            if full and open_key(self._body()) < 0:
                self.close(self._at, self._state)
        for record in content.split(b"\n"):
            self._bodies.append(record)
            self._heads.append(head)
            self._lines.append(self._at)
            self._times.append(time)
            self._size += len(record) + 1

    def close(self, end: int, state: State) -> None:
        times = self._times or [0]
        self.done.append(
            Run(
                self._body(),
                len(self._bodies),
                self._heads,
                min(times),
                max(times),
                end,
                state,
                self._lines,
                self.pieces,
                self.dropped,
                self.given_up,
            )
        )
        self.pieces = self.dropped = self.given_up = 0
        self._clear()

    def _body(self) -> bytes:
        return b"\n".join((*self._bodies, b""))
