"""One worker's way: what sources hand on is scrubbed, then committed to the spool in groups.

Scrubbing and committing run in a thread each, so that one batch is scrubbed while the disk syncs another. What has been
taken from sources and is not yet committed is bounded in bytes; beyond that, and while the spool takes nothing, sources
wait. Until a commit succeeds its batches are kept and tried again, in order.

A batch whose sender waits for an answer (`submit`) is not tried again here: when the spool takes nothing, it goes back
to its sender, who knows how to try later, and nothing of it is kept.
"""

import asyncio
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import TypeVar

from opentelemetry.trace import SpanContext

from collector import events
from collector.batch import TARGET_BYTES, Batch
from collector.chunks import chunks
from collector.own.spans import span
from collector.quarantine import Quarantine, QuarantineFull
from collector.scrubbing import Prepared, Scrubbing
from collector.sources.source import Receipt, Refused
from collector.spool import Spool, SpoolError, SpoolFull

GROUP_BYTES = 4 << 20  # of stored records, uncompressed: about 1 MiB on disk
GROUP_SECONDS = 0.005  # how long a group waits for a batch that a source may bring …
BUSY_SECONDS = 0.1  # … and for those that are being scrubbed: with a backlog, fewer commits cost less
TICK_SECONDS = 1.0  # how often segments are looked at for their age
RETRY_SECONDS = 0.25  # how often a spool that takes nothing is tried again

T = TypeVar("T")


class LimitReached(SpoolFull):
    """The spool holds what it may hold."""


@dataclass(slots=True)
class Work:
    """A batch on its way. `receipt`: who waits for it; cancelled when nobody does any more."""

    batch: Batch
    receipt: "asyncio.Future[Receipt] | None" = None
    prepared: Prepared | None = None
    span: SpanContext | None = None  # that told of its scrubbing

    @property
    def given_up(self) -> bool:
        return self.receipt is not None and self.receipt.cancelled()


class Pipeline:
    """Takes batches until it is finished. `max_bytes` is what the spool may hold; `in_flight` what memory may.

    `drop_oldest`: a full spool gives up its oldest data, so that nobody waits.
    `waiting` is told why the spool takes nothing (a few words), and None when it does again.
    """

    def __init__(
        self,
        spool: Spool,
        scrubbing: Scrubbing,
        quarantine: Quarantine,
        *,
        max_bytes: int,
        in_flight: int = 8 << 20,
        drop_oldest: bool = False,
        waiting: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        self._spool, self._scrubbing, self._quarantine = spool, scrubbing, quarantine
        self._max_bytes, self._in_flight = max_bytes, in_flight
        self._drop_oldest = drop_oldest
        self._waiting = waiting
        self._taken = self._batches_taken = 0  # and not yet committed
        self._room = asyncio.Condition()
        self._full: _Full | None = None
        self._batches: asyncio.Queue[Work | None] = asyncio.Queue()
        self._prepared: asyncio.Queue[Work | None] = asyncio.Queue()
        self._scrubber_thread = ThreadPoolExecutor(1, "scrub")
        self._spool_thread = ThreadPoolExecutor(1, "spool")

    async def put(self, batch: Batch) -> None:
        """Take a batch as soon as there is room for it; a batch alone always has room."""
        size = len(batch.body)
        async with self._room:
            await self._room.wait_for(lambda: self._fits(size))
            self._take(Work(batch))
        if batch.records:
            events.Received(batch.origin.source, batch.signal, batch.records, batch.input_bytes).emit()

    async def submit(self, batch: Batch) -> Receipt:
        """Take a batch and return once it is durable. Raises Refused, also of one that was taken and not stored."""
        size = len(batch.body)
        while not self._refuses() and not self._fits(size):
            async with self._room:
                await self._room.wait_for(lambda: self._refuses() or self._fits(size))
        if self._full and self._refuses():
            raise Refused(self._full.reason, TICK_SECONDS)
        receipt: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._take(Work(batch, receipt))
        return await receipt

    def _fits(self, size: int) -> bool:
        return not self._taken or self._taken + size <= self._in_flight

    def _refuses(self) -> bool:
        return self._full is not None and monotonic() < self._full.until

    def _take(self, work: Work) -> None:
        self._taken += len(work.batch.body)
        self._batches_taken += 1
        self._batches.put_nowait(work)

    async def run(self) -> None:
        """Work until `finish` was called and all that was taken is committed; seals what is due meanwhile."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._scrub())
            tick = tasks.create_task(self._tick())
            await self._commit()
            tick.cancel()

    def finish(self) -> None:
        """Take nothing more: `run` ends once everything is committed."""
        self._batches.put_nowait(None)

    def close(self) -> None:
        """End the threads, waiting for what they are doing."""
        self._scrubber_thread.shutdown(cancel_futures=True)
        self._spool_thread.shutdown(cancel_futures=True)

    async def _scrub(self) -> None:
        more = True
        while more:
            works, more = await self._next()
            await _in_thread(self._scrubber_thread, partial(self._prepare, works))
            for work in works:
                self._prepared.put_nowait(work)
        self._prepared.put_nowait(None)

    async def _next(self) -> tuple[list[Work], bool]:
        """What is to be scrubbed next, and whether there may be more: of small batches, many share the way there."""
        works: list[Work] = []
        size = 0
        while not works or (size < TARGET_BYTES and not self._batches.empty()):
            work = await self._batches.get()
            if work is None:
                return works, False
            works.append(work)
            size += len(work.batch.body)
        return works, True

    def _prepare(self, works: Collection[Work]) -> None:
        for work in works:
            if not work.given_up:
                batch = work.batch
                with span(
                    "scrub",
                    source=batch.origin.source,
                    signal=batch.signal,
                    records=batch.records,
                    bytes=len(batch.body),
                ) as current:
                    work.prepared = self._scrubbing(batch)
                work.span = current.get_span_context()

    async def _commit(self) -> None:
        more = True
        while more:
            group, more = await self._group()
            if group:
                await self._stored(group)
            async with self._room:
                self._taken -= sum(len(work.batch.body) for work in group)
                self._batches_taken -= len(group)
                self._room.notify_all()

    async def _group(self) -> tuple[list[Work], bool]:
        """What is to be committed at once, at least one batch; and whether there may be more."""
        first = await self._prepared.get()
        if first is None:
            return [], False
        group, size, began = [first], _stored_bytes(first), monotonic()
        while size < GROUP_BYTES:
            busy = self._batches_taken > len(group)
            try:
                async with asyncio.timeout(began + (BUSY_SECONDS if busy else GROUP_SECONDS) - monotonic()):
                    work = await self._prepared.get()
            except TimeoutError:
                break
            if work is None:
                return group, False
            group.append(work)
            size += _stored_bytes(work)
        return group, True

    async def _stored(self, group: list[Work]) -> None:
        """Commit a group, however long that takes; what somebody waits for is given back when it cannot be done now."""
        while left := [work for work in group if work.prepared and not work.given_up]:
            try:
                with span("commit", batches=len(left), after=[work.span for work in left if work.span]):
                    await _in_thread(self._spool_thread, partial(self._write, [w.prepared for w in left if w.prepared]))
            except SpoolError as error:
                room = sum(map(_stored_bytes, left))
                if self._drop_oldest and await _in_thread(self._spool_thread, partial(self._make_room, error, room)):
                    continue
                reason = self._tell(error, room)
                group = [work for work in left if not _give_back(work, reason)]
                async with self._room:
                    self._room.notify_all()  # who waits to submit is not to wait any longer
                if group:
                    await asyncio.sleep(RETRY_SECONDS)
                continue
            events.Committed(len(left)).emit()
            self._freed()
            for work in left:
                _acknowledge(work)
            return

    def _write(self, group: Collection[Prepared]) -> None:
        """Stage a group and commit it. After a SpoolError nothing of it is staged any more."""
        used = self._spool.bytes()
        size = sum(prepared.size for prepared in group)
        if used and used + size > self._max_bytes:  # one group always fits, or it would never go on
            raise LimitReached(f"{used} of {self._max_bytes} bytes are used")
        for chunk in chunks(group):
            sealed = [row for p in chunk.parts for row in self._quarantine.seal(p.batch, p.quarantined)]
            if chunk.header is None:
                self._spool.advance(chunk.positions, counts=chunk.counts, quarantined=sealed)
            else:
                for part in chunk.others:
                    self._spool.append(part.header, part.stored, retention=part.retention)
                self._spool.append(
                    chunk.header,
                    chunk.stored,
                    retention=chunk.retention,
                    positions=chunk.positions,
                    counts=chunk.counts,
                    quarantined=sealed,
                )
        self._spool.commit()

    def _make_room(self, error: SpoolError, room: int) -> bool:
        """Give up the oldest data, where that helps; whether anything was."""
        if not isinstance(error, SpoolFull) or isinstance(error, QuarantineFull):
            return False
        with suppress(SpoolError):
            # A tenth at once: one group at a time would drop a segment for each.
            dropped = self._spool.drop_oldest(max(self._max_bytes // 10, room))
            most: dict[tuple[str, str], tuple[int, int]] = {}  # several destinations may have lost the same records
            for lost in dropped:
                key = (lost.origin, lost.signal)
                most[key] = max(most.get(key, (0, 0)), (lost.records, lost.bytes))
            for (origin, signal), (records, size) in most.items():
                events.Dropped("overflow", origin, signal, records, size).emit()
            return bool(dropped)
        return False

    def _tell(self, error: SpoolError, size: int) -> str:
        match error:
            case LimitReached():
                reason = "limit"
            case QuarantineFull():
                reason = "quarantine"
            case SpoolFull():
                reason = "disk"
            case _:
                reason = "error"
        if reason == "error":
            events.SpoolFailed(str(error)).emit()
            self._waiting("the spool cannot be written")
        else:
            events.SpoolFull(reason, str(error)).emit()
            self._waiting(f"the spool is full ({reason})")
        since = self._full.since if self._full else monotonic()
        self._full = _Full(reason, since, monotonic() + RETRY_SECONDS, size)
        return reason

    def _freed(self) -> None:
        if self._full:
            events.SpoolFreed(monotonic() - self._full.since).emit()
            self._waiting(None)
            self._full = None

    async def _tick(self) -> None:
        """Seal what is old enough, also while nothing comes in; what cannot be done now is tried at the next tick."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            with suppress(SpoolError):
                await _in_thread(self._spool_thread, self._spool.seal_due)
                if (full := self._full) and not self._taken:  # nobody else finds out when there is room again
                    await _in_thread(self._spool_thread, partial(self._probe, full))
                    self._freed()

    def _probe(self, full: "_Full") -> None:
        if full.reason == "limit" and self._spool.bytes() + full.size > self._max_bytes:
            raise LimitReached("no room yet")
        self._spool.probe(full.size)


@dataclass(slots=True, frozen=True)
class _Full:
    """The spool takes nothing: why, since when, until when nobody need ask again, and how much it did not take."""

    reason: str
    since: float
    until: float
    size: int


def _stored_bytes(work: Work) -> int:
    return work.prepared.size if work.prepared else 0


def _acknowledge(work: Work) -> None:
    if work.receipt is None:
        return
    batch = work.batch
    events.Received(batch.origin.source, batch.signal, batch.records, batch.input_bytes).emit()
    if not work.receipt.done():
        work.receipt.set_result(Receipt(len(work.prepared.quarantined) if work.prepared else 0))


def _give_back(work: Work, reason: str) -> bool:
    """Tell who waits for it that it was not stored; False if nobody does, and it is ours to try again."""
    if work.receipt is None:
        return False
    if not work.receipt.done():
        work.receipt.set_exception(Refused(reason, TICK_SECONDS))
    return True


async def _in_thread(thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(thread, work)
