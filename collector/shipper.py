"""Sends what the workers commit to every exporter, until each has confirmed it.

Each exporter has a lane of its own and its own progress: one that is down does not hold up the others. A segment's file
goes when all of them have it.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from collector.lane import Backoff, Lane
from collector.segment_lane import SegmentLane
from collector.spool import Deliveries
from collector.stream_lane import StreamLane
from exporters.exporter import Exporter, StreamExporter

T = TypeVar("T")


class Shipper:
    """All lanes over one spool. `poll`: how often to look for new segments, in seconds."""

    def __init__(
        self,
        deliveries: Deliveries,
        exporters: Sequence[Exporter | StreamExporter],
        *,
        uploads: int = 4,
        poll: float = 0.5,
        backoff: Backoff | None = None,
    ) -> None:
        self._threads = ThreadPoolExecutor((uploads + 1) * len(exporters), thread_name_prefix="export")
        backoff = backoff or Backoff()
        self._lanes: list[Lane] = []
        for exporter in exporters:
            kind = StreamLane if isinstance(exporter, StreamExporter) else SegmentLane
            self._lanes.append(kind(exporter, deliveries, self._in_thread, at_once=uploads, poll=poll, backoff=backoff))

    async def run(self) -> None:
        """Ship until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for lane in self._lanes:
                tasks.create_task(lane.run())

    async def drain(self, patience: float | None = None) -> bool:
        """Ship until nothing is left, trying failed ones again at once; False after `patience` seconds in which
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
        await asyncio.gather(emptied, return_exceptions=True)  # or asyncio prints that nobody looked at it
        return False

    def close(self) -> None:
        """Let go of the exporters. An upload that is still running is waited for: its thread cannot be stopped."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        for lane in self._lanes:
            lane.exporter.close()

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)
