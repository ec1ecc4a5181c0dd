"""The spool as the shipping process sees it: sealed segments, and what each destination said of them."""

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from collector.spool.ledger import Amount, Ledger, SegmentRow
from collector.spool.lock import Lock
from collector.spool.segments import DIRECTORY
from exporters.segment import Segment
from exporters.signals import SIGNALS


@dataclass(slots=True, frozen=True)
class Unsent:
    """A segment of which an exporter that takes chunks has not all yet: it wants what is committed from `offset` on."""

    segment: Segment
    worker: int  # whose segment it is; a file or connection of a source belongs to one worker
    offset: int  # where a chunk begins, or the end of what is committed
    sealed: bool  # nothing more will be added


@dataclass(slots=True, frozen=True)
class Refused:
    """A chunk that a destination will never take; records and bytes in input units."""

    offset: int  # where it begins in its segment
    origin: str
    records: int
    bytes: int
    reason: str


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
        rows = self._ledger.read(f"SELECT s.* {_PENDING} AND state = 'sealed' ORDER BY id LIMIT ?2", exporter, limit)
        return [self._segment(SegmentRow(*row)) for row in rows]

    def unsent(self, exporter: str, limit: int = 100) -> list[Unsent]:
        """What is committed, in open segments too, and this exporter has not got: the oldest of each worker, in order
        of birth."""
        nth = "row_number() OVER (PARTITION BY worker ORDER BY id) AS nth"
        wanted = f"{_PENDING} AND (s.state = 'sealed' OR s.bytes > coalesce(p.offset, 0))"
        sql = f"SELECT * FROM (SELECT s.*, coalesce(p.offset, 0), {nth} {wanted}) WHERE nth <= ?2 ORDER BY id"  # noqa: S608
        rows = self._ledger.read(sql, exporter, limit)
        found = [(SegmentRow(*row[:-2]), int(row[-2])) for row in rows]
        return [Unsent(self._segment(row), row.worker, offset, row.state == "sealed") for row, offset in found]

    def sent(self, unsent: Unsent, exporter: str, start: int, end: int, refused: Iterable[Refused] = ()) -> bool:
        """The exporter is through with the chunks between two offsets: they are at the destination, except `refused`.

        At the end of a sealed segment that is all of it; when it is everywhere, its file goes. False, and nothing is
        noted, if the exporter is not at `start` any more: the segment was dropped, or put back. Raises SpoolError.
        """
        segment = unsent.segment
        over = False
        with self._ledger.transaction() as connection:
            moved = connection.execute(
                "INSERT INTO progress SELECT id, ?2, ?4 FROM segment WHERE id = ?1 "
                "ON CONFLICT DO UPDATE SET offset = excluded.offset WHERE offset = ?3",
                (segment.id, exporter, start, end),
            ).rowcount
            if not moved:
                return False
            connection.executemany(
                "INSERT OR IGNORE INTO refused VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(segment.id, exporter, r.offset, r.origin, r.records, r.bytes, r.reason) for r in refused],
            )
            if unsent.sealed and end >= segment.bytes:
                _decide(connection, segment.id, exporter, "delivered", segment.bytes, "")
                over = _finish(connection, segment.id)
        if over:
            _remove(segment.path)
        return True

    def delivered(self, segment: Segment, exporter: str, size: int) -> None:
        """The segment is durable at the destination, in `size` bytes; when it is everywhere, its file goes.

        Saying it twice counts once. Raises SpoolError.
        """
        with self._ledger.transaction() as connection:
            _arrived(connection, segment.id, exporter)
            _decide(connection, segment.id, exporter, "delivered", size, "")
            known = connection.execute("SELECT 1 FROM segment WHERE id = ?", (segment.id,)).fetchone()
            over = known is not None and _finish(connection, segment.id)
        if over:
            _remove(segment.path)

    def rejected(self, segment: Segment, exporter: str, reason: str) -> bool:
        """The destination will never take the segment as it is: kept until `put_back`. False: it was dropped meanwhile.

        Raises SpoolError.
        """
        with self._ledger.transaction() as connection:
            _decide(connection, segment.id, exporter, "rejected", 0, reason)
            found = connection.execute("SELECT EXISTS (SELECT 1 FROM segment WHERE id = ?)", (segment.id,)).fetchone()
        return bool(found[0])

    def set_aside(self, exporter: str) -> list[tuple[Segment, str]]:
        """The segments this exporter has rejected, all or a chunk of them, with the first reason."""
        rows = self._ledger.read(
            "SELECT s.*, coalesce(v.reason, r.reason) FROM segment s "
            "LEFT JOIN delivery v ON v.segment = s.id AND v.exporter = ?1 AND v.state = 'rejected' "
            "LEFT JOIN refused r ON r.segment = s.id AND r.exporter = ?1 "
            "WHERE v.segment IS NOT NULL OR r.segment IS NOT NULL GROUP BY s.id HAVING r.offset IS min(r.offset) "
            "ORDER BY s.id",
            exporter,
        )
        return [(self._segment(SegmentRow(*row[:-1])), str(row[-1])) for row in rows]

    def put_back(self, exporter: str) -> int:
        """See `put_back`."""
        return put_back(self._ledger, exporter)

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


# Segments that this exporter has yet to deliver, of the signals it takes.
_PENDING = (
    "FROM segment s JOIN destination d ON d.name = ?1 AND instr(d.signals, s.signal) "
    "LEFT JOIN progress p ON p.segment = s.id AND p.exporter = ?1 "
    "WHERE NOT EXISTS (SELECT 1 FROM delivery v WHERE v.segment = s.id AND v.exporter = ?1)"
)


def configure(
    connection: sqlite3.Connection, exporters: Collection[str], signals: Mapping[str, Collection[str]]
) -> None:
    """Note which exporters are configured, and what they take: `signals`, by default every one.

    A new one has missed what is gone already, and its balance says so.
    """
    connection.execute("UPDATE destination SET configured = 0")
    for name in exporters:
        connection.execute(
            "INSERT INTO count SELECT origin, ?1, 'dropped', 'not_configured', records, bytes FROM count "
            "WHERE outcome = 'gone' AND NOT EXISTS (SELECT 1 FROM destination WHERE name = ?1)",
            (name,),
        )
        connection.execute(
            "INSERT INTO destination VALUES (?, 1, ?) "
            "ON CONFLICT DO UPDATE SET configured = 1, signals = excluded.signals",
            (name, " ".join(signals.get(name, SIGNALS))),
        )


def pending(ledger: Ledger) -> dict[str, int]:
    """Bytes of segments that each configured exporter has yet to deliver. Raises SpoolError."""
    rows = ledger.read(
        "SELECT d.name, coalesce(sum(s.bytes - coalesce(p.offset, 0)), 0) FROM destination d "
        "LEFT JOIN segment s ON instr(d.signals, s.signal) "
        "AND NOT EXISTS (SELECT 1 FROM delivery v WHERE v.segment = s.id AND v.exporter = d.name) "
        "LEFT JOIN progress p ON p.segment = s.id AND p.exporter = d.name "
        "WHERE d.configured GROUP BY d.name"
    )
    return {str(name): int(size) for name, size in rows}


def put_back(ledger: Ledger, exporter: str) -> int:
    """Let the exporter try again what it has rejected; how many segments that is. Raises SpoolError.

    One that takes chunks is given all from the first refused one on. A gate may be running.
    """
    again = {"exporter": exporter}
    of_refused = "SELECT segment FROM refused WHERE exporter = :exporter"
    with ledger.transaction() as connection:
        connection.execute(
            "UPDATE progress SET offset = first FROM "
            "(SELECT segment AS s, min(offset) AS first FROM refused WHERE exporter = :exporter GROUP BY segment) "
            "WHERE segment = s AND exporter = :exporter",
            again,
        )
        (count,) = connection.execute(
            f"SELECT count(*) FROM segment WHERE id IN ({of_refused}) OR id IN "  # noqa: S608
            "(SELECT segment FROM delivery WHERE exporter = :exporter AND state = 'rejected')",
            again,
        ).fetchone()
        connection.execute(
            f"DELETE FROM delivery WHERE exporter = :exporter AND (state = 'rejected' OR segment IN ({of_refused}))",  # noqa: S608
            again,
        )
        connection.execute("DELETE FROM refused WHERE exporter = :exporter", again)
    return int(count)


def drop_delivered(ledger: Ledger, directory: Path) -> None:
    """Drop the segments that every exporter has, now that another set of them is configured. Raises SpoolError."""
    with ledger.transaction() as connection:
        rows = connection.execute("SELECT id, file FROM segment WHERE state = 'sealed'").fetchall()
        over = [file for segment, file in rows if _finish(connection, segment)]
    for file in over:
        _remove(directory / DIRECTORY / file)


@dataclass(slots=True, frozen=True)
class Dropped:
    """Records that a destination will not get any more, in input units."""

    origin: str
    signal: str
    destination: str
    records: int
    bytes: int


def drop_oldest(ledger: Ledger, directory: Path, room: int, reason: str) -> list[Dropped]:
    """Drop the oldest sealed segments until `room` bytes are free, or none is left; those set aside go, too.

    Where a destination had a part of a segment already, all of it counts as dropped; what was on its way as a whole,
    and arrives, counts as delivered then. Raises SpoolError.
    """
    dropped: dict[tuple[str, str, str], Amount] = {}
    over: list[str] = []
    with ledger.transaction() as connection:
        rows = connection.execute("SELECT id, file, signal, bytes FROM segment WHERE state = 'sealed' ORDER BY id")
        for segment, file, signal, size in rows.fetchall():
            if room <= 0:
                break
            connection.execute(
                "INSERT INTO delivery SELECT DISTINCT segment, destination, 'dropped', 0, ?2 FROM share "
                "WHERE segment = ?1 AND outcome = 'pending'",
                (segment, reason),
            )
            lost = (
                "SELECT origin, destination, records, bytes FROM share WHERE segment = ? AND configured AND reason = ?"
            )
            for origin, destination, *amount in connection.execute(lost, (segment, reason)).fetchall():
                key = (origin, signal, destination)
                dropped[key] = dropped.get(key, Amount()).plus(*amount)
            _count(connection, segment)
            forget(connection, segment, ("progress", "refused"))  # its shares stay, should it arrive after all
            over.append(file)
            room -= size
        connection.execute(_FORGET_DROPPED)
        connection.execute(_FORGET_SHARES)
    for file in over:
        _remove(directory / DIRECTORY / file)
    return [Dropped(*key, *amount) for key, amount in dropped.items()]


# Of segments that are gone, but for the newest, which may be on their way.
_FORGET_DROPPED = """
DELETE FROM delivery WHERE state = 'dropped' AND segment NOT IN
    (SELECT DISTINCT segment FROM delivery WHERE state = 'dropped' ORDER BY segment DESC LIMIT 1000)
"""
_FORGET_SHARES = """
DELETE FROM portion WHERE segment NOT IN (SELECT id FROM segment)
    AND segment NOT IN (SELECT segment FROM delivery WHERE state = 'dropped')
"""


def _arrived(connection: sqlite3.Connection, segment: str, exporter: str) -> None:
    """Count a segment as delivered that was dropped while it was on its way."""
    for origin, records, size, reason in connection.execute(
        "SELECT p.origin, p.records, p.bytes, v.reason FROM portion p "
        "JOIN delivery v ON v.segment = p.segment AND v.exporter = ?2 AND v.state = 'dropped' WHERE p.segment = ?1",
        (segment, exporter),
    ).fetchall():
        connection.execute(
            "UPDATE count SET records = records - ?, bytes = bytes - ? "
            "WHERE origin = ? AND destination = ? AND outcome = 'dropped' AND reason = ?",
            (records, size, origin, exporter, reason),
        )
        connection.execute(
            "INSERT INTO count VALUES (?, ?, 'delivered', '', ?, ?) "
            "ON CONFLICT DO UPDATE SET records = records + excluded.records, bytes = bytes + excluded.bytes",
            (origin, exporter, records, size),
        )
    connection.execute(
        "DELETE FROM delivery WHERE segment = ? AND exporter = ? AND state = 'dropped'",
        (segment, exporter),
    )


def forget(
    connection: sqlite3.Connection,
    segment: str,
    tables: Iterable[str] = ("delivery", "progress", "refused", "portion"),
) -> None:
    """Take a segment out of every table, or of these."""
    for table in tables:
        connection.execute(f"DELETE FROM {table} WHERE segment = ?", (segment,))  # noqa: S608
    connection.execute("DELETE FROM segment WHERE id = ?", (segment,))


def _decide(connection: sqlite3.Connection, segment: str, exporter: str, state: str, size: int, reason: str) -> None:
    """Note what a destination said of a segment that is still here; what it said first stays."""
    sql = "INSERT OR IGNORE INTO delivery SELECT id, ?, ?, ?, ? FROM segment WHERE id = ?"
    connection.execute(sql, (exporter, state, size, reason, segment))


def _finish(connection: sqlite3.Connection, segment: str) -> bool:
    """Forget a segment if every configured destination has what it takes of it; whether it was so."""
    (held,) = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM share WHERE segment = ? AND configured "
        "AND (outcome = 'pending' OR reason = 'rejected'))",
        (segment,),
    ).fetchone()
    if not held:
        _count(connection, segment)
        forget(connection, segment)
    return not held


def _count(connection: sqlite3.Connection, segment: str) -> None:
    """Count what became of a segment."""
    connection.execute(
        "INSERT INTO count SELECT origin, destination, outcome, reason, sum(records), sum(bytes) FROM share "
        "WHERE segment = ? GROUP BY origin, destination, outcome, reason "
        "ON CONFLICT DO UPDATE SET records = records + excluded.records, bytes = bytes + excluded.bytes",
        (segment,),
    )
    connection.execute(
        "INSERT INTO count SELECT origin, '', 'gone', '', records, bytes FROM portion WHERE segment = ? "
        "ON CONFLICT DO UPDATE SET records = records + excluded.records, bytes = bytes + excluded.bytes",
        (segment,),
    )


def _remove(path: Path) -> None:
    # The ledger does not know the file any more: what cannot be removed now goes at the next start.
    with suppress(OSError):
        path.unlink()
