"""Sends sealed segments to every exporter, in order of birth, until each has confirmed them.

Each exporter has a lane of its own: one that is down does not hold up the others. A lane sends a few segments at once;
after a failure it waits (exponentially longer, with jitter, or as the destination asks), then tries with a single
segment until something arrives again. Whatever fails stays in the spool.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from collector import events
from collector.spool import Deliveries, SpoolError
from exporters.exporter import Exporter, ExportError, Rejected, Retryable
from exporters.segment import Segment

WINDOW = 100  # segments a lane looks at: one that always fails lets so many younger ones pass
LONGEST_ASKED = 900.0  # seconds; a destination that asks for more is asked again nevertheless


@dataclass(slots=True, frozen=True)
class Backoff:
    """How long to wait after the n-th failure in a row: doubled each time, then a random part of it taken off."""

    first: float = 1.0  # seconds
    most: float = 60.0
    random: Callable[[], float] = random.random

    def delay(self, failures: int, asked: float | None = None) -> float:
        ceiling = min(self.most, self.first * 2.0 ** min(failures - 1, 30))
        jittered = ceiling * (0.5 + 0.5 * self.random())
        return max(jittered, min(asked or 0.0, LONGEST_ASKED))


class Shipper:
    """All lanes over one spool. `poll`: how often to look for new segments, in seconds."""

    def __init__(
        self,
        deliveries: Deliveries,
        exporters: Sequence[Exporter],
        *,
        uploads: int = 4,
        poll: float = 0.5,
        backoff: Backoff | None = None,
    ) -> None:
        self._threads = ThreadPoolExecutor((uploads + 1) * len(exporters), thread_name_prefix="export")
        backoff = backoff or Backoff()
        self._lanes = [Lane(e, deliveries, self._in_thread, uploads, poll, backoff) for e in exporters]

    async def run(self) -> None:
        """Ship until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for lane in self._lanes:
                tasks.create_task(lane.run())

    async def drain(self, patience: float | None = None) -> bool:
        """Ship until nothing sealed is left, trying failed ones again at once; False after `patience` seconds in which
        nothing arrived anywhere.

        To be called while `run` runs, when no more segments will be sealed.
        """
        for lane in self._lanes:
            lane.try_again()
        emptied = asyncio.gather(*(lane.emptied() for lane in self._lanes))
        arrived = -1
        while arrived != (arrived := sum(lane.arrived for lane in self._lanes)):
            done, _ = await asyncio.wait({emptied}, timeout=patience)
            if done:
                return True
        emptied.cancel()
        return False

    def close(self) -> None:
        """Let go of the exporters. An upload that is still running is waited for: its thread cannot be stopped."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        for lane in self._lanes:
            lane.exporter.close()

    async def _in_thread(self, call: Callable[[], object]) -> object:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


class Lane:
    """One exporter's way through the sealed segments."""

    def __init__(
        self,
        exporter: Exporter,
        deliveries: Deliveries,
        in_thread: Callable[[Callable[[], object]], Awaitable[object]],
        uploads: int,
        poll: float,
        backoff: Backoff,
    ) -> None:
        self.exporter = exporter
        self._deliveries = deliveries
        self._in_thread = in_thread
        self._uploads = uploads
        self._poll = poll
        self._backoff = backoff
        self._failures = 0  # in a row, of whichever segment
        self._delay = 0.0  # seconds to wait after the last of them
        self._failed: dict[str, int] = {}  # by segment: those that failed least go first
        self._sending: dict[asyncio.Task[None], str] = {}
        self.arrived = 0  # segments
        self._wake = asyncio.Event()  # somebody waits for the lane to look
        self._again = asyncio.Event()
        self._empty = asyncio.Condition()
        self._looked = 0  # how often the lane found nothing to send

    def try_again(self) -> None:
        """End a wait after a failure, and let the next ones begin short."""
        self._failures = min(self._failures, 1)
        self._again.set()
        self._wake.set()

    async def emptied(self) -> None:
        """Return once the lane has looked, after this call, and found nothing left to send."""
        async with self._empty:
            # One look may have begun before this call; the next one has not.
            target = self._looked + 2
            while self._looked < target:
                self._wake.set()
                await self._empty.wait()

    async def run(self) -> None:
        """Send what is sealed until cancelled."""
        try:
            while True:
                if self._failures and not self._sending:
                    await self._pause()
                self._wake.clear()
                await self._start()
                if not self._sending and not self._failures:
                    async with self._empty:
                        self._looked += 1
                        self._empty.notify_all()
                await self._something()
        finally:
            for task in self._sending:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)

    async def _start(self) -> None:
        """Begin to send as many segments as there is room for: one alone while the destination fails."""
        room = (1 if self._failures else self._uploads) - len(self._sending)
        if room <= 0:
            return
        try:
            sealed = await self._in_thread(lambda: self._deliveries.sealed(self.exporter.name, WINDOW))
        except SpoolError as error:
            self._failed_once(error)
            return
        assert isinstance(sealed, list)
        busy = set(self._sending.values())
        waiting = sorted(
            (segment for segment in sealed if segment.id not in busy),
            key=lambda segment: (self._failed.get(segment.id, 0), segment.id),
        )
        if not waiting:
            self._failures = self._failures if busy else 0
        for segment in waiting[:room]:
            self._sending[asyncio.create_task(self._send(segment))] = segment.id

    async def _something(self) -> None:
        """Wait until a segment is through, or it is time to look for others."""
        woken = asyncio.create_task(self._wake.wait())
        try:
            done, _ = await asyncio.wait(
                {woken, *self._sending}, timeout=self._poll, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            woken.cancel()
        for task in done - {woken}:
            self._sending.pop(task, None)  # type: ignore[arg-type]
            task.result()

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._delay):
                await self._again.wait()
        self._again.clear()

    async def _send(self, segment: Segment) -> None:
        """Send one segment and note what became of it; whatever is not confirmed or refused is tried again."""
        name = self.exporter.name
        started = time.monotonic()
        try:
            size = await self._in_thread(lambda: self.exporter.export(segment))
            assert isinstance(size, int)
            await self._in_thread(lambda: self._deliveries.delivered(segment, name, size))
        except Rejected as error:
            await self._reject(segment, error)
        except (Retryable, SpoolError) as error:
            self._failed_once(error, segment)
        except Exception as error:  # an exporter's own fault must not cost data
            events.ExportCrashed(name, type(error).__name__).emit()
            self._failed_once(None, segment)
        else:
            self._succeeded(segment)
            events.Exported(name, segment.id, segment.records, size, time.monotonic() - started).emit()

    async def _reject(self, segment: Segment, error: ExportError) -> None:
        try:
            await self._in_thread(lambda: self._deliveries.rejected(segment, self.exporter.name, str(error)))
        except SpoolError as problem:
            self._failed_once(problem, segment)
            return
        self._failed.pop(segment.id, None)
        events.ExportRejected(self.exporter.name, segment.id, str(error)).emit()

    def _succeeded(self, segment: Segment) -> None:
        if self._failures:
            events.ExportResumed(self.exporter.name, self._failures).emit()
        self._failures = 0
        self.arrived += 1
        self._failed.pop(segment.id, None)

    def _failed_once(self, error: Exception | None, segment: Segment | None = None) -> None:
        self._failures += 1
        self._delay = self._backoff.delay(self._failures, error.after if isinstance(error, Retryable) else None)
        if segment:
            self._failed[segment.id] = self._failed.get(segment.id, 0) + 1
        if error:
            events.ExportDelayed(self.exporter.name, str(error), self._failures, self._delay).emit()
