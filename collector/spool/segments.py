"""Segment files: append-only runs of chunks that become one object each.

A file is named `{id}.{worker}.{signal}.{format}.{retention}.segment`: with the chunk headers inside, that is all it
takes to know a segment again when the ledger is lost.
"""

import os
import secrets
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from collector.spool.errors import of_os
from collector.spool.ledger import SegmentRow

DIRECTORY = "segments"
SUFFIX = ".segment"
HOUR = 3_600_000_000_000  # ns
STAMP = struct.Struct(">Q")  # a birth, before each position's value in a chunk header: tells which of two came last
MAX_RETENTION = 100  # characters of a retention class's name: file names end at 255


class Stream(NamedTuple):
    """What the records of one segment have in common."""

    signal: str
    format: str
    retention: str
    policy: str
    hour: int  # of the records, since the epoch


class Extent(NamedTuple):
    """How much is in a segment."""

    bytes: int = 0
    records: int = 0
    first_time: int = 0
    last_time: int = 0

    def plus(self, size: int, records: int, first_time: int, last_time: int) -> "Extent":
        if not self.bytes:
            return Extent(size, records, first_time, last_time)
        return Extent(
            self.bytes + size,
            self.records + records,
            min(self.first_time, first_time),
            max(self.last_time, last_time),
        )


class Births:
    """Numbers that grow with every call and with time, also over a clock set back: ns since the epoch, roughly."""

    def __init__(self, last: int = 0) -> None:
        self._last = last

    def __call__(self) -> int:
        self._last = max(time.time_ns(), self._last + 1)
        return self._last

    def segment_id(self) -> str:
        """32 hex digits, sortable by birth; the random half keeps workers and nodes apart."""
        return f"{self():016x}{secrets.token_hex(8)}"


@dataclass(slots=True, frozen=True)
class FileName:
    """What the name of a segment file says."""

    id: str
    worker: int
    signal: str
    format: str
    retention: str

    def __str__(self) -> str:
        return f"{self.id}.{self.worker}.{self.signal}.{self.format}.{self.retention}{SUFFIX}"

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """None if no segment file is called so."""
        parts = name.removesuffix(SUFFIX).split(".", 4)
        if not name.endswith(SUFFIX) or len(parts) != 5 or len(parts[0]) != 32 or not parts[1].isdecimal():
            return None
        return cls(parts[0], int(parts[1]), *parts[2:])


class SegmentFile:
    """One open segment. What is written counts only once it is synced and its length stands in the ledger."""

    def __init__(self, directory: Path, stream: Stream, *, births: Births, node: str, worker: int, born: float) -> None:
        """Create the file. `born` is when, by the caller's clock. Raises SpoolError."""
        self.stream = stream
        self.id = births.segment_id()
        self.born = born
        self.committed = self.written = Extent()
        self._touched = False
        self._node = node
        self._worker = worker
        self.path = directory / str(FileName(self.id, worker, stream.signal, stream.format, stream.retention))
        try:
            self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise of_os(error, self.path) from error

    @property
    def dirty(self) -> bool:
        return self._touched

    def append(self, chunk: bytes, records: int, first_time: int, last_time: int) -> None:
        """Write behind what is written. After a SpoolError call `undo`."""
        self._touched = True
        try:
            view, offset = memoryview(chunk), self.written.bytes
            while view:
                done = os.pwrite(self._fd, view, offset)
                view, offset = view[done:], offset + done
        except OSError as error:
            raise of_os(error, self.path) from error
        self.written = self.written.plus(len(chunk), records, first_time, last_time)

    def sync(self) -> None:
        """Make what is written durable. After a SpoolError the file must not be written again (see `Spool`)."""
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            raise of_os(error, self.path) from error

    def undo(self) -> None:
        """Cut the file back to its committed length. Raises SpoolError; the ledger's length still protects readers."""
        try:
            os.ftruncate(self._fd, self.committed.bytes)
        except OSError as error:
            raise of_os(error, self.path) from error
        self.written, self._touched = self.committed, False

    def keep(self) -> None:
        """The ledger has committed what is written."""
        self.committed, self._touched = self.written, False

    def row(self, state: str) -> SegmentRow:
        """As the ledger shall have it when what is written is committed."""
        stream = self.stream
        kind = (stream.signal, stream.format, stream.retention, stream.policy)
        return SegmentRow(self.id, self.path.name, self._node, self._worker, *kind, *self.written, state)

    def leave(self) -> None:
        """Close, whatever is in the file."""
        os.close(self._fd)

    def close(self) -> None:
        """Close; a file in which nothing was ever committed goes."""
        self.leave()
        if not self.committed.bytes:
            self.path.unlink(missing_ok=True)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable. Raises SpoolError."""
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise of_os(error, directory) from error
