"""Bytes as they arrive → bodies of whole records: at once when a person types, in large blocks when data is at hand."""

import os
import select
import signal
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Self

from collector.sources.framing.cut import LOOKAHEAD, Cut
from collector.sources.framing.run import open_key

BLOCK = 1 << 20


class Stop:
    """While entered, the first Ctrl-C or SIGTERM only asks to end between two blocks; a second one ends at once."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def __enter__(self) -> Self:
        self._waked, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._before_wake = signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        asked = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._note) for number in asked}
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._before_wake)
        os.close(self._waked)
        os.close(self._wake)

    def wait(self, descriptor: int) -> bool:
        """Wait until there is something to read; False: asked to stop."""
        if self.signal is None:
            select.select([descriptor, self._waked], [], [])
        return self.signal is None

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.signal is not None:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.signal = signal.Signals(number)


def arriving(descriptor: int, stop: Stop) -> Iterator[bytes]:
    """What can be read without waiting, up to `BLOCK`, as often as there is something, until the end."""
    while stop.wait(descriptor):
        parts, size = [], 0
        while True:
            try:
                data = os.read(descriptor, BLOCK - size)
            except BlockingIOError:
                break
            parts.append(data)
            size += len(data)
            if not data or size >= BLOCK or not select.select([descriptor], [], [], 0)[0]:
                break
        if size:
            yield b"".join(parts)
        if parts and not parts[-1]:
            return


def write(descriptor: int, data: bytes) -> None:
    """All of it, also to a pipe that somebody else has made non-blocking."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            select.select([], [descriptor], [])


class Bodies:
    r"""Collects arriving bytes into bodies. Each ends with `\n`, but for a piece of a line that is cut.

    A line is held until it is whole, a private key of up to 16 KiB until its END line. A line longer than the limit
    goes on in pieces, cut where the scrubber sees nothing across; where there is no such place, the rest of the line
    is withheld and counted.
    """

    def __init__(self, cut: Cut) -> None:
        self.withheld = 0  # lines of which a part was withheld
        self._cut = cut
        self._rest = b""
        self._open = False  # pieces of the line went out
        self._dropping = False

    def take(self, data: bytes) -> Iterator[bytes]:
        data = self._skip(data)
        if b"\n" not in data and b"\n" not in self._rest:
            self._rest += data
            yield from self._pieces()
            return
        buffer = self._rest + data
        end = buffer.rfind(b"\n") + 1
        if len(buffer) - end <= self._cut.limit and (key := open_key(buffer[:end])) >= 0:
            end = buffer.rfind(b"\n", 0, key) + 1
        self._rest = buffer[end:]
        if end:
            self._open = False
            yield buffer[:end]
        if b"\n" not in self._rest:
            yield from self._pieces()

    def end(self) -> Iterator[bytes]:
        """What is left when nothing more will come; its last line may lack its end."""
        rest, self._rest = self._rest, b""
        end = rest.rfind(b"\n") + 1
        yield from (part for part in (rest[:end], rest[end:]) if part)

    def _skip(self, data: bytes) -> bytes:
        if not self._dropping:
            return data
        end = data.find(b"\n")
        self._dropping = end < 0
        return data[end + (not self._open) :] if end >= 0 else b""

    def _pieces(self) -> Iterator[bytes]:
        while len(self._rest) > self._cut.limit + LOOKAHEAD:
            at = self._cut.place(self._rest[: self._cut.limit + LOOKAHEAD])
            if not at:
                self._rest, self._dropping = b"", True
                self.withheld += 1
                return
            piece, self._rest = self._rest[:at], self._rest[at:]
            self._open = True
            yield piece
