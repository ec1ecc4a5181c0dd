"""At start: take the spool, and bring files and ledger to agree.

Segment files are cut to their committed length and sealed: a new process begins new ones. A file the ledger does not
know was never committed, or was delivered everywhere, and goes. A segment that has lost bytes the ledger had committed
(a disk fault) keeps its intact chunks; what is gone is counted as dropped. A ledger that is lost or damaged is rebuilt
from the chunk headers: everything still on disk is then delivered again, to the same object keys.
"""

import os
import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from collector.batch import Position
from collector.spool.delivery import configure, drop_delivered, forget
from collector.spool.errors import SpoolError, SpoolRefused, of_os
from collector.spool.ledger import (
    FILE_NAME,
    SCHEMA,
    VERSION,
    Amount,
    Count,
    Ledger,
    SealedRecord,
    SegmentRow,
    Staged,
    add_counts,
    put,
)
from collector.spool.lock import DIRECTORY as LOCKS
from collector.spool.lock import Lock, refuse_network, take_gate
from collector.spool.segments import DIRECTORY, STAMP, SUFFIX, Extent, FileName, sync_directory
from exporters.chunk import ChunkError, ChunkHeader, Truncated, decode, read_chunks

DAMAGED = ".damaged"  # suffix of what is kept of a file for a person to look at


@dataclass(slots=True, frozen=True)
class Damage:
    """A segment that has lost something it once held durably; `lost` is None where nothing tells how much."""

    file: str
    what: str
    lost: Amount | None = None


@dataclass(slots=True)
class Recovered:
    """What it took to bring a spool, or one worker's part of it, in order; the spool is taken until `close`."""

    lock: Lock | None = None
    cut_bytes: int = 0  # written but never committed
    sealed: int = 0  # segments that an earlier process had left open
    rebuilt: str = ""  # why the ledger was rebuilt
    damaged: list[Damage] = field(default_factory=list)

    def close(self) -> None:
        if self.lock:
            self.lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def recover(
    directory: Path, *, node: str, exporters: Collection[str], signals: Mapping[str, Collection[str]] | None = None
) -> Recovered:
    """Take the spool for this gate and make it ready for its workers; makes the directories of a new one.

    `exporters` are the names of all that are configured, at least one; `signals`: what those take that do not take
    every signal. Raises SpoolRefused, SpoolError.
    """
    if not exporters:
        raise ValueError("a spool needs at least one exporter, or nothing would ever leave it")
    try:
        for path in (directory, directory / DIRECTORY, directory / LOCKS):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SpoolRefused(f"{error.filename}: {error.strerror}") from error
    refuse_network(directory)
    found = Recovered(take_gate(directory))
    ledger = None
    try:
        ledger = _open_ledger(directory, node, found)
        with ledger.transaction() as connection:
            configure(connection, exporters, signals or {})
        _reconcile(directory, ledger, found)
        drop_delivered(ledger, directory)
    except BaseException:
        found.close()
        raise
    finally:
        if ledger:
            ledger.close()
    return found


def reclaim(directory: Path, ledger: Ledger, *, worker: int) -> Recovered:
    """Cut and seal what an earlier process of this worker left open; the worker's lock is held. Raises SpoolError."""
    found = Recovered()
    _reconcile(directory, ledger, found, worker)
    return found


def _reconcile(directory: Path, ledger: Ledger, found: Recovered, worker: int | None = None) -> None:
    """Bring files to the lengths in the ledger: of one worker's open segments, or of all segments."""
    chosen = "" if worker is None else f" WHERE worker = {worker:d} AND state = 'open'"
    rows = [SegmentRow(*row) for row in ledger.read(f"SELECT * FROM segment{chosen}")]  # noqa: S608
    known = {row[0] for row in ledger.read("SELECT file FROM segment")}
    segments = directory / DIRECTORY
    for path in segments.glob(f"*{SUFFIX}"):
        name = FileName.parse(path.name)
        if name and path.name not in known and worker in (None, name.worker):
            found.cut_bytes += path.stat().st_size
            path.unlink(missing_ok=True)
    for row in rows:
        path = segments / row.file
        size = path.stat().st_size if path.exists() else -1
        if size > row.bytes:
            found.cut_bytes += size - row.bytes
            _cut(path, row.bytes)
        elif size < row.bytes:
            found.damaged.append(_salvage(path, row, ledger))
        found.sealed += row.state == "open"
    with ledger.transaction() as connection:
        connection.execute(f"UPDATE segment SET state = 'sealed'{chosen}")  # noqa: S608


def _open_ledger(directory: Path, node: str, found: Recovered) -> Ledger:
    """The ledger, made anew where there is none or it cannot be trusted."""
    path = directory / FILE_NAME
    stock = any((directory / DIRECTORY).glob(f"*{SUFFIX}"))
    damaged = None
    if path.exists():
        fault = _fault(path)
        if fault:
            found.rebuilt = f"damaged ({fault})"
            damaged = _set_aside(path)
    elif stock:
        found.rebuilt = "lost"
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite would make it readable to others
    except OSError as error:
        raise of_os(error, path) from error
    ledger = Ledger(path)
    version = ledger.version
    if version == VERSION:
        return ledger
    if version:
        ledger.close()
        raise SpoolRefused(f"{path} has version {version}; this sluicegate knows version {VERSION}")
    if stock:
        found.rebuilt = found.rebuilt or "lost"
    try:
        # Schema and content in one transaction: whoever dies in between has still no ledger, and begins again.
        staged = _from_chunks(directory / DIRECTORY, node, found)
        with ledger.transaction() as connection:
            for statement in _statements(SCHEMA):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
            put(connection, staged)
            if damaged:
                for record in _rescued(damaged):
                    put(connection, Staged(quarantined=[record]))
        sync_directory(directory)
    except BaseException:
        ledger.close()
        raise
    return ledger


def _from_chunks(segments: Path, node: str, found: Recovered) -> Staged:
    """What the ledger would say, from the chunks of all segment files; cuts each behind its last intact chunk."""
    staged = Staged()
    newest: dict[tuple[str, str], tuple[int, bytes]] = {}  # epoch and stamped value
    for path in sorted(segments.glob(f"*{SUFFIX}")):
        name = FileName.parse(path.name)
        if name is None:
            continue
        chunks = _Chunks(path)
        policy = ""
        for header in chunks.headers():
            policy = header.policy
            staged.count([Count(header.source, "read", header.records, header.input_bytes)])
            for p in header.positions:
                newest[p.source, p.key] = max(newest.get((p.source, p.key), (-1, b"")), (p.epoch, p.value))
        size = path.stat().st_size
        if chunks.error is not None and not isinstance(chunks.error, Truncated):
            found.damaged.append(Damage(path.name, str(chunks.error)))
            _keep_tail(path, chunks.extent.bytes)
        found.cut_bytes += size - chunks.extent.bytes
        if not chunks.extent.bytes:
            path.unlink()
            continue
        _cut(path, chunks.extent.bytes)
        kind = (name.signal, name.format, name.retention, policy)
        staged.segments.append(SegmentRow(name.id, path.name, node, name.worker, *kind, *chunks.extent, "sealed"))
        staged.portions |= {(name.id, origin): amount for origin, amount in chunks.portions.items()}
    for (source, key), (epoch, value) in newest.items():
        staged.positions[source, key] = Position(source, key, epoch, value[STAMP.size :])
    return staged


def _salvage(path: Path, row: SegmentRow, ledger: Ledger) -> Damage:
    """Keep the intact chunks of a segment that is shorter than what was committed; count the rest as dropped."""
    chunks = _Chunks(path)
    for _ in chunks.headers():
        pass
    if path.exists():
        _keep_tail(path, chunks.extent.bytes)
        _cut(path, chunks.extent.bytes)
    with ledger.transaction() as connection:
        lost = Amount()
        for origin, records, size in connection.execute(
            "SELECT origin, records, bytes FROM portion WHERE segment = ?", (row.id,)
        ).fetchall():
            kept = chunks.portions.get(origin, Amount())
            gone = Amount(records - kept.records, size - kept.bytes)
            lost = lost.plus(*gone)
            add_counts(connection, {(origin, "", "gone", ""): gone})
            # Whoever has confirmed the segment had all of it; of one that takes chunks nobody knows which it had.
            for destination, outcome, reason in connection.execute(
                "SELECT d.name, iif(v.segment IS NULL, 'dropped', 'delivered'), iif(v.segment IS NULL, 'damaged', '') "
                "FROM destination d LEFT JOIN delivery v "
                "ON v.exporter = d.name AND v.segment = ? AND v.state = 'delivered'",
                (row.id,),
            ).fetchall():
                add_counts(connection, {(origin, destination, outcome, reason): gone})
        connection.execute("DELETE FROM portion WHERE segment = ?", (row.id,))
        if chunks.extent.bytes:
            put(connection, Staged(segments=[row._replace(state="sealed", **chunks.extent._asdict())]))
            put(connection, Staged(portions={(row.id, origin): amount for origin, amount in chunks.portions.items()}))
            kept_bytes = (row.id, chunks.extent.bytes)
            connection.execute("UPDATE progress SET offset = ?2 WHERE segment = ?1 AND offset > ?2", kept_bytes)
            connection.execute("DELETE FROM refused WHERE segment = ? AND offset >= ?", kept_bytes)
        else:
            forget(connection, row.id)
    if not chunks.extent.bytes:
        path.unlink(missing_ok=True)
    return Damage(path.name, "shorter than what was committed", lost)


class _Chunks:
    """Reads the chunks of a segment file, verifying each, up to the first that is not intact."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.extent = Extent()
        self.portions: dict[str, Amount] = {}  # by origin
        self.error: ChunkError | None = None

    def headers(self) -> Iterator[ChunkHeader]:
        try:
            with self._path.open("rb") as file:
                for header, frame in read_chunks(file):
                    decode(header, frame)
                    size = file.tell() - self.extent.bytes
                    self.extent = self.extent.plus(size, header.records, header.first_time, header.last_time)
                    amount = self.portions.get(header.source, Amount())
                    self.portions[header.source] = amount.plus(header.records, header.input_bytes)
                    yield header
        except ChunkError as error:
            self.error = error
        except FileNotFoundError:
            pass
        except OSError as error:
            raise of_os(error, self._path) from error


def _fault(path: Path) -> str:
    """Why the ledger cannot be trusted; empty if it can."""
    try:
        ledger = Ledger(path)
        try:
            verdict = ledger.read("PRAGMA quick_check(1)")
        finally:
            ledger.close()
    except SpoolError as error:
        cause = error.__cause__
        if isinstance(cause, sqlite3.OperationalError):
            raise  # locked, full, unreadable: no reason to think ill of what is in it
        return str(cause)
    return "" if verdict == [("ok",)] else "its check fails"


def _set_aside(path: Path) -> Path:
    """Move a damaged ledger out of the way, with its write-ahead log, for a person to look at."""
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    try:
        for suffix in ("-wal", "-shm", ""):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
    except OSError as error:
        raise of_os(error, path) from error
    return aside


def _rescued(damaged: Path) -> Iterator[SealedRecord]:
    """What can still be read of the quarantine in a damaged ledger: it is nowhere else."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(damaged)) as connection:
        for row in connection.execute("SELECT id, time, source, signal, reason, sealed FROM quarantine"):
            yield SealedRecord(*row)


def _statements(script: str) -> list[str]:
    """Cut a script into statements: `executescript` would commit on its own."""
    statements, part = [], ""
    for piece in script.split(";"):
        part += piece + ";"
        if sqlite3.complete_statement(part):
            statements.append(part)
            part = ""
    return statements


def _cut(path: Path, length: int) -> None:
    try:
        with path.open("r+b") as file:
            file.truncate(length)
            os.fsync(file.fileno())
    except OSError as error:
        raise of_os(error, path) from error


def _keep_tail(path: Path, start: int) -> None:
    """Copy what lies behind the last intact chunk to `{name}.damaged`."""
    if path.stat().st_size <= start:
        return
    try:
        with path.open("rb") as file, path.with_name(path.name + DAMAGED).open("wb") as tail:
            os.fchmod(tail.fileno(), 0o600)
            file.seek(start)
            while part := file.read(1 << 20):
                tail.write(part)
    except OSError as error:
        raise of_os(error, path) from error
