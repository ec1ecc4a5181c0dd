"""What is committed reaches an exporter that takes chunks at once and in order, whatever happens in between."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import orjson
import pytest

from collector import own_log, telemetry
from collector.lane import Backoff
from collector.shipper import Shipper
from collector.spool import Amount, Balance, Count, Deliveries, Ledger, Limits, Spool, pending, put_back, recover
from exporters.chunk import ChunkHeader, decode
from exporters.exporter import Accepted, Chunk, Rejected, Retryable
from exporters.segment import Segment

AT_ONCE = Backoff(first=0.0, most=0.0)
NEVER = Backoff(first=1e6, most=1e6)
HOUR = 3_600_000_000_000


class Stream:
    """Takes chunks into memory; `script` says what to raise, call by call, before it takes things."""

    def __init__(self, name: str = "stream", script: "list[Exception | None] | None" = None, group: int = 100) -> None:
        self.name, self.group_bytes = name, group
        self.script = script or []
        self.calls: list[list[int]] = []
        self.took: list[int] = []
        self.poison: set[int] = set()
        self.down: Exception | None = None
        self.tried = threading.Semaphore(0)
        self.closed = False

    def check(self) -> None: ...

    def send(self, chunks: Sequence[Chunk]) -> Accepted:
        numbers = [orjson.loads(line)["n"] for header, frame in chunks for line in decode(header, frame).splitlines()]
        self.calls.append(numbers)
        try:
            if error := self.down or (self.script.pop(0) if self.script else None):
                raise error
            if self.poison & set(numbers):
                raise Rejected("bad data")
            self.took += numbers
            return Accepted(bytes=10 * len(numbers), requests=1)
        finally:
            self.tried.release()

    def close(self) -> None:
        self.closed = True


class Objects:
    """An exporter of whole segments."""

    def __init__(self, name: str = "objects") -> None:
        self.name = name
        self.segments: list[str] = []
        self.down: Exception | None = None

    def check(self) -> None: ...

    def export(self, segment: Segment) -> int:
        if self.down:
            raise self.down
        self.segments.append(segment.id)
        return segment.bytes

    def close(self) -> None: ...


class Setting:
    """A spool, its workers, and what ships it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.number = 0

    def worker(self, worker: int = 0, segment_bytes: int = 1 << 20) -> Spool:
        return Spool.open(self.directory, node="n", worker=worker, limits=Limits(segment_bytes=segment_bytes))

    def put(self, spool: Spool, count: int = 1, *, hour: int = 1, signal: str = "logs") -> None:
        """Commit so many chunks of one record."""
        for _ in range(count):
            header = ChunkHeader(
                signal=signal,  # type: ignore[arg-type]
                format="lines",
                source="s",
                records=1,
                first_time=hour * HOUR,
                last_time=hour * HOUR,
                policy="p",
                input_bytes=10,
            )
            spool.append(header, b'{"n":%d}\n' % self.number, retention="standard", counts=[Count("s", "read", 1, 10)])
            spool.commit()
            self.number += 1

    def ship(
        self,
        exporters: "list[Stream | Objects]",
        act: Callable[[Shipper], Awaitable[object]],
        backoff: Backoff = AT_ONCE,
        poll: float = 0.01,
    ) -> object:
        deliveries = Deliveries.open(self.directory)

        async def main() -> object:
            shipper = Shipper(deliveries, exporters, poll=poll, backoff=backoff)
            running = asyncio.create_task(shipper.run())
            try:
                return await act(shipper)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                shipper.close()

        try:
            return asyncio.run(main())
        finally:
            deliveries.close()

    def files(self) -> list[Path]:
        return list((self.directory / "segments").iterdir())

    def balance(self, exporter: str) -> Balance:
        ledger = Ledger.open(self.directory)
        try:
            (found,) = [balance for balance in ledger.balance() if balance.destination == exporter]
            assert found.holds, found
            return found
        finally:
            ledger.close()


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    with recover(tmp_path / "spool", node="n", exporters=["stream"]):
        yield Setting(tmp_path / "spool")


@pytest.fixture(autouse=True)
def own_metrics() -> Iterator[None]:
    telemetry.unshare()
    own_log.limit = own_log.RateLimit()
    yield
    telemetry.unshare()


def drain(shipper: Shipper) -> Awaitable[bool]:
    return shipper.drain()


def test_what_is_committed_is_sent_while_the_segment_is_open(setting: Setting) -> None:
    stream, spool = Stream(), setting.worker()
    setting.put(spool, 3)

    async def act(shipper: Shipper) -> None:
        await shipper.drain()
        assert stream.took == [0, 1, 2]
        setting.put(spool, 2)
        await shipper.drain()
        assert stream.took == [0, 1, 2, 3, 4]
        assert len(setting.files()) == 1
        assert setting.balance("stream").pending == Amount(5, 50), "delivered counts whole segments"
        spool.close()
        await shipper.drain()

    setting.ship([stream], act)
    assert stream.took == [0, 1, 2, 3, 4]
    assert setting.files() == []
    assert setting.balance("stream").delivered == Amount(5, 50)
    assert telemetry.total(telemetry.EXPORT_RECORDS, exporter="stream") == 5
    assert stream.closed


def test_chunks_go_in_groups_of_about_the_size_asked_for(setting: Setting) -> None:
    stream, spool = Stream(group=30), setting.worker()
    setting.put(spool, 10)  # 8 bytes each
    setting.ship([stream], drain)
    assert [len(call) for call in stream.calls] == [3, 3, 3, 1]
    spool.close()


def test_chunks_without_records_say_nothing_of_the_destination(setting: Setting) -> None:
    class Silent(Stream):
        def send(self, chunks: Sequence[Chunk]) -> Accepted:
            super().send(chunks)
            return Accepted(0, 0)

    spool = setting.worker()
    setting.put(spool)
    spool.close()
    setting.ship([Silent()], drain)
    assert setting.files() == []
    assert telemetry.total(telemetry.EXPORT_UP, exporter="stream") == 0


def test_a_backlog_of_one_worker_does_not_hide_another(setting: Setting) -> None:
    spools = [setting.worker(worker, segment_bytes=1) for worker in range(2)]
    setting.put(spools[0], 5)
    setting.put(spools[1], 2)
    for spool in spools:
        spool.close()
    deliveries = Deliveries.open(setting.directory)
    found = deliveries.unsent("stream", limit=3)
    deliveries.close()
    assert [unsent.worker for unsent in found] == [0, 0, 0, 1, 1]


def test_segments_of_a_worker_go_in_order_of_birth_one_at_a_time(setting: Setting) -> None:
    stream, spool = Stream(), setting.worker(segment_bytes=1)
    setting.put(spool, 12)
    spool.close()
    setting.ship([stream], drain)
    assert stream.took == list(range(12))
    assert setting.files() == []


def test_failures_cost_nothing_and_keep_the_order(setting: Setting) -> None:
    stream, spool = Stream(group=8), setting.worker()
    stream.script = [None, Retryable("down"), RuntimeError("bug"), None, Retryable("slow", after=0.0)]
    setting.put(spool, 5)
    setting.ship([stream], drain)
    assert stream.took == [0, 1, 2, 3, 4]
    assert telemetry.total(telemetry.EXPORT_ERRORS, reason="retryable") == 2
    assert telemetry.total(telemetry.EXPORT_ERRORS, reason="unforeseen") == 1
    assert telemetry.total(telemetry.EXPORT_UP, exporter="stream") == 1
    spool.close()


def test_a_restart_goes_on_where_the_last_confirmed_group_ended(setting: Setting) -> None:
    first, spool = Stream(group=8), setting.worker()
    first.script = [None, None, Retryable("gone")]
    setting.put(spool, 5)

    async def until_it_fails(shipper: Shipper) -> None:
        for _ in range(3):
            await asyncio.to_thread(first.tried.acquire)

    setting.ship([first], until_it_fails, NEVER)
    assert first.took == [0, 1]
    second = Stream(group=1000)
    setting.ship([second], drain)
    assert second.took == [2, 3, 4]
    spool.close()


def test_a_refused_chunk_is_kept_and_the_rest_passes(setting: Setting) -> None:
    stream, spool = Stream(), setting.worker()
    stream.poison = {2, 5}
    setting.put(spool, 8)
    spool.close()
    assert setting.ship([stream], drain)
    assert stream.took == [0, 1, 3, 4, 6, 7]
    balance = setting.balance("stream")
    assert balance.delivered == Amount(6, 60)
    assert balance.dropped == {"rejected": Amount(2, 20)}
    assert len(setting.files()) == 1
    assert telemetry.total(telemetry.EXPORT_REFUSED, exporter="stream", reason="rejected") == 2
    deliveries = Deliveries.open(setting.directory)
    assert [why for _, why in deliveries.set_aside("stream")] == ["bad data"]
    assert deliveries.put_back("stream") == 1
    deliveries.close()
    again = Stream()
    assert setting.ship([again], drain)
    assert again.took == [2, 3, 4, 5, 6, 7], "from the first refused one on"
    assert setting.files() == []
    assert setting.balance("stream").delivered == Amount(8, 80)


def test_what_is_put_back_while_its_segment_is_being_sent_is_sent_again(setting: Setting) -> None:
    stream, spool = Stream(group=8), setting.worker()
    setting.put(spool, 6)
    stream.poison = {1}
    ledger = Ledger.open(setting.directory)

    async def act(shipper: Shipper) -> None:
        for _ in range(4):
            await asyncio.to_thread(stream.tried.acquire)
        stream.poison = set()
        assert await asyncio.to_thread(put_back, ledger, "stream") == 1
        await shipper.drain()

    setting.ship([stream], act)
    assert set(stream.took) == set(range(6))
    assert stream.took[-5:] == [1, 2, 3, 4, 5]
    ledger.close()
    spool.close()
    setting.ship([stream], drain)
    assert setting.balance("stream").delivered == Amount(6, 60)


def test_a_damaged_chunk_ends_its_segment_but_not_the_lane(setting: Setting) -> None:
    stream, spool = Stream(), setting.worker(segment_bytes=1)
    setting.put(spool, 3)
    spool.close()
    path = sorted(setting.files())[1]
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)
    assert setting.ship([stream], drain)
    assert stream.took == [0, 2]
    assert setting.balance("stream").dropped == {"rejected": Amount(1, 10)}
    assert setting.files() == [path]


def test_a_dead_stream_holds_up_neither_objects_nor_loses_anything(tmp_path: Path) -> None:
    setting = Setting(tmp_path / "spool")
    stream, objects = Stream(), Objects()
    with recover(setting.directory, node="n", exporters=["stream", "objects"]):
        spool = setting.worker(segment_bytes=1)
        setting.put(spool, 6)
        spool.close()
        stream.down = Retryable("no route")

        async def until_objects_have_all(shipper: Shipper) -> None:
            await shipper._lanes[1].emptied()

        setting.ship([stream, objects], until_objects_have_all, NEVER)
        assert len(objects.segments) == 6
        assert len(setting.files()) == 6
        assert setting.balance("stream").pending == Amount(6, 60)
        assert setting.balance("objects").delivered == Amount(6, 60)
        stream.down = None
        setting.ship([stream, objects], drain)
        assert stream.took == list(range(6))
        assert len(objects.segments) == 6, "what was confirmed is not sent again"
        assert setting.files() == []


def test_a_file_waits_for_objects_that_come_after_the_stream(tmp_path: Path) -> None:
    setting = Setting(tmp_path / "spool")
    stream, objects = Stream(), Objects()
    objects.down = Retryable("no such bucket")
    with recover(setting.directory, node="n", exporters=["stream", "objects"]):
        spool = setting.worker(segment_bytes=1)
        setting.put(spool, 2)
        spool.close()

        async def until_the_stream_has_all(shipper: Shipper) -> None:
            await shipper._lanes[0].emptied()

        setting.ship([stream, objects], until_the_stream_has_all, NEVER)
        assert setting.balance("stream").delivered == Amount(2, 20)
        assert len(setting.files()) == 2


def test_an_exporter_that_is_taken_out_in_the_middle_is_not_waited_for_and_may_come_back(tmp_path: Path) -> None:
    setting = Setting(tmp_path / "spool")
    with recover(setting.directory, node="n", exporters=["stream", "objects"]):
        spool = setting.worker()
        setting.put(spool, 4)
        stream = Stream(group=8)
        stream.script = [None, None, Retryable("gone")]

        async def until_it_fails(shipper: Shipper) -> None:
            for _ in range(3):
                await asyncio.to_thread(stream.tried.acquire)

        setting.ship([stream], until_it_fails, NEVER)
        spool.close()
    with recover(setting.directory, node="n", exporters=["objects"]):
        pass
    with recover(setting.directory, node="n", exporters=["stream", "objects"]):
        stream = Stream()
        setting.ship([stream], drain)
        assert stream.took == [2, 3]
        assert setting.balance("stream").delivered == Amount(4, 40)
    with recover(setting.directory, node="n", exporters=["stream"]):
        assert setting.files() == []


def test_a_new_stream_gets_what_is_still_there(tmp_path: Path) -> None:
    setting = Setting(tmp_path / "spool")
    with recover(setting.directory, node="n", exporters=["objects"]):
        spool = setting.worker(segment_bytes=1)
        setting.put(spool, 1)
        objects = Objects()
        setting.ship([objects], drain)
        setting.put(spool, 2)
        spool.close()
    with recover(setting.directory, node="n", exporters=["objects", "stream"]):
        stream = Stream()
        setting.ship([stream], drain)
        assert stream.took == [1, 2]
        balance = setting.balance("stream")
        assert balance.dropped == {"not_configured": Amount(1, 10)}
        assert balance.delivered == Amount(2, 20)


def test_signals_a_destination_does_not_take_are_not_sent_there_and_counted(tmp_path: Path) -> None:
    setting = Setting(tmp_path / "spool")
    signals = {"stream": ["traces"]}
    with recover(setting.directory, node="n", exporters=["stream", "objects"], signals=signals):
        spool = setting.worker()
        setting.put(spool, 1, signal="traces")
        setting.put(spool, 2, signal="logs")
        spool.close()
        stream, objects = Stream(), Objects()
        setting.ship([stream, objects], drain)
        assert stream.took == [0]
        assert len(objects.segments) == 2
        assert setting.files() == []
        assert setting.balance("stream").delivered == Amount(1, 10)
        assert setting.balance("stream").dropped == {"excluded": Amount(2, 20)}
        assert setting.balance("objects").dropped == {}


def test_a_lost_ledger_costs_repetition_and_no_record(setting: Setting, tmp_path: Path) -> None:
    stream, spool = Stream(group=8), setting.worker()
    stream.script = [None, None, Retryable("gone")]
    setting.put(spool, 4)

    async def until_it_fails(shipper: Shipper) -> None:
        for _ in range(3):
            await asyncio.to_thread(stream.tried.acquire)

    setting.ship([stream], until_it_fails, NEVER)
    spool.close()
    copy = tmp_path / "copy"
    (copy / "segments").mkdir(parents=True)
    for path in setting.files():
        path.rename(copy / "segments" / path.name)
    setting = Setting(copy)
    with recover(copy, node="n", exporters=["stream"]) as found:
        assert found.rebuilt == "lost"
        again = Stream()
        setting.ship([again], drain)
        assert again.took == [0, 1, 2, 3]
        assert setting.balance("stream").delivered == Amount(4, 40)


def test_a_segment_that_lost_bytes_is_sent_as_far_as_it_is_whole(tmp_path: Path) -> None:
    setting = Setting(tmp_path / "spool")
    stream = Stream(group=8)
    stream.script = [None, None, Retryable("gone")]
    with recover(setting.directory, node="n", exporters=["stream"]):
        spool = setting.worker()
        setting.put(spool, 5)

        async def until_it_fails(shipper: Shipper) -> None:
            for _ in range(3):
                await asyncio.to_thread(stream.tried.acquire)

        setting.ship([stream], until_it_fails, NEVER)
        (path,) = setting.files()
        size = path.stat().st_size
        spool.close()
    with path.open("r+b") as file:
        file.truncate(size * 7 // 10)  # in the fourth of five chunks
    with recover(setting.directory, node="n", exporters=["stream"]) as found:
        assert len(found.damaged) == 1
        again = Stream()
        setting.ship([again], drain)
        assert again.took == [2]
        balance = setting.balance("stream")
        assert balance.delivered == Amount(3, 30)
        assert balance.dropped == {"damaged": Amount(2, 20)}


def test_a_segment_that_lost_what_was_sent_is_done(tmp_path: Path) -> None:
    setting = Setting(tmp_path / "spool")
    with recover(setting.directory, node="n", exporters=["stream"]):
        spool, stream = setting.worker(), Stream()
        setting.put(spool, 4)
        stream.poison = {3}
        setting.ship([stream], drain)
        (path,) = setting.files()
        spool.close()
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with recover(setting.directory, node="n", exporters=["stream"]):
        again = Stream()
        setting.ship([again], drain)
        assert again.took == []
        assert path not in setting.files()
        assert setting.balance("stream").dropped == {"damaged": Amount(2, 20)}


def test_workers_are_sent_side_by_side(setting: Setting) -> None:
    spools = [setting.worker(worker) for worker in range(3)]
    for _ in range(4):
        for spool in spools:
            setting.put(spool)
    together = threading.Barrier(3, timeout=60)

    class Meeting(Stream):
        def send(self, chunks: Sequence[Chunk]) -> Accepted:
            together.wait()
            return super().send(chunks)

    stream = Meeting(group=8)
    setting.ship([stream], drain)
    assert Counter(stream.took) == Counter(range(12))
    for worker, spool in enumerate(spools):
        own = [number for number in stream.took if number % 3 == worker]
        assert own == sorted(own)
        spool.close()


def test_pending_bytes_are_known_by_exporter(tmp_path: Path) -> None:
    setting = Setting(tmp_path / "spool")
    with recover(setting.directory, node="n", exporters=["stream", "objects"]):
        spool = setting.worker()
        setting.put(spool, 3)
        ledger = Ledger.open(setting.directory)
        assert pending(ledger) == {"stream": spool.bytes(), "objects": spool.bytes()}
        setting.ship([Stream()], drain)
        assert pending(ledger) == {"stream": 0, "objects": spool.bytes()}
        ledger.close()
        spool.close()
