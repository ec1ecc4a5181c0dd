"""The `stdin` source: raw lines from a pipe, a terminal or a file."""

import os
import select
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from collector import events
from collector.batch import TARGET_BYTES, Batch, Nanoseconds, Origin
from collector.sources.framing import BEGIN, Cut, Run, block, frame, framer
from collector.sources.source import Emit, Redact
from collector.sources.thread import in_thread
from settings import ByteSize, Settings


class StdinOptions(Settings):
    """Reads lines from standard input. What was not yet committed is lost with the process."""

    type: Literal["stdin"] = "stdin"
    max_line_bytes: Annotated[ByteSize, Field(ge=64 << 10, le=64 << 20)] = 1 << 20
    """A longer line is cut into records marked `"partial":true`, where no secret is divided."""


class StdinSource:
    """Ends at end of input; the last line needs no line end. `redact` and `now`: as for files."""

    def __init__(
        self,
        name: str,
        options: StdinOptions,
        *,
        redact: Redact,
        now: Callable[[], Nanoseconds] = time.time_ns,
        descriptor: int = 0,
    ) -> None:
        self.name = name
        self._cut, self._now, self._descriptor = Cut(options.max_line_bytes, redact), now, descriptor
        self._origin = Origin(name)
        self._buffer, self._offset, self._state = b"", 0, BEGIN

    async def run(self, emit: Emit) -> None:
        woken, wake = os.pipe()
        try:
            open_ = True
            while open_:
                new = await in_thread(lambda: self._read(woken), interrupt=lambda: os.write(wake, b"\0"))
                open_ = bool(new)
                self._buffer += new
                while runs := self._frame(open_=open_):
                    for run in runs:
                        if batch := self._take(run):
                            await emit(batch)
        finally:
            os.close(woken)
            os.close(wake)

    def _frame(self, *, open_: bool) -> list[Run]:
        data, ended = block(lambda size: (self._buffer[:size], len(self._buffer) < size), self._state, self._cut)
        now, closing = self._now(), ended and not open_
        plain = framer("plain", read=_never, cut=self._cut, now=now)
        return frame(plain, data, self._offset, self._state, self._cut, now, ended=ended, closing=closing)

    def _take(self, run: Run) -> Batch | None:
        read = min(run.end - self._offset, len(self._buffer))
        self._buffer, self._offset, self._state = self._buffer[read:], self._offset + read, run.state
        if run.pieces:
            events.LineCut(self.name, "", run.pieces).emit()
        if run.dropped:
            events.Dropped("line_cannot_be_cut", self.name, "logs", run.given_up, run.dropped).emit()
        if not run.records:
            return None
        first, last = run.first_time, run.last_time
        batch = Batch("logs", "lines", self._origin, run.body, run.records, first, last, heads=run.heads)
        return replace(batch, input_bytes=read)

    def _read(self, woken: int) -> bytes:
        """Wait for input, then take what is there, up to about a batch; nothing at its end or when woken."""
        parts: list[bytes] = []
        size, patience = 0, None
        while size < TARGET_BYTES:
            ready, _, _ = select.select([self._descriptor, woken], [], [], patience)
            if woken in ready or not ready:
                break
            part = os.read(self._descriptor, TARGET_BYTES)
            if not part:
                break
            parts.append(part)
            size += len(part)
            patience = 0
        return b"".join(parts)


def _never(_offset: int, _size: int) -> bytes:
    raise AssertionError("plain lines have no pieces")
