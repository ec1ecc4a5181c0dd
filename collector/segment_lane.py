"""The lane of an exporter that takes whole segments: a few sealed ones at once, in order of birth."""

import time
from collections.abc import Sequence
from functools import partial

from opentelemetry.trace import SpanKind

from collector import events
from collector.lane import Job, Lane
from collector.own.spans import span
from exporters.exporter import Exporter, Rejected
from exporters.segment import Segment

WINDOW = 100  # segments a lane looks at: one that always fails lets so many younger ones pass


class SegmentLane(Lane):
    """One exporter's way through the sealed segments."""

    exporter: Exporter

    def _find(self) -> Sequence[Job]:
        sealed = self._deliveries.sealed(self.exporter.name, WINDOW)
        return [Job(segment.id, partial(self._send, segment)) for segment in sealed]

    async def _send(self, segment: Segment) -> None:
        """Send one segment and note what became of it. Raises Retryable, SpoolError."""
        name, started = self.exporter.name, time.monotonic()
        try:
            with span("export", kind=SpanKind.CLIENT, exporter=name, records=segment.records, bytes=segment.bytes):
                size = await self._in_thread(lambda: self.exporter.export(segment))
        except Rejected as error:
            reason = str(error)
            if await self._in_thread(lambda: self._deliveries.rejected(segment, name, reason)):
                events.ExportRejected(name, segment.id, segment.records, reason).emit()
            return
        await self._in_thread(lambda: self._deliveries.delivered(segment, name, size))
        self._succeeded()
        events.Exported(name, segment.id, segment.records, size, time.monotonic() - started).emit()
