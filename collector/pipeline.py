"""One worker's way: what sources hand on is scrubbed, then committed to the spool in groups.

Scrubbing and committing run in a thread each, so that one batch is scrubbed while the disk syncs another. What has been
taken from sources and is not yet committed is bounded in bytes; beyond that, and while the spool takes nothing, sources
wait. Until a commit succeeds its batches are kept and tried again, in order.
"""

import asyncio
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TypeVar

from collector import events
from collector.batch import Batch
from collector.quarantine import Quarantine, QuarantineFull
from collector.scrubbing import Prepared, Scrubbing
from collector.spool import Spool, SpoolError, SpoolFull

GROUP_BYTES = 4 << 20  # of stored records, uncompressed: about 1 MiB on disk
GROUP_SECONDS = 0.005  # how long a group waits for a batch that a source may bring …
BUSY_SECONDS = 0.1  # … and for those that are being scrubbed: with a backlog, fewer commits cost less
TICK_SECONDS = 1.0  # how often segments are looked at for their age
RETRY_SECONDS = 0.25  # how often a spool that takes nothing is tried again

T = TypeVar("T")


class LimitReached(SpoolFull):
    """The spool holds what it may hold."""


class Pipeline:
    """Takes batches until it is finished. `max_bytes` is what the spool may hold; `in_flight` what memory may.

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
        waiting: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        self._spool, self._scrubbing, self._quarantine = spool, scrubbing, quarantine
        self._max_bytes, self._in_flight = max_bytes, in_flight
        self._waiting = waiting
        self._taken = self._batches_taken = 0  # and not yet committed
        self._room = asyncio.Condition()
        self._batches: asyncio.Queue[Batch | None] = asyncio.Queue()
        self._prepared: asyncio.Queue[Prepared | None] = asyncio.Queue()
        self._scrubber_thread = ThreadPoolExecutor(1, "scrub")
        self._spool_thread = ThreadPoolExecutor(1, "spool")

    async def put(self, batch: Batch) -> None:
        """Take a batch as soon as there is room for it; a batch alone always has room."""
        size = len(batch.body)
        async with self._room:
            await self._room.wait_for(lambda: not self._taken or self._taken + size <= self._in_flight)
            self._taken += size
            self._batches_taken += 1
        if batch.records:
            events.Received(batch.origin.source, batch.signal, batch.records, batch.input_bytes).emit()
        self._batches.put_nowait(batch)

    async def run(self) -> None:
        """Work until `finish` was called and all that was taken is committed; seals what is due meanwhile."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._scrub())
            tick = tasks.create_task(self._seal_due())
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
        while (batch := await self._batches.get()) is not None:
            prepared = await _in_thread(self._scrubber_thread, partial(self._scrubbing, batch))
            self._prepared.put_nowait(prepared)
        self._prepared.put_nowait(None)

    async def _commit(self) -> None:
        more = True
        while more:
            group, more = await self._group()
            if group:
                await self._stored(group)
            async with self._room:
                self._taken -= sum(len(prepared.batch.body) for prepared in group)
                self._batches_taken -= len(group)
                self._room.notify_all()

    async def _group(self) -> tuple[list[Prepared], bool]:
        """What is to be committed at once, at least one batch; and whether there may be more."""
        first = await self._prepared.get()
        if first is None:
            return [], False
        group, size, began = [first], first.size, monotonic()
        while size < GROUP_BYTES:
            busy = self._batches_taken > len(group)
            try:
                async with asyncio.timeout(began + (BUSY_SECONDS if busy else GROUP_SECONDS) - monotonic()):
                    prepared = await self._prepared.get()
            except TimeoutError:
                break
            if prepared is None:
                return group, False
            group.append(prepared)
            size += prepared.size
        return group, True

    async def _stored(self, group: list[Prepared]) -> None:
        """Commit a group, however long that takes."""
        since: float | None = None
        while True:
            try:
                await _in_thread(self._spool_thread, partial(self._write, group))
                break
            except SpoolError as error:
                since = since or monotonic()
                self._tell(error)
                await asyncio.sleep(RETRY_SECONDS)
        events.Committed(len(group)).emit()
        if since is not None:
            events.SpoolFreed(monotonic() - since).emit()
            self._waiting(None)

    def _write(self, group: Collection[Prepared]) -> None:
        """Stage a group and commit it. After a SpoolError nothing of it is staged any more."""
        used = self._spool.bytes()
        size = sum(prepared.size for prepared in group)
        if used and used + size > self._max_bytes:  # one group always fits, or it would never go on
            raise LimitReached(f"{used} of {self._max_bytes} bytes are used")
        for prepared in group:
            batch = prepared.batch
            sealed = self._quarantine.seal(batch, prepared.quarantined)
            if prepared.header is None:
                self._spool.advance(batch.positions, counts=prepared.counts, quarantined=sealed)
            else:
                for part in prepared.others:
                    self._spool.append(part.header, part.stored, retention=part.retention)
                self._spool.append(
                    prepared.header,
                    prepared.stored,
                    retention=prepared.retention,
                    positions=batch.positions,
                    counts=prepared.counts,
                    quarantined=sealed,
                )
        self._spool.commit()

    def _tell(self, error: SpoolError) -> None:
        match error:
            case LimitReached():
                reason = "limit"
            case QuarantineFull():
                reason = "quarantine"
            case SpoolFull():
                reason = "disk"
            case _:
                events.SpoolFailed(str(error)).emit()
                self._waiting("the spool cannot be written")
                return
        events.SpoolFull(reason, str(error)).emit()
        self._waiting(f"the spool is full ({reason})")

    async def _seal_due(self) -> None:
        """Seal what is old enough, also while nothing comes in; what cannot be done now is tried at the next tick."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            with suppress(SpoolError):
                await _in_thread(self._spool_thread, self._spool.seal_due)


async def _in_thread(thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(thread, work)
