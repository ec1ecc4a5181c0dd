"""The ledger: one SQLite file per node that says what is stored, how far sources have come, and what went where.

Worker processes and the shipping process use it at once. Whatever belongs together goes into one transaction: a
segment's new length, the positions that data stands behind, the counts, the quarantined records.

    segment      a segment file: its committed length, what is in it, `open` or `sealed`
    portion      a segment's share of each source, in input units (records and bytes as read)
    position     how far a source has come, per file or partition; the newest epoch only
    destination  every exporter there ever was, the signals it takes, and whether it is configured now
    delivery     what a destination said of a whole segment, `delivered` or `rejected`, or that it was `dropped` before
                 it got there; no row: pending
    progress     how far an exporter that takes chunks has come in a segment that it has not all of
    refused      chunks that such an exporter's destination will never take
    share        what each destination has made of each segment that is still here (a view)
    count        what became of the rest, and of what was read; `destination` is empty where it concerns all of them
    quarantine   sealed records that could not be scrubbed (see collector/quarantine.py)
    usage        bytes of segments and of the quarantine, kept by triggers, so that asking costs nothing
"""

import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, TypeAlias

from collector.batch import Position
from collector.spool.errors import SpoolFull, SpoolRefused, of_sqlite

VERSION = 2
FILE_NAME = "ledger.sqlite"
BUSY_SECONDS = 60  # a writer holds the lock for milliseconds; this long means a stuck disk

Outcome: TypeAlias = Literal["read", "dropped", "quarantined"]

SCHEMA = """
CREATE TABLE segment(
    id TEXT PRIMARY KEY, file TEXT NOT NULL, node TEXT NOT NULL, worker INTEGER NOT NULL, signal TEXT NOT NULL,
    format TEXT NOT NULL, retention TEXT NOT NULL, policy TEXT NOT NULL, bytes INTEGER NOT NULL,
    records INTEGER NOT NULL, first_time INTEGER NOT NULL, last_time INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'sealed'))
) WITHOUT ROWID;
CREATE TABLE portion(
    segment TEXT NOT NULL, origin TEXT NOT NULL, records INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (segment, origin)
) WITHOUT ROWID;
CREATE TABLE position(
    source TEXT NOT NULL, key TEXT NOT NULL, epoch INTEGER NOT NULL, value BLOB NOT NULL, PRIMARY KEY (source, key)
) WITHOUT ROWID;
CREATE TABLE destination(
    name TEXT PRIMARY KEY, configured INTEGER NOT NULL, signals TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE delivery(
    segment TEXT NOT NULL, exporter TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('delivered', 'rejected', 'dropped')), bytes INTEGER NOT NULL,
    reason TEXT NOT NULL, PRIMARY KEY (segment, exporter)
) WITHOUT ROWID;
CREATE TABLE progress(
    segment TEXT NOT NULL, exporter TEXT NOT NULL, offset INTEGER NOT NULL, PRIMARY KEY (segment, exporter)
) WITHOUT ROWID;
CREATE TABLE refused(
    segment TEXT NOT NULL, exporter TEXT NOT NULL, offset INTEGER NOT NULL, origin TEXT NOT NULL,
    records INTEGER NOT NULL, bytes INTEGER NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (segment, exporter, offset)
) WITHOUT ROWID;
CREATE VIEW share AS
    SELECT p.segment, p.origin, d.name AS destination, d.configured,
        CASE WHEN v.state = 'delivered' THEN 'delivered'
            WHEN v.state IS NULL AND d.configured AND instr(d.signals, s.signal) THEN 'pending'
            ELSE 'dropped' END AS outcome,
        CASE WHEN v.state = 'rejected' THEN 'rejected'
            WHEN v.state = 'dropped' THEN v.reason
            WHEN v.state IS NOT NULL THEN ''
            WHEN NOT d.configured THEN 'not_configured'
            WHEN NOT instr(d.signals, s.signal) THEN 'excluded'
            ELSE '' END AS reason,
        p.records - coalesce((SELECT sum(r.records) FROM refused r
            WHERE r.segment = p.segment AND r.exporter = d.name AND r.origin = p.origin), 0) AS records,
        p.bytes - coalesce((SELECT sum(r.bytes) FROM refused r
            WHERE r.segment = p.segment AND r.exporter = d.name AND r.origin = p.origin), 0) AS bytes
    FROM portion p JOIN segment s ON s.id = p.segment JOIN destination d
    LEFT JOIN delivery v ON v.segment = p.segment AND v.exporter = d.name
    UNION ALL
    SELECT r.segment, r.origin, d.name, d.configured, 'dropped', 'rejected', r.records, r.bytes
    FROM refused r JOIN destination d ON d.name = r.exporter;
CREATE TABLE count(
    origin TEXT NOT NULL, destination TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL,
    records INTEGER NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (origin, destination, outcome, reason)
) WITHOUT ROWID;
CREATE TABLE quarantine(
    id TEXT PRIMARY KEY, time INTEGER NOT NULL, source TEXT NOT NULL, signal TEXT NOT NULL, reason TEXT NOT NULL,
    sealed BLOB NOT NULL
);
CREATE TABLE usage(what TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO usage VALUES ('segments', 0), ('quarantine', 0);
CREATE TRIGGER segment_added AFTER INSERT ON segment
    BEGIN UPDATE usage SET bytes = bytes + new.bytes WHERE what = 'segments'; END;
CREATE TRIGGER segment_changed AFTER UPDATE OF bytes ON segment
    BEGIN UPDATE usage SET bytes = bytes + new.bytes - old.bytes WHERE what = 'segments'; END;
CREATE TRIGGER segment_removed AFTER DELETE ON segment
    BEGIN UPDATE usage SET bytes = bytes - old.bytes WHERE what = 'segments'; END;
CREATE TRIGGER quarantine_added AFTER INSERT ON quarantine
    BEGIN UPDATE usage SET bytes = bytes + length(new.sealed) WHERE what = 'quarantine'; END;
CREATE TRIGGER quarantine_removed AFTER DELETE ON quarantine
    BEGIN UPDATE usage SET bytes = bytes - length(old.sealed) WHERE what = 'quarantine'; END;
"""


class Amount(NamedTuple):
    """Records and bytes in input units."""

    records: int = 0
    bytes: int = 0

    def plus(self, records: int, size: int) -> "Amount":
        return Amount(self.records + records, self.bytes + size)


@dataclass(slots=True, frozen=True)
class Count:
    """What became of records of one source. `read` is counted for everything a source handed on."""

    origin: str  # the source's name
    outcome: Outcome
    records: int
    bytes: int  # as read from the source
    reason: str = ""


class SegmentRow(NamedTuple):
    """One row of `segment`."""

    id: str
    file: str
    node: str
    worker: int
    signal: str
    format: str
    retention: str
    policy: str
    bytes: int
    records: int
    first_time: int
    last_time: int
    state: str


class SealedRecord(NamedTuple):
    """One row of `quarantine`; `sealed` is ciphertext."""

    id: str
    time: int  # ns since the epoch, UTC
    source: str
    signal: str
    reason: str
    sealed: bytes


@dataclass(slots=True)
class Staged:
    """What one transaction will write."""

    segments: list[SegmentRow] = field(default_factory=list)
    portions: dict[tuple[str, str], Amount] = field(default_factory=dict)  # by segment and origin
    positions: dict[tuple[str, str], Position] = field(default_factory=dict)  # by source and key
    forgotten: list[tuple[str, str]] = field(default_factory=list)
    counts: dict[tuple[str, str, str, str], Amount] = field(default_factory=dict)  # the key of the table
    quarantined: list[SealedRecord] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__)

    def count(self, counts: Iterable[Count]) -> None:
        for item in counts:
            key = (item.origin, "", item.outcome, item.reason)
            self.counts[key] = self.counts.get(key, Amount()).plus(item.records, item.bytes)


@dataclass(slots=True, frozen=True)
class Balance:
    """What became of one source's records on the way to one destination, in input units."""

    origin: str
    destination: str
    read: Amount
    delivered: Amount
    pending: Amount
    dropped: dict[str, Amount]  # by reason
    quarantined: dict[str, Amount]

    @property
    def records(self) -> dict[str, int]:
        """Records by outcome."""
        amounts = {"read": (self.read,), "delivered": (self.delivered,), "pending": (self.pending,)}
        reasons = {"dropped": self.dropped.values(), "quarantined": self.quarantined.values()}
        return {outcome: sum(each.records for each in found) for outcome, found in (amounts | reasons).items()}

    @property
    def holds(self) -> bool:
        """read = delivered + pending + dropped + quarantined"""
        parts = [self.delivered, self.pending, *self.dropped.values(), *self.quarantined.values()]
        return self.read == Amount(sum(part.records for part in parts), sum(part.bytes for part in parts))


class Ledger:
    """A connection to the ledger of a node; any thread may use it, one at a time gets through."""

    def __init__(self, path: Path) -> None:
        """Connect without looking whether there is a schema; `open` does. Raises SpoolError."""
        self.path = path
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(path, BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise of_sqlite(error, path) from error
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            # What a burst (quarantined records) made of the write-ahead log is given back at the next checkpoint.
            self._connection.execute(f"PRAGMA journal_size_limit = {16 << 20}")
        except sqlite3.Error as error:
            self._connection.close()
            raise of_sqlite(error, path) from error

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open the ledger that recovery has prepared. Raises SpoolRefused if there is none, or a newer one."""
        path = directory / FILE_NAME
        if not path.exists():
            raise SpoolRefused(f"{directory} is not a spool (there is no {FILE_NAME})")
        ledger = cls(path)
        if ledger.version != VERSION:
            ledger.close()
            raise SpoolRefused(f"{path} has version {ledger.version}; this sluicegate knows version {VERSION}")
        return ledger

    @property
    def version(self) -> int:
        """Of the schema; 0: there is none yet."""
        return int(self.read("PRAGMA user_version")[0][0])

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing. Raises SpoolError, with nothing written."""
        committing = full = False
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                committing = True
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                failure = of_sqlite(error, self.path, committing=committing)
                full = isinstance(failure, SpoolFull)
                raise failure from error
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                if full:
                    self._make_room()

    def _make_room(self) -> None:
        """Let the write-ahead log begin anew: then the next transaction needs no room that the ledger has not got.

        Without this a full disk could not be emptied: that a segment was delivered has to be written first.
        """
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()

    def read(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """All rows of one query. Raises SpoolError."""
        with self._lock:
            try:
                return self._connection.execute(sql, parameters).fetchall()
            except sqlite3.Error as error:
                raise of_sqlite(error, self.path) from error

    def write(self, staged: Staged) -> None:
        """Write what is staged in one transaction. Raises SpoolError."""
        with self.transaction() as connection:
            put(connection, staged)

    def positions(self, source: str) -> dict[str, Position]:
        """How far the source has come, by key."""
        rows = self.read("SELECT key, epoch, value FROM position WHERE source = ?", source)
        return {key: Position(source, key, epoch, value) for key, epoch, value in rows}

    def usage(self, what: Literal["segments", "quarantine"]) -> int:
        """Bytes on disk."""
        return int(self.read("SELECT bytes FROM usage WHERE what = ?", what)[0][0])

    def balance(self) -> list[Balance]:
        """What became of everything read, per source and configured destination."""
        return [
            Balance(
                origin,
                destination,
                read=_total(rows, "read"),
                delivered=_total(rows, "delivered"),
                pending=_total(rows, "pending"),
                dropped=_by_reason(rows, "dropped"),
                quarantined=_by_reason(rows, "quarantined"),
            )
            for (origin, destination), rows in self._outcomes().items()
        ]

    def _outcomes(self) -> dict[tuple[str, str], list[tuple[str, str, int, int]]]:
        """By origin and configured destination: rows of outcome, reason, records, bytes."""
        found: dict[tuple[str, str], list[tuple[str, str, int, int]]] = {}
        for origin, destination, *row in self.read(_OUTCOMES):
            found.setdefault((origin, destination), []).append(tuple(row))
        return found


# What was rejected is not yet lost: its files stay until somebody decides.
_OUTCOMES = """
SELECT c.origin, d.name, c.outcome, c.reason, c.records, c.bytes
    FROM destination d JOIN count c ON c.destination IN ('', d.name) WHERE d.configured AND c.outcome != 'gone'
UNION ALL
SELECT origin, destination, outcome, reason, sum(records), sum(bytes)
    FROM share WHERE configured GROUP BY origin, destination, outcome, reason
ORDER BY 1, 2
"""


def put(connection: sqlite3.Connection, staged: Staged) -> None:
    """Write what is staged within the transaction of `connection`."""
    connection.executemany(
        "INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "bytes = excluded.bytes, records = excluded.records, first_time = excluded.first_time, "
        "last_time = excluded.last_time, state = excluded.state",
        staged.segments,
    )
    connection.executemany(
        "INSERT INTO portion VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "records = records + excluded.records, bytes = bytes + excluded.bytes",
        [(*key, *amount) for key, amount in staged.portions.items()],
    )
    connection.executemany("DELETE FROM position WHERE source = ? AND key = ?", staged.forgotten)
    connection.executemany(
        "INSERT INTO position VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "epoch = excluded.epoch, value = excluded.value",
        [(p.source, p.key, p.epoch, p.value) for p in staged.positions.values()],
    )
    add_counts(connection, staged.counts)
    connection.executemany("INSERT OR IGNORE INTO quarantine VALUES (?, ?, ?, ?, ?, ?)", staged.quarantined)


def add_counts(connection: sqlite3.Connection, counts: dict[tuple[str, str, str, str], Amount]) -> None:
    """Add to the counts, by origin, destination, outcome and reason."""
    connection.executemany(
        "INSERT INTO count VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "records = records + excluded.records, bytes = bytes + excluded.bytes",
        [(*key, *amount) for key, amount in counts.items()],
    )


def _total(rows: Collection[tuple[str, str, int, int]], outcome: str) -> Amount:
    amount = Amount()
    for found, _, records, size in rows:
        if found == outcome:
            amount = amount.plus(records, size)
    return amount


def _by_reason(rows: Collection[tuple[str, str, int, int]], outcome: str) -> dict[str, Amount]:
    amounts: dict[str, Amount] = {}
    for found, reason, records, size in rows:
        if found == outcome:
            amounts[reason] = amounts.get(reason, Amount()).plus(records, size)
    return amounts
