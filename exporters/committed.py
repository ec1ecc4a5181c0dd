"""The committed bytes of a segment file, which other processes may be writing behind them."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from exporters.exporter import Rejected
from exporters.segment import Segment


@contextmanager
def open_committed(segment: Segment, start: int = 0) -> Iterator[BinaryIO]:
    """The committed bytes from `start` on, as a stream that cannot seek. Raises Rejected if they are not all there."""
    try:
        file = segment.path.open("rb")
    except FileNotFoundError as error:
        raise Rejected(f"segment {segment.id}: its file is gone") from error
    with file:
        size = os.fstat(file.fileno()).st_size
        if size < segment.bytes:
            raise Rejected(f"segment {segment.id}: its file has {size} of {segment.bytes} bytes")
        file.seek(start)
        yield io.BufferedReader(_Committed(file, segment, start), 256 << 10)


class _Committed(io.RawIOBase):
    """A segment's committed bytes: what stands behind them in its file is none of it."""

    def __init__(self, file: BinaryIO, segment: Segment, start: int) -> None:
        self._file = file
        self._segment = segment
        self._left = segment.bytes - start

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        """Where in the file."""
        return self._segment.bytes - self._left

    def readinto(self, buffer: Any, /) -> int:
        piece = self._file.read(min(len(buffer), self._left))
        if self._left and not piece:
            raise Rejected(f"segment {self._segment.id}: its file lost {self._left} bytes while it was read")
        buffer[: len(piece)] = piece
        self._left -= len(piece)
        return len(piece)
