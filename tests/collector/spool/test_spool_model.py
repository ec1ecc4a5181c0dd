"""Whatever is done in whatever order, and wherever it ends: every record is stored once, and the books balance."""

import errno
import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from spooling import (
    INPUT_BYTES,
    Record,
    append,
    contents,
    counted,
    deliveries,
    die,
    files,
    open_spool,
    position,
    position_of,
    prepare,
    read_segment,
    spooled,
)

from collector.spool import Amount, Ledger, Limits, Refused, Spool, SpoolError, SpoolFull, Unsent
from collector.stream_lane import _group

EXPORTERS = ("store", "mirror")
STREAM = "stream"  # an exporter that takes chunks
KEYS = ("a", "b", "c")
keys = st.sampled_from(KEYS)
exporters = st.sampled_from(EXPORTERS)


class Gate(RuleBasedStateMachine):
    """Sources number their records by key; objects are what the destinations hold, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.directory = self.root / "spool"
        self.objects: dict[str, dict[str, list[Record]]] = {exporter: {} for exporter in EXPORTERS}
        self.streamed: Counter[Record] = Counter()  # confirmed by the stream
        self.refused: Counter[Record] = Counter()
        self.committed = dict.fromkeys(KEYS, 0)  # by key: how many records are behind the committed position
        self.staged: dict[str, int] = {}
        self.dropped: set[Record] = set()
        self.staged_dropped: set[Record] = set()
        self.now = 0.0

    @initialize(workers=st.integers(1, 3))
    def start(self, workers: int) -> None:
        self.recovered = prepare(self.directory, [*EXPORTERS, STREAM])
        limits = Limits(segment_bytes=2_000, segment_age=10, open_segments=2)
        self.spools = [open_spool(self.directory, worker, limits, clock=lambda: self.now) for worker in range(workers)]
        for key in KEYS:
            assert position_of(self.spools[0], key) == self.committed[key]

    def spool(self, key: str) -> Spool:
        """Keys are split among the workers, however many there are."""
        return self.spools[KEYS.index(key) % len(self.spools)]

    def following(self, key: str) -> int:
        return self.staged.get(key, self.committed[key])

    def keys_of(self, spool: Spool) -> list[str]:
        return [key for key in KEYS if self.spool(key) is spool]

    def is_committed(self, spool: Spool) -> None:
        for key in self.keys_of(spool):
            self.committed[key] = self.staged.pop(key, self.committed[key])
            gone = {record for record in self.staged_dropped if record[0] == key}
            self.dropped |= gone
            self.staged_dropped -= gone

    def is_undone(self, spool: Spool) -> None:
        for key in self.keys_of(spool):
            self.staged.pop(key, None)
            self.staged_dropped -= {record for record in self.staged_dropped if record[0] == key}

    @rule(key=keys, count=st.integers(1, 3), hour=st.integers(0, 3), padding=st.sampled_from([0, 900]))
    def append(self, key: str, count: int, hour: int, padding: int) -> None:
        numbers = range(self.following(key), self.following(key) + count)
        append(self.spool(key), key, numbers, hour=hour, padding=padding)
        self.staged[key] = numbers[-1] + 1

    @rule(key=keys)
    def drop(self, key: str) -> None:
        number = self.following(key)
        self.spool(key).advance(
            [position(key, number + 1)], counts=[counted("read", 1), counted("dropped", 1, "filtered")]
        )
        self.staged[key] = number + 1
        self.staged_dropped.add((key, number))

    @rule(key=keys)
    def commit(self, key: str) -> None:
        self.spool(key).commit()
        self.is_committed(self.spool(key))

    @rule(key=keys, seconds=st.integers(0, 12))
    def time_passes(self, key: str, seconds: int) -> None:
        self.now += seconds
        self.spool(key).seal_due()
        self.is_committed(self.spool(key))

    @rule(key=keys, whole=st.booleans())
    def the_disk_is_full(self, key: str, whole: bool) -> None:
        """A write gets through in part, or not at all."""
        real = os.pwrite
        room = [] if whole else [40]

        def pwrite(fd: int, data: bytes, offset: int) -> int:
            if room:
                return real(fd, data[: room.pop()], offset)
            raise OSError(errno.ENOSPC, "No space left on device")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "pwrite", pwrite)
            with pytest.raises(SpoolFull):
                append(self.spool(key), key, [self.following(key)], hour=0)
        self.is_undone(self.spool(key))

    @precondition(lambda self: self.staged)
    @rule(data=st.data())
    def the_disk_fails_to_sync(self, data: st.DataObject) -> None:
        spool = self.spool(data.draw(st.sampled_from(sorted(self.staged))))
        if not spool.staged_bytes:
            return

        def fdatasync(fd: int) -> None:
            raise OSError(errno.EIO, "Input/output error")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fdatasync", fdatasync)
            with pytest.raises(SpoolError):
                spool.commit()
        self.is_undone(spool)

    @rule(exporter=exporters, confirm=st.booleans())
    def ship(self, exporter: str, confirm: bool) -> None:
        """The oldest segment arrives; without `confirm` the shipper dies before it can say so."""
        with deliveries(self.directory) as shipper:
            for segment in shipper.sealed(exporter, limit=1):
                assert segment.records == len(read_segment(segment))
                self.objects[exporter][segment.name] = read_segment(segment)
                if confirm:
                    shipper.delivered(segment, exporter, segment.bytes)

    @rule(exporter=exporters)
    def reject(self, exporter: str) -> None:
        with deliveries(self.directory) as shipper:
            for segment in shipper.sealed(exporter, limit=1):
                self.objects[exporter].pop(segment.name, None)
                shipper.rejected(segment, exporter, "too large")

    @rule(exporter=exporters)
    def put_back(self, exporter: str) -> None:
        with deliveries(self.directory) as shipper:
            shipper.put_back(exporter)

    @rule(confirm=st.booleans(), limit=st.sampled_from([1, 400, 100_000]), groups=st.integers(1, 3))
    def stream(self, confirm: bool, limit: int, groups: int) -> None:
        """Some chunks arrive; without `confirm` the shipper dies before it can say so."""
        with deliveries(self.directory) as shipper:
            for unsent in shipper.unsent(STREAM, limit=1):
                offset = unsent.offset
                data = unsent.segment.path.read_bytes()
                for _ in range(groups):
                    start, offset = offset, max(offset, _group(unsent, offset, limit)[1])
                    if confirm:
                        assert shipper.sent(unsent, STREAM, start, offset)
                        self.streamed += Counter(contents(data[start:offset]))
                    if offset == unsent.segment.bytes:
                        break

    @rule()
    def stream_refuses(self) -> None:
        with deliveries(self.directory) as shipper:
            for unsent in shipper.unsent(STREAM, limit=1):
                chunks, end = _group(unsent, unsent.offset, 1)
                for header, _ in chunks:
                    what = Refused(unsent.offset, header.source, header.records, header.input_bytes, "no")
                    assert shipper.sent(unsent, STREAM, unsent.offset, end, [what])
                    self.refused += Counter(between(unsent, unsent.offset, end))

    @rule()
    def stream_is_put_back(self) -> None:
        """What came behind the first refused chunk is to be sent again."""
        with deliveries(self.directory) as shipper:
            offsets = "SELECT min(offset) FROM refused WHERE segment = ?"
            firsts = {s.id: self.query(offsets, s.id)[0][0] for s, _ in shipper.set_aside(STREAM)}
            assert shipper.put_back(STREAM) == len(firsts)
            assert shipper.set_aside(STREAM) == []
            for unsent in shipper.unsent(STREAM, limit=1_000):
                if unsent.segment.id in firsts:
                    assert unsent.offset == firsts[unsent.segment.id]
            names = dict(self.query("SELECT id, file FROM segment"))
            again: Counter[Record] = Counter()
            for segment, first in firsts.items():
                data = (self.directory / "segments" / str(names[segment])).read_bytes()
                again += Counter(contents(data[first:]))
            self.streamed -= again
            self.refused.clear()

    @rule(workers=st.integers(1, 3), torn=st.binary(max_size=100))
    def everything_is_killed(self, workers: int, torn: bytes) -> None:
        """All processes end at once; a last write may have reached the disk in part. Others take over."""
        self.stop()
        self.staged, self.staged_dropped = {}, set()
        for path in files(self.directory)[-1:]:
            if path.stat().st_size and self.is_open(path):
                with path.open("ab") as file:
                    file.write(torn)
        self.start(workers)

    @rule(worker=st.integers(0, 2))
    def one_worker_is_killed(self, worker: int) -> None:
        worker %= len(self.spools)
        spool = self.spools[worker]
        self.is_undone(spool)
        die(spool)
        self.spools[worker] = open_spool(self.directory, worker, spool._limits, clock=lambda: self.now)

    def is_open(self, path: Path) -> bool:
        rows = self.query("SELECT state FROM segment WHERE file = ?", path.name)
        return not rows or rows == [("open",)]

    def query(self, sql: str, *parameters: object) -> list[tuple[object, ...]]:
        ledger = Ledger.open(self.directory)
        try:
            return ledger.read(sql, *parameters)
        finally:
            ledger.close()

    @invariant()
    def every_committed_record_is_somewhere_once(self) -> None:
        if not hasattr(self, "spools"):
            return
        expected = {(key, number) for key in KEYS for number in range(self.committed[key])} - self.dropped
        assert Counter(spooled(self.directory)) <= Counter(expected)
        names = [str(row[0]) for row in self.query("SELECT id FROM segment")]
        for exporter in EXPORTERS:
            arrived = [
                record
                for name, records in self.objects[exporter].items()
                if not any(id_ in name for id_ in names)  # what is still in the spool is counted there
                for record in records
            ]
            assert Counter(arrived) + Counter(spooled(self.directory)) == Counter(expected)

    @invariant()
    def the_stream_has_every_record_once_or_will_have_it(self) -> None:
        if not hasattr(self, "spools"):
            return
        expected = {(key, number) for key in KEYS for number in range(self.committed[key])} - self.dropped
        with deliveries(self.directory) as shipper:
            waiting = Counter(
                record
                for unsent in shipper.unsent(STREAM, limit=1_000)
                for record in between(unsent, unsent.offset, unsent.segment.bytes)
            )
        assert self.streamed + self.refused + waiting == Counter(expected)

    @invariant()
    def the_books_balance(self) -> None:
        if not hasattr(self, "spools"):
            return
        ledger = Ledger.open(self.directory)
        balances = ledger.balance()
        ledger.close()
        read = sum(self.committed.values())
        for balance in balances:
            assert balance.holds, balance
            assert balance.read == Amount(read, read * INPUT_BYTES)
            assert balance.dropped.get("filtered", Amount()).records == len(self.dropped)
            if balance.destination == STREAM:
                assert balance.dropped.get("rejected", Amount()).records == self.refused.total()
                assert balance.delivered.records <= self.streamed.total()
                continue
            with deliveries(self.directory) as shipper:
                aside = [s.records for s, _ in shipper.set_aside(balance.destination)]
                waiting = [s.name for s in shipper.sealed(balance.destination, limit=1_000)]
            assert balance.dropped.get("rejected", Amount()).records == sum(aside)
            confirmed = [r for name, r in self.objects[balance.destination].items() if name not in waiting]
            assert balance.delivered.records == sum(map(len, confirmed))

    @invariant()
    def the_spool_knows_its_size(self) -> None:
        if hasattr(self, "spools"):
            total = sum(path.stat().st_size for path in files(self.directory))
            staged = sum(spool.staged_bytes for spool in self.spools)
            assert self.query("SELECT bytes FROM usage WHERE what = 'segments'") == [(total - staged,)]

    def stop(self) -> None:
        for spool in self.spools:
            die(spool)
        self.recovered.close()

    def teardown(self) -> None:
        if hasattr(self, "spools"):
            for spool in self.spools:
                spool.close()
            self.recovered.close()
        shutil.rmtree(self.root)


def between(unsent: Unsent, start: int, end: int) -> list[Record]:
    return contents(unsent.segment.path.read_bytes()[start:end]) if unsent.segment.path.exists() else []


TestGate = Gate.TestCase
TestGate.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
