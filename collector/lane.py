"""A lane: one exporter's way out of the spool, with its own failures and waits, so that none holds up another.

A lane does a few jobs at once; after a failure it waits (exponentially longer, with jitter, or as the destination
asks), then tries a single job until something arrives again. Whatever fails stays in the spool.
"""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeVar

from collector import events
from collector.spool import Deliveries, SpoolError
from exporters.exporter import Destination, Retryable

LONGEST_ASKED = 900.0  # seconds; a destination that asks for more is asked again nevertheless

T = TypeVar("T")


class InThread(Protocol):
    """Runs a blocking call in a thread."""

    def __call__(self, call: Callable[[], T], /) -> Awaitable[T]: ...


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


@dataclass(slots=True, frozen=True)
class Job:
    """Something to send. Of two with the same `key` one is done at a time; by it failures are counted too."""

    key: str
    do: Callable[[], Awaitable[None]]


class Lane(ABC):
    """Finds jobs and does them until cancelled. `poll`: how often to look for new ones, in seconds."""

    def __init__(
        self,
        exporter: Destination,
        deliveries: Deliveries,
        in_thread: InThread,
        *,
        at_once: int,
        poll: float,
        backoff: Backoff,
    ) -> None:
        self.exporter = exporter
        self._deliveries = deliveries
        self._in_thread = in_thread
        self._at_once = at_once
        self._poll = poll
        self._backoff = backoff
        self._failures = 0  # in a row, of whichever job
        self._delay = 0.0  # seconds to wait after the last of them
        self._failed: dict[str, int] = {}  # by job: those that failed least go first
        self._doing: dict[asyncio.Task[None], str] = {}
        self.arrived = 0  # how often something did
        self._wake = asyncio.Event()  # somebody waits for the lane to look
        self._again = asyncio.Event()
        self._empty = asyncio.Condition()
        self._looked = 0  # how often the lane found nothing to send

    @abstractmethod
    def _find(self) -> Sequence[Job]:
        """What there is to do, the oldest first. Blocks; raises SpoolError."""

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
        """Send what there is until cancelled."""
        try:
            while True:
                if self._failures and not self._doing:
                    await self._pause()
                self._wake.clear()
                await self._start()
                if not self._doing and not self._failures:
                    async with self._empty:
                        self._looked += 1
                        self._empty.notify_all()
                await self._something()
        finally:
            for task in self._doing:
                task.cancel()
            await asyncio.gather(*self._doing, return_exceptions=True)

    async def _start(self) -> None:
        """Begin as many jobs as there is room for: one alone while the destination fails."""
        room = (1 if self._failures else self._at_once) - len(self._doing)
        if room <= 0:
            return
        try:
            jobs = await self._in_thread(self._find)
        except SpoolError as error:
            self._failed_once(error)
            return
        busy = set(self._doing.values())
        waiting = [job for job in jobs if job.key not in busy]
        waiting.sort(key=lambda job: self._failed.get(job.key, 0))
        if not waiting:
            self._failures = self._failures if busy else 0
        for job in waiting[:room]:
            self._doing[asyncio.create_task(self._do(job))] = job.key

    async def _something(self) -> None:
        """Wait until a job is done, or it is time to look for others."""
        woken = asyncio.create_task(self._wake.wait())
        try:
            done, _ = await asyncio.wait({woken, *self._doing}, timeout=self._poll, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
        for task in done - {woken}:
            self._doing.pop(task, None)  # type: ignore[arg-type]
            task.result()

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._delay):
                await self._again.wait()
        self._again.clear()

    async def _do(self, job: Job) -> None:
        """Do one job; what is not confirmed or refused by the end of it is found again."""
        try:
            await job.do()
        except (Retryable, SpoolError) as error:
            self._failed_once(error, job)
        except Exception as error:  # an exporter's own fault must not cost data
            events.ExportCrashed(self.exporter.name, type(error).__name__).emit()
            self._failed_once(None, job)
        else:
            self._failed.pop(job.key, None)

    def _succeeded(self) -> None:
        if self._failures:
            events.ExportResumed(self.exporter.name, self._failures).emit()
        self._failures = 0
        self.arrived += 1

    def _failed_once(self, error: Exception | None, job: Job | None = None) -> None:
        self._failures += 1
        self._delay = self._backoff.delay(self._failures, error.after if isinstance(error, Retryable) else None)
        if job:
            self._failed[job.key] = self._failed.get(job.key, 0) + 1
        if error:
            events.ExportDelayed(self.exporter.name, str(error), self._failures, self._delay).emit()
