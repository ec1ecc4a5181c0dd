"""The spool as one worker sees it: chunks become durable together with the positions they stand behind."""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec

from collector.batch import Position
from collector.spool.delivery import Dropped, drop_oldest
from collector.spool.errors import SpoolError, of_os
from collector.spool.ledger import Amount, Count, Ledger, SealedRecord, Staged
from collector.spool.lock import Lock
from collector.spool.recovery import Recovered, reclaim
from collector.spool.segments import (
    DIRECTORY,
    HOUR,
    MAX_RETENTION,
    STAMP,
    Births,
    SegmentFile,
    Stream,
    sync_directory,
)
from exporters.chunk import ChunkHeader, ChunkPosition, encode

PROBE = ".probe"  # a file that says whether there is room


@dataclass(slots=True, frozen=True)
class Limits:
    """When a segment is sealed."""

    segment_bytes: int = 50_000_000  # compressed
    segment_age: float = 60.0  # seconds since it was opened
    open_segments: int = 64  # late records open one segment per hour they belong to; the oldest is sealed beyond this


class Spool:
    """One worker's way into the spool; one thread at a time.

    `append` and `advance` stage, `commit` makes durable. A SpoolError out of any of them means: everything staged since
    the last commit is undone, on disk too; wait, then stage the same batches again.
    """

    def __init__(
        self,
        directory: Path,
        ledger: Ledger,
        lock: Lock,
        recovered: Recovered,
        node: str,
        worker: int,
        limits: Limits,
        clock: Callable[[], float],
    ) -> None:
        self.recovered = recovered  # what an earlier process of this worker had left
        self._directory = directory / DIRECTORY
        self._ledger = ledger
        self._lock = lock
        self._node = node
        self._worker = worker
        self._limits = limits
        self._clock = clock
        newest = ledger.read("SELECT max(id) FROM segment")[0][0]
        self._births = Births(int(str(newest)[:16], 16) if newest else 0)
        self._open: dict[Stream, SegmentFile] = {}  # in order of birth
        self._retired: list[SegmentFile] = []  # not to be written any more; the next commit seals them
        self._staged = Staged()
        self._staged_bytes = 0

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        node: str,
        worker: int,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> Self:
        """Open a spool that `recover` has prepared; seals what an earlier process of this worker left open.

        `node` is part of every object's key. `clock` gives seconds. Raises SpoolRefused, SpoolError.
        """
        lock = Lock.take(directory, f"worker-{worker}")
        ledger = None
        try:
            ledger = Ledger.open(directory)
            recovered = reclaim(directory, ledger, worker=worker)
            return cls(directory, ledger, lock, recovered, node, worker, limits or Limits(), clock)
        except BaseException:
            if ledger:
                ledger.close()
            lock.close()
            raise

    @property
    def staged_bytes(self) -> int:
        """Bytes of chunks written since the last commit; what group commit goes by."""
        return self._staged_bytes

    def append(
        self,
        header: ChunkHeader,
        stored: bytes,
        *,
        retention: str,
        positions: Sequence[Position] = (),
        counts: Iterable[Count] = (),
        quarantined: Iterable[SealedRecord] = (),
    ) -> None:
        """Stage one chunk with the positions it stands behind (they replace those of `header`).

        `counts` is all of the batch: `read`, and what was dropped or quarantined of it; what the chunk holds
        (`header.records`, `header.input_bytes`) is pending from now on. All records of a chunk lie in one hour.
        Raises SpoolError; ValueError for a header that no segment can hold.
        """
        stream = _stream(header, retention)
        chunk = encode(msgspec.structs.replace(header, positions=self._stamped(positions)), stored)
        segment = self._open.get(stream)
        try:
            if segment is None:
                segment = self._open[stream] = SegmentFile(
                    self._directory,
                    stream,
                    births=self._births,
                    node=self._node,
                    worker=self._worker,
                    born=self._clock(),
                )
            segment.append(chunk, header.records, header.first_time, header.last_time)
        except SpoolError:
            self._undo()
            raise
        portion = (segment.id, header.source)
        amount = self._staged.portions.get(portion, Amount())
        self._staged.portions[portion] = amount.plus(header.records, header.input_bytes)
        self._staged_bytes += len(chunk)
        self.advance(positions, counts=counts, quarantined=quarantined)

    def advance(
        self,
        positions: Iterable[Position],
        *,
        counts: Iterable[Count] = (),
        quarantined: Iterable[SealedRecord] = (),
    ) -> None:
        """Stage positions without a chunk: of a batch that left nothing to store."""
        for position in positions:
            self._staged.positions[position.source, position.key] = position
        self._staged.count(counts)
        self._staged.quarantined.extend(quarantined)

    def forget(self, source: str, keys: Iterable[str]) -> None:
        """Stage that the source will never come back to these files or partitions."""
        for key in keys:
            self._staged.positions.pop((source, key), None)
            self._staged.forgotten.append((source, key))

    def commit(self) -> None:
        """Make everything staged durable in one transaction; segments that are large enough are sealed by it."""
        self._commit(lambda segment: segment.written.bytes >= self._limits.segment_bytes)

    def seal_due(self) -> None:
        """Commit, and seal every segment that is old enough too."""
        now = self._clock()
        limits = self._limits
        self._commit(
            lambda segment: segment.written.bytes >= limits.segment_bytes or now - segment.born >= limits.segment_age
        )

    def positions(self, source: str) -> dict[str, Position]:
        """How far the source had come at the last commit of any worker, by key."""
        return self._ledger.positions(source)

    def bytes(self) -> int:
        """Bytes of all segments of the node that are on disk, staged ones of this worker included; one cheap query."""
        return self._ledger.usage("segments") + self._staged_bytes

    def probe(self, size: int) -> None:
        """See whether so many bytes could be written now. Raises SpoolError."""
        path = self._directory / f"{PROBE}-{self._worker}"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, max(size, 1))
            finally:
                os.close(descriptor)
                path.unlink()
        except OSError as error:
            raise of_os(error, path) from error

    def drop_oldest(self, room: int) -> list[Dropped]:
        """Give up the oldest sealed segments until `room` bytes are free, or none is left. Raises SpoolError."""
        return drop_oldest(self._ledger, self._directory.parent, room, "overflow")

    def close(self) -> None:
        """Commit, seal everything and let go of the spool; lets go even when the commit fails."""
        try:
            self._commit(lambda _: True)
        finally:
            self._release()

    def _commit(self, due: Callable[[SegmentFile], bool]) -> None:
        dirty = [segment for segment in self._open.values() if segment.dirty]
        sealing = [segment for segment in self._open.values() if segment.written.bytes and due(segment)]
        kept = [segment for segment in self._open.values() if segment.written.bytes and segment not in sealing]
        sealing += kept[: max(0, len(kept) - self._limits.open_segments)]
        try:
            for segment in dirty:
                segment.sync()
            if any(not segment.committed.bytes for segment in dirty):
                sync_directory(self._directory)
        except SpoolError:
            # After a failed sync the kernel may call pages clean that never reached the disk: a second sync of the same
            # file would prove nothing. What was committed before is safe, the rest goes into a new file.
            self._undo(retire=True)
            raise
        rows = {segment.id: segment.row("open") for segment in dirty}
        rows |= {segment.id: segment.row("sealed") for segment in [*sealing, *self._retired]}
        self._staged.segments = list(rows.values())
        if not self._staged:
            return
        try:
            self._ledger.write(self._staged)
        except SpoolError as error:
            if error.in_doubt:
                self._abandon(dirty)
            self._undo()
            raise
        for segment in dirty:
            segment.keep()
        for segment in sealing:
            del self._open[segment.stream]
        for segment in [*sealing, *self._retired]:
            segment.close()
        self._retired = []
        self._clear()

    def _undo(self, *, retire: bool = False) -> None:
        """Back to the last commit; with `retire`, files that were written since are not written again."""
        for segment in [segment for segment in self._open.values() if segment.dirty]:
            try:
                segment.undo()
            except SpoolError:
                self._abandon([segment])
                continue
            if retire:
                del self._open[segment.stream]
                if segment.committed.bytes:
                    self._retired.append(segment)
                else:
                    segment.close()
        self._clear()

    def _abandon(self, segments: Iterable[SegmentFile]) -> None:
        """Leave files as they are; the next start cuts them to what the ledger says and seals them."""
        for segment in segments:
            del self._open[segment.stream]
            segment.leave()

    def _clear(self) -> None:
        self._staged = Staged()
        self._staged_bytes = 0

    def _stamped(self, positions: Iterable[Position]) -> tuple[ChunkPosition, ...]:
        stamp = STAMP.pack(self._births())
        return tuple(ChunkPosition(p.source, p.key, p.epoch, stamp + p.value) for p in positions)

    def _release(self) -> None:
        for segment in [*self._open.values(), *self._retired]:
            segment.close()
        self._open, self._retired = {}, []
        self._ledger.close()
        self._lock.close()


def _stream(header: ChunkHeader, retention: str) -> Stream:
    """The stream a chunk belongs to. Raises ValueError."""
    hour = header.first_time // HOUR
    if not 0 <= header.first_time <= header.last_time < 1 << 63 or header.last_time // HOUR != hour:
        raise ValueError("the records of a chunk must lie in one hour since 1970")
    if not 0 < len(retention) <= MAX_RETENTION or not retention.isprintable() or "/" in retention:
        raise ValueError("a retention class needs a name that can be part of a file name")
    return Stream(header.signal, header.format, retention, header.policy, hour)
