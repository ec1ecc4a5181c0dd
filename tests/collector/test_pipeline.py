"""What sources hand on is committed in order, in groups, however often the spool refuses; memory stays bounded."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collector import telemetry
from collector.batch import Batch, Origin, Position
from collector.config import RetentionOptions
from collector.pipeline import Pipeline
from collector.quarantine import Quarantine
from collector.routing import Routes
from collector.scrubbing import Scrubbing
from collector.sources.source import Receipt, Refused
from collector.spool import Ledger, Spool, SpoolError, SpoolFull, recover
from scrubbers import Scrubbed

NOON = 1_795_521_600_000_000_000  # ns


class Scrubber:
    fingerprint = "f1"

    def scrub(self, body: bytes, **_: object) -> Scrubbed:
        return Scrubbed(body, {})


def batch(number: int, size: int = 100) -> Batch:
    line = b"%d %b\n" % (number, b"x" * size)
    position = Position("app", "file", 0, b"%d" % number)
    return Batch("logs", "lines", Origin("app"), line, 1, NOON, NOON, (position,), input_bytes=len(line))


class Gated(Spool):
    """A spool that notes its commits, and fails or waits as it is told."""

    commits: list[int]
    failures: list[SpoolError]
    gate: threading.Event

    def commit(self) -> None:
        self.gate.wait(60)
        if self.failures:
            self._undo()
            raise self.failures.pop(0)
        super().commit()
        self.commits.append(int(self.positions("app")["file"].value))


@contextmanager
def made(directory: Path, **options: object) -> Iterator[tuple[Pipeline, Gated, list[str | None]]]:
    telemetry.unshare()
    told: list[str | None] = []
    with recover(directory, node="n", exporters=["store"]):
        spool = Gated.open(directory, node="n", worker=0)
        spool.commits, spool.failures, spool.gate = [], [], threading.Event()
        spool.gate.set()
        quarantine = Quarantine.open(directory, directory / "key")
        retention = RetentionOptions.model_validate({"route": [{"level": ["error"], "to": "audit"}]})
        scrubbing = Scrubbing(Scrubber(), Routes(retention))
        settings: dict[str, object] = {"max_bytes": 1 << 30, "waiting": told.append, **options}
        pipeline = Pipeline(spool, scrubbing, quarantine, **settings)  # type: ignore[arg-type]
        try:
            yield pipeline, spool, told
        finally:
            spool.gate.set()
            pipeline.close()
            quarantine.close()
            spool.close()


def records_in(directory: Path) -> int:
    ledger = Ledger.open(directory)
    try:
        [balance] = ledger.balance()
    finally:
        ledger.close()
    assert balance.holds
    return balance.pending.records


def run(work: Callable[[], "asyncio.Future[None]"]) -> None:
    asyncio.run(asyncio.wait_for(work(), 60))


def test_everything_taken_is_committed_before_it_ends(tmp_path: Path) -> None:
    with made(tmp_path) as (pipeline, spool, told):

        async def work() -> None:
            running = asyncio.create_task(pipeline.run())
            for number in range(50):
                await pipeline.put(batch(number))
            pipeline.finish()
            await running

        run(work)
        assert spool.commits[-1] == 49
        assert spool.commits == sorted(spool.commits)
        assert told == []
        assert telemetry.total(telemetry.RECORDS_RECEIVED) == 50
        assert telemetry.total(telemetry.SPOOL_COMMITS) == len(spool.commits)
    assert records_in(tmp_path) == 50


def test_with_a_backlog_many_batches_are_one_commit(tmp_path: Path) -> None:
    with made(tmp_path) as (pipeline, spool, _):

        async def work() -> None:
            for number in range(50):
                await pipeline.put(batch(number))
            pipeline.finish()
            await pipeline.run()

        run(work)
        assert len(spool.commits) < 10


@pytest.mark.parametrize("error", [SpoolError("no"), SpoolFull("no room")], ids=lambda error: type(error).__name__)
def test_what_the_spool_refuses_is_tried_again_and_told(
    tmp_path: Path, error: SpoolError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.pipeline.RETRY_SECONDS", 0.001)
    with made(tmp_path) as (pipeline, spool, told):
        spool.failures = [error, error]

        async def work() -> None:
            for number in range(20):
                await pipeline.put(batch(number))
            pipeline.finish()
            await pipeline.run()

        run(work)
        assert spool.commits[-1] == 19
        assert told[-1] is None
        assert all(told[:-1])
        assert telemetry.total(telemetry.SPOOL_ERRORS) == 2
    assert records_in(tmp_path) == 20


def test_sources_wait_while_as_much_as_allowed_is_on_its_way(tmp_path: Path) -> None:
    with made(tmp_path, in_flight=1000) as (pipeline, spool, _):
        spool.gate.clear()
        taken = []

        async def feed() -> None:
            for number in range(30):
                await pipeline.put(batch(number, 200))
                taken.append(number)

        async def work() -> None:
            running = asyncio.create_task(pipeline.run())
            feeding = asyncio.create_task(feed())
            for _ in range(1000):  # turns of the loop: enough for all of them, if nothing held them up
                await asyncio.sleep(0)
            assert len(taken) == 4
            spool.gate.set()
            await feeding
            pipeline.finish()
            await running

        run(work)
        assert spool.commits[-1] == 29


def test_a_batch_above_the_limit_passes_alone(tmp_path: Path) -> None:
    with made(tmp_path, in_flight=10) as (pipeline, spool, _):

        async def work() -> None:
            running = asyncio.create_task(pipeline.run())
            for number in range(5):
                await pipeline.put(batch(number))
            pipeline.finish()
            await running

        run(work)
        assert spool.commits == [0, 1, 2, 3, 4]


def test_at_its_limit_the_spool_takes_nothing_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.pipeline.RETRY_SECONDS", 0.001)
    with made(tmp_path, max_bytes=1000) as (pipeline, spool, told):
        full = asyncio.Event()
        pipeline._waiting = lambda reason: (told.append(reason), full.set())  # type: ignore[assignment, func-returns-value]

        async def work() -> None:
            running = asyncio.create_task(pipeline.run())
            await pipeline.put(batch(0, 900))
            while not spool.commits:  # noqa: ASYNC110 (the commit is another thread's)
                await asyncio.sleep(0.001)
            await pipeline.put(batch(1, 900))
            await full.wait()
            assert told == ["the spool is full (limit)"]
            assert spool.commits == [0]
            pipeline._max_bytes = 1 << 20
            pipeline.finish()
            await running

        run(work)
        assert spool.commits == [0, 1]
        assert told[-1] is None
    assert records_in(tmp_path) == 2


def test_a_batch_of_two_retention_classes_is_committed_at_once(tmp_path: Path) -> None:
    with made(tmp_path) as (pipeline, spool, _):

        async def work() -> None:
            running = asyncio.create_task(pipeline.run())
            body = b"plain\nERROR one\nERROR two\n"
            position = Position("app", "file", 0, b"7")
            mixed = Batch("logs", "lines", Origin("app"), body, 3, NOON, NOON, (position,), input_bytes=len(body))
            await pipeline.put(mixed)
            pipeline.finish()
            await running

        run(work)
        assert spool.commits == [7]
    assert records_in(tmp_path) == 3
    ledger = Ledger.open(tmp_path)
    try:
        assert sorted(ledger.read("SELECT retention, records FROM segment")) == [("audit", 2), ("standard", 1)]
    finally:
        ledger.close()


# Batches whose senders wait for an answer ----------------------------------------------------------------------------


def test_who_waits_hears_of_a_batch_once_it_is_committed(tmp_path: Path) -> None:
    with made(tmp_path) as (pipeline, spool, _):
        spool.gate.clear()

        async def work() -> None:
            running = asyncio.create_task(pipeline.run())
            submitted = [asyncio.create_task(pipeline.submit(batch(number))) for number in range(3)]
            done, _ = await asyncio.wait(submitted, timeout=0.3)
            assert not done
            spool.gate.set()
            assert await asyncio.gather(*submitted) == [Receipt()] * 3
            pipeline.finish()
            await running

        run(work)
        assert telemetry.total(telemetry.RECORDS_RECEIVED) == 3
    assert records_in(tmp_path) == 3


@pytest.mark.parametrize(("error", "reason"), [(SpoolError("no"), "error"), (SpoolFull("no room"), "disk")])
def test_what_the_spool_refuses_is_given_back_and_only_what_nobody_waits_for_is_tried_again(
    tmp_path: Path, error: SpoolError, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.pipeline.RETRY_SECONDS", 0.001)
    with made(tmp_path) as (pipeline, spool, told):
        spool.failures = [error]

        async def work() -> None:
            submitted = asyncio.create_task(pipeline.submit(batch(1)))
            await asyncio.sleep(0)
            await pipeline.put(batch(2))
            running = asyncio.create_task(pipeline.run())
            with pytest.raises(Refused) as raised:
                await submitted
            assert raised.value.reason == reason
            pipeline.finish()
            await running

        run(work)
        assert spool.commits == [2]
        assert told[-1] is None
        assert telemetry.total(telemetry.RECORDS_RECEIVED) == 1
    assert records_in(tmp_path) == 1


def test_while_the_spool_is_full_they_are_refused_at_once_and_room_is_found_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.pipeline.RETRY_SECONDS", 60.0)
    monkeypatch.setattr("collector.pipeline.TICK_SECONDS", 0.01)
    with made(tmp_path, max_bytes=1000) as (pipeline, spool, told):

        async def work() -> None:
            running = asyncio.create_task(pipeline.run())
            await pipeline.submit(batch(0, 900))
            for _ in range(3):
                with pytest.raises(Refused, match="limit"):
                    await pipeline.submit(batch(1, 900))
            await asyncio.sleep(0.1)
            assert told == ["the spool is full (limit)"]
            pipeline._max_bytes = 1 << 20
            while told[-1] is not None:  # noqa: ASYNC110 (a tick of another task)
                await asyncio.sleep(0.01)
            await pipeline.submit(batch(1, 900))
            pipeline.finish()
            await running

        run(work)
        assert spool.commits == [0, 1]
    assert records_in(tmp_path) == 2


def test_those_that_wait_for_room_are_refused_when_the_spool_turns_out_to_be_full(tmp_path: Path) -> None:
    with made(tmp_path, in_flight=300) as (pipeline, spool, _):
        spool.gate.clear()
        spool.failures = [SpoolFull("no room")] * 5

        async def work() -> None:
            running = asyncio.create_task(pipeline.run())
            submitted = [asyncio.create_task(pipeline.submit(batch(number, 200))) for number in range(4)]
            await asyncio.wait(submitted, timeout=0.2)
            spool.gate.set()
            results = await asyncio.gather(*submitted, return_exceptions=True)
            assert [type(result) for result in results] == [Refused] * 4
            pipeline.finish()
            await running

        run(work)
        assert spool.commits == []


def test_what_its_sender_gave_up_is_not_stored(tmp_path: Path) -> None:
    with made(tmp_path) as (pipeline, spool, _):

        async def work() -> None:
            given_up = asyncio.create_task(pipeline.submit(batch(1)))
            await asyncio.sleep(0)
            given_up.cancel()
            kept = asyncio.create_task(pipeline.submit(batch(2)))
            await asyncio.sleep(0)
            running = asyncio.create_task(pipeline.run())
            assert await kept == Receipt()
            pipeline.finish()
            await running

        run(work)
        assert spool.commits == [2]
    assert records_in(tmp_path) == 1
