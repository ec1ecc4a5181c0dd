"""The lane of an exporter that takes chunks: it gets what is committed, while the segment is still being written.

The segments of one worker go one after another, in order of birth, each from where the exporter had come: a file or
connection of a source belongs to one worker, so that its records arrive in the order in which they were stored, those
that share a segment: of one retention class and hour. How far
it has come stands in the ledger after every group of chunks; a restart sends at most one group again. What is refused
for good is noted chunk by chunk, and kept; the lane goes on behind it.
"""

import time
from collections.abc import Sequence
from functools import partial
from typing import Literal

from opentelemetry.trace import SpanKind

from collector import events
from collector.lane import Job, Lane
from collector.own.spans import span
from collector.spool import Refused, Unsent
from exporters.chunk import ChunkError, read_chunks
from exporters.committed import open_committed
from exporters.exporter import Accepted, Chunk, Rejected, StreamExporter

WINDOW = 100  # segments of each worker that a lane looks at


class StreamLane(Lane):
    """One exporter's way through the committed chunks."""

    exporter: StreamExporter

    def _find(self) -> Sequence[Job]:
        by_worker: dict[int, list[Unsent]] = {}
        for unsent in self._deliveries.unsent(self.exporter.name, WINDOW):
            by_worker.setdefault(unsent.worker, []).append(unsent)
        return [Job(f"worker-{worker}", partial(self._send, run)) for worker, run in by_worker.items()]

    async def _send(self, run: Sequence[Unsent]) -> None:
        """Send what was committed of these segments. Raises Retryable, SpoolError."""
        for unsent in run:
            try:
                await self._send_segment(unsent)
            except (Rejected, ChunkError) as error:  # its file cannot be read any further
                segment, reason = unsent.segment, str(error)
                if await self._in_thread(partial(self._deliveries.rejected, segment, self.exporter.name, reason)):
                    events.ExportRejected(self.exporter.name, segment.id, segment.records, reason).emit()

    async def _send_segment(self, unsent: Unsent) -> None:
        offset, alone_until = unsent.offset, 0
        if offset >= unsent.segment.bytes:  # it was sealed since
            await self._in_thread(partial(self._deliveries.sent, unsent, self.exporter.name, offset, offset))
        while offset < unsent.segment.bytes:
            limit = 1 if offset < alone_until else self.exporter.group_bytes
            chunks, end = await self._in_thread(partial(_group, unsent, offset, limit))
            match await self._send_group(unsent, offset, chunks, end):
                case "sent":
                    offset = end
                case "refused":
                    alone_until = end
                case "moved":
                    return

    async def _send_group(
        self, unsent: Unsent, offset: int, chunks: Sequence[Chunk], end: int
    ) -> Literal["sent", "refused", "moved"]:
        """Send chunks and note it. "refused": perhaps for one of them alone; "moved": they are not wanted now."""
        name, started = self.exporter.name, time.monotonic()
        records = sum(header.records for header, _ in chunks)
        refused: list[Refused] = []
        accepted = Accepted(0, 0)
        try:
            with span("export", kind=SpanKind.CLIENT, exporter=name, records=records, bytes=end - offset):
                accepted = await self._in_thread(partial(self.exporter.send, chunks))
        except Rejected as error:
            if len(chunks) > 1:
                return "refused"
            ((header, _),) = chunks
            refused = [Refused(offset, header.source, header.records, header.input_bytes, str(error))]
        if not await self._in_thread(partial(self._deliveries.sent, unsent, name, offset, end, refused)):
            return "moved"
        if refused:
            events.ExportRejected(name, unsent.segment.id, refused[0].records, refused[0].reason).emit()
            return "sent"
        if not accepted.requests:
            return "sent"  # chunks without records: that says nothing of the destination
        self._succeeded()
        events.Streamed(name, accepted.requests, records, accepted.bytes, time.monotonic() - started).emit()
        if accepted.refused:
            events.ExportPartial(name, accepted.refused).emit()
        return "sent"


def _group(unsent: Unsent, offset: int, limit: int) -> tuple[list[Chunk], int]:
    """The chunks from `offset` on, at least one, of `limit` bytes together; and where they end.

    Raises Rejected and ChunkError for a file that is not whole.
    """
    chunks: list[Chunk] = []
    size = 0
    end = offset
    with open_committed(unsent.segment, offset) as file:
        try:
            for header, frame in read_chunks(file):
                if chunks and size + header.bytes > limit:
                    break
                chunks.append((header, frame))
                size += header.bytes
                end = file.tell()
        except ChunkError:
            if not chunks:
                raise
    return chunks, end
