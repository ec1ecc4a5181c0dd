"""The shipper sends every sealed segment to every exporter, whatever the destinations do in between."""

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from collector import own_log, telemetry
from collector.batch import Position
from collector.lane import LONGEST_ASKED, Backoff
from collector.shipper import Shipper
from collector.spool import Count, Deliveries, Ledger, Limits, Spool, recover
from exporters.chunk import ChunkHeader
from exporters.exporter import Rejected, Retryable
from exporters.segment import Segment

AT_ONCE = Backoff(first=0.0, most=0.0)
NEVER = Backoff(first=1e6, most=1e6)


class Store:
    """An exporter into memory; `script` says what to raise, call by call, before it takes things."""

    def __init__(self, name: str = "store", script: "list[Exception | None] | None" = None) -> None:
        self.name = name
        self.script = script or []
        self.calls: list[str] = []
        self.objects: dict[str, bytes] = {}
        self.refuse: dict[str, Exception] = {}
        self.down: Exception | None = None
        self.tried = threading.Semaphore(0)
        self.closed = False
        self.lock = threading.Lock()
        self.active = 0
        self.at_once: list[int] = []

    def check(self) -> None: ...

    def export(self, segment: Segment) -> int:
        self.calls.append(segment.id)
        with self.lock:
            self.active += 1
            self.at_once.append(self.active)
        try:
            return self._export(segment)
        finally:
            with self.lock:
                self.active -= 1
            self.tried.release()

    def _export(self, segment: Segment) -> int:
        error = self.down or self.refuse.get(segment.id) or (self.script.pop(0) if self.script else None)
        if error:
            raise error
        data = segment.path.read_bytes()[: segment.bytes]
        self.objects[segment.id] = data
        return len(data)

    def close(self) -> None:
        self.closed = True


class Setting:
    """A spool with sealed segments, and what is needed to ship them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.segments: list[str] = []
        self._value = 0

    def fill(self, count: int, *exporters: str) -> None:
        with recover(self.directory, node="n", exporters=list(exporters)):
            spool = Spool.open(self.directory, node="n", worker=0, limits=Limits(segment_bytes=1))
            for _ in range(count):
                self._value += 1
                header = ChunkHeader(
                    signal="logs", format="lines", source="s", records=1, first_time=1, last_time=1, policy="p",
                    input_bytes=10,
                )  # fmt: skip
                spool.append(
                    header,
                    b'{"n":%d}\n' % self._value,
                    retention="standard",
                    positions=[Position("s", "k", 0, b"%d" % self._value)],
                    counts=[Count("s", "read", 1, 10)],
                )
                spool.commit()
            spool.close()

    def ship(
        self,
        exporters: list[Store],
        act: Callable[[Shipper], Awaitable[object]],
        backoff: Backoff = AT_ONCE,
        poll: float = 1e6,
    ) -> object:
        deliveries = Deliveries.open(self.directory)
        self.segments = [segment.id for segment in deliveries.sealed(exporters[0].name)]

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

    def assert_balanced(self) -> None:
        ledger = Ledger.open(self.directory)
        try:
            balances = ledger.balance()
            assert balances
            assert all(balance.holds for balance in balances), balances
        finally:
            ledger.close()


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting(tmp_path / "spool")


@pytest.fixture(autouse=True)
def own_metrics() -> Iterator[None]:
    telemetry.unshare()
    own_log.limit = own_log.RateLimit()
    yield
    telemetry.unshare()


def drain(shipper: Shipper) -> Awaitable[bool]:
    return shipper.drain()


def test_every_segment_reaches_every_exporter_and_the_files_go(setting: Setting) -> None:
    setting.fill(20, "one", "two")
    one, two = Store("one"), Store("two")
    assert setting.ship([one, two], drain)
    assert len(one.objects) == 20
    assert one.objects == two.objects
    assert setting.files() == []
    assert one.closed
    assert two.closed
    assert telemetry.total(telemetry.EXPORT_OBJECTS, exporter="one") == 20
    setting.assert_balanced()


def test_segments_go_in_order_of_birth(setting: Setting) -> None:
    setting.fill(10, "store")
    store = Store()
    deliveries = Deliveries.open(setting.directory)

    async def one_by_one() -> None:
        shipper = Shipper(deliveries, [store], uploads=1)
        running = asyncio.create_task(shipper.run())
        await shipper.drain()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        shipper.close()

    asyncio.run(one_by_one())
    deliveries.close()
    assert store.calls == sorted(store.calls)
    assert len(store.calls) == 10


def test_failures_are_retried_until_all_is_there(setting: Setting) -> None:
    setting.fill(6, "store")
    store = Store(
        script=[Retryable("down"), RuntimeError("bug"), Retryable("slow", after=0.0), None, Retryable("down")]
    )
    assert setting.ship([store], drain)
    assert len(store.objects) == 6
    assert setting.files() == []
    assert telemetry.total(telemetry.EXPORT_ERRORS, reason="retryable") == 3
    assert telemetry.total(telemetry.EXPORT_ERRORS, reason="unforeseen") == 1
    assert telemetry.total(telemetry.EXPORT_UP, exporter="store") == 1
    setting.assert_balanced()


def test_a_destination_that_is_down_does_not_hold_up_the_other(setting: Setting) -> None:
    setting.fill(8, "up", "down")
    up, down = Store("up"), Store("down")
    down.down = Retryable("no route")

    async def act(shipper: Shipper) -> None:
        up_lane = shipper._lanes[0]
        await up_lane.emptied()

    setting.ship([up, down], act, NEVER)
    assert len(up.objects) == 8
    assert down.objects == {}
    assert len(setting.files()) == 8
    assert telemetry.total(telemetry.EXPORT_UP) == 1
    setting.assert_balanced()
    down.down = None
    assert setting.ship([up, down], drain)
    assert len(up.calls) == 8, "what was confirmed is not sent again"
    assert len(down.objects) == 8
    assert setting.files() == []
    setting.assert_balanced()


def test_a_rejected_segment_is_set_aside_and_the_others_pass(setting: Setting) -> None:
    setting.fill(5, "store")
    store = Store()
    deliveries = Deliveries.open(setting.directory)
    bad = deliveries.sealed("store")[2].id
    deliveries.close()
    store.refuse[bad] = Rejected("too large for the bucket")
    assert setting.ship([store], drain)
    assert len(store.objects) == 4
    assert len(setting.files()) == 1
    assert store.calls.count(bad) == 1
    deliveries = Deliveries.open(setting.directory)
    assert [(segment.id, why) for segment, why in deliveries.set_aside("store")] == [(bad, "too large for the bucket")]
    deliveries.close()
    setting.assert_balanced()


def test_one_segment_that_always_fails_lets_the_others_pass(setting: Setting) -> None:
    setting.fill(12, "store")
    deliveries = Deliveries.open(setting.directory)
    bad = deliveries.sealed("store")[0].id
    deliveries.close()
    store = Store()
    store.refuse[bad] = Retryable("read error")

    async def act(shipper: Shipper) -> bool:
        drained = asyncio.create_task(shipper.drain())
        while len(store.objects) < 11:
            await asyncio.to_thread(store.tried.acquire)
        store.refuse.clear()
        return await drained

    assert setting.ship([store], act)
    assert len(store.objects) == 12
    assert setting.files() == []


def test_after_a_failure_one_segment_alone_is_tried(setting: Setting) -> None:
    setting.fill(12, "store")
    store = Store()
    store.down = Retryable("down")

    async def act(shipper: Shipper) -> None:
        for _ in range(20):
            await asyncio.to_thread(store.tried.acquire)

    setting.ship([store], act)
    assert max(store.at_once[4:]) == 1
    assert len(set(store.calls)) == 12, "each had its turn"
    setting.assert_balanced()


def test_a_drain_with_a_dead_store_gives_up_and_keeps_all(setting: Setting) -> None:
    setting.fill(3, "store")
    store = Store()
    store.down = Retryable("down")

    told: list[object] = []

    async def act(shipper: Shipper) -> bool:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
        drained = await shipper.drain(0.05)
        await asyncio.sleep(0.01)
        gc.collect()
        return drained

    assert setting.ship([store], act, NEVER) is False
    assert told == []
    assert len(setting.files()) == 3
    setting.assert_balanced()


def test_a_drain_with_nothing_to_do_ends(setting: Setting) -> None:
    setting.fill(0, "store")
    assert setting.ship([Store()], drain)


def test_segments_sealed_later_are_found(setting: Setting) -> None:
    setting.fill(1, "store")
    store = Store()

    async def act(shipper: Shipper) -> None:
        await asyncio.to_thread(store.tried.acquire)
        spool = Spool.open(setting.directory, node="n", worker=1, limits=Limits(segment_bytes=1))
        header = ChunkHeader(
            signal="logs", format="lines", source="s", records=1, first_time=1, last_time=1, policy="p", input_bytes=10
        )
        spool.append(header, b"{}\n", retention="standard", counts=[Count("s", "read", 1, 10)])
        spool.close()
        await asyncio.to_thread(store.tried.acquire)
        await shipper.drain()

    setting.ship([store], act, poll=0.01)
    assert len(store.objects) == 2
    setting.assert_balanced()


def test_waits_grow_are_jittered_and_honour_what_was_asked() -> None:
    low, high = Backoff(random=lambda: 0.0), Backoff(random=lambda: 1.0)
    assert [high.delay(n) for n in (1, 2, 3, 7, 5000)] == [1, 2, 4, 60, 60]
    assert [low.delay(n) for n in (1, 2, 3, 7, 5000)] == [0.5, 1, 2, 30, 30]
    assert high.delay(1, asked=17.0) == 17
    assert high.delay(5, asked=2.0) == 16
    assert high.delay(1, asked=1e9) == LONGEST_ASKED
