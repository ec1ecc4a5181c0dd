"""The spool as the shipping process sees it: sealed segments, and what each destination said of them."""

import sqlite3
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Self

from collector.spool.ledger import Ledger, SegmentRow
from collector.spool.lock import Lock
from collector.spool.segments import DIRECTORY
from exporters.segment import Segment


class Deliveries:
    """What is to be sent where. Any thread may use it; one process per spool."""

    def __init__(self, directory: Path, ledger: Ledger, lock: Lock) -> None:
        self._directory = directory
        self._ledger = ledger
        self._lock = lock

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open a spool that `recover` has prepared. Raises SpoolRefused, SpoolError."""
        lock = Lock.take(directory, "shipper")
        try:
            return cls(directory, Ledger.open(directory), lock)
        except BaseException:
            lock.close()
            raise

    def close(self) -> None:
        self._ledger.close()
        self._lock.close()

    def sealed(self, exporter: str, limit: int = 100) -> list[Segment]:
        """The oldest sealed segments that this exporter has neither delivered nor rejected, in order of birth."""
        rows = self._ledger.read(
            "SELECT * FROM segment WHERE state = 'sealed' "
            "AND id NOT IN (SELECT segment FROM delivery WHERE exporter = ?) ORDER BY id LIMIT ?",
            exporter,
            limit,
        )
        return [self._segment(SegmentRow(*row)) for row in rows]

    def delivered(self, segment: Segment, exporter: str, size: int) -> None:
        """The segment is durable at the destination, in `size` bytes; when it is everywhere, its file goes.

        Saying it twice counts once. Raises SpoolError.
        """
        with self._ledger.transaction() as connection:
            if not _decide(connection, segment.id, exporter, "delivered", size, ""):
                return
            _count(connection, segment.id, exporter, "delivered", "")
            over = _finish(connection, segment.id)
        if over:
            _remove(segment.path)

    def rejected(self, segment: Segment, exporter: str, reason: str) -> None:
        """The destination will never take the segment as it is: kept until `put_back`. Raises SpoolError."""
        with self._ledger.transaction() as connection:
            _decide(connection, segment.id, exporter, "rejected", 0, reason)

    def set_aside(self, exporter: str) -> list[tuple[Segment, str]]:
        """The segments this exporter has rejected, with the reasons."""
        rows = self._ledger.read(
            "SELECT s.*, v.reason FROM segment s JOIN delivery v ON v.segment = s.id "
            "WHERE v.exporter = ? AND v.state = 'rejected' ORDER BY s.id",
            exporter,
        )
        return [(self._segment(SegmentRow(*row[:-1])), str(row[-1])) for row in rows]

    def put_back(self, exporter: str) -> int:
        """Let the exporter try again what it has rejected; how many segments that is. Raises SpoolError."""
        with self._ledger.transaction() as connection:
            sql = "DELETE FROM delivery WHERE exporter = ? AND state = 'rejected'"
            return connection.execute(sql, (exporter,)).rowcount

    def _segment(self, row: SegmentRow) -> Segment:
        return Segment(
            id=row.id,
            path=self._directory / DIRECTORY / row.file,
            node=row.node,
            signal=row.signal,
            format=row.format,
            retention=row.retention,
            bytes=row.bytes,
            records=row.records,
            first_time=row.first_time,
            last_time=row.last_time,
            policy=row.policy,
        )


def configure(connection: sqlite3.Connection, exporters: Collection[str]) -> None:
    """Note which exporters are configured. A new one has missed what is gone already, and its balance says so."""
    connection.execute("UPDATE destination SET configured = 0")
    for name in exporters:
        connection.execute(
            "INSERT INTO count SELECT origin, ?1, 'dropped', 'not_configured', records, bytes FROM count "
            "WHERE outcome = 'gone' AND NOT EXISTS (SELECT 1 FROM destination WHERE name = ?1)",
            (name,),
        )
        connection.execute("INSERT INTO destination VALUES (?, 1) ON CONFLICT DO UPDATE SET configured = 1", (name,))


def drop_delivered(ledger: Ledger, directory: Path) -> None:
    """Drop the segments that every exporter has, now that another set of them is configured. Raises SpoolError."""
    with ledger.transaction() as connection:
        rows = connection.execute("SELECT id, file FROM segment WHERE state = 'sealed'").fetchall()
        over = [file for segment, file in rows if _finish(connection, segment)]
    for file in over:
        _remove(directory / DIRECTORY / file)


def _decide(connection: sqlite3.Connection, segment: str, exporter: str, state: str, size: int, reason: str) -> bool:
    """Note what a destination said, once; False if it had spoken before, or the segment is gone."""
    sql = "INSERT OR IGNORE INTO delivery SELECT id, ?, ?, ?, ? FROM segment WHERE id = ?"
    return connection.execute(sql, (exporter, state, size, reason, segment)).rowcount > 0


def _finish(connection: sqlite3.Connection, segment: str) -> bool:
    """Forget a segment that every configured destination has; whether it was so."""
    states = connection.execute(
        "SELECT d.name, d.configured, v.state FROM destination d "
        "LEFT JOIN delivery v ON v.exporter = d.name AND v.segment = ?",
        (segment,),
    ).fetchall()
    if any(configured and state != "delivered" for _, configured, state in states):
        return False
    for name, _, state in states:
        if state != "delivered":
            _count(connection, segment, name, "dropped", state or "not_configured")
    _count(connection, segment, "", "gone", "")
    for table, column in (("delivery", "segment"), ("portion", "segment"), ("segment", "id")):
        connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (segment,))  # noqa: S608
    return True


def _count(connection: sqlite3.Connection, segment: str, destination: str, outcome: str, reason: str) -> None:
    """Add all of a segment to a count."""
    connection.execute(
        "INSERT INTO count SELECT origin, ?, ?, ?, records, bytes FROM portion WHERE segment = ? "
        "ON CONFLICT DO UPDATE SET records = records + excluded.records, bytes = bytes + excluded.bytes",
        (destination, outcome, reason, segment),
    )


def _remove(path: Path) -> None:
    # The ledger does not know the file any more: what cannot be removed now goes at the next start.
    with suppress(OSError):
        path.unlink()
