"""One request, whichever way it came: measured, cut where its records lie in several hours, made durable."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from collector.batch import HOUR, LATEST, Batch, Nanoseconds, Origin
from collector.sources.otlp.refusals import Busy, Full, Garbage
from collector.sources.source import Refused, Submit
from exporters.otlp_records import parted, record_time
from exporters.requests import NotOtlp
from exporters.signals import Signal
from scrubbers.otlp import Malformed, measure

DURABLE_SECONDS = 5.0  # clients wait ten by default: they are to hear that it takes long, not to give up
MOST_HOURS = 24 * 31  # in one request: each becomes a segment, and so an object, of its own

_WHY = {
    "limit": "the spool is full (spool.max_bytes)",
    "disk": "the disk of the spool is full",
    "quarantine": "the quarantine is full",
}


@dataclass(slots=True, frozen=True)
class Request:
    """A request as protobuf; `size`: bytes as they were sent, inflated."""

    signal: Signal
    body: bytes
    size: int


class Receiving:
    """Makes requests durable, those of one source."""

    def __init__(self, source: str, submit: Submit, *, now: Callable[[], Nanoseconds] = time.time_ns) -> None:
        self._origin = Origin(source)
        self._submit, self._now = submit, now

    async def __call__(self, request: Request) -> int:
        """Return how many records of it are in quarantine, once it is durable. Raises Refusal."""
        batches = self._batches(request)
        try:
            async with asyncio.timeout(DURABLE_SECONDS):
                if len(batches) == 1:
                    receipt = await self._submit(batches[0])
                    return receipt.quarantined
                return await self._all(batches)
        except Refused as refused:
            raise Full(_WHY.get(refused.reason, "the spool cannot be written"), refused.after) from None
        except TimeoutError:
            raise Busy("the gate is busy: the request did not become durable in time") from None

    async def _all(self, batches: list[Batch]) -> int:
        """All at once, so that they share commits: one by one, a month of hours takes longer than clients wait."""
        tasks = [asyncio.ensure_future(self._submit(batch)) for batch in batches]
        try:
            return sum(receipt.quarantined for receipt in await asyncio.gather(*tasks))
        finally:
            for task in tasks:  # one was refused: its sender sends all again
                task.cancel()

    def _batches(self, request: Request) -> list[Batch]:
        """The request as batches whose records lie in one hour each; none if it holds no records."""
        try:
            measured = measure(request.body, request.signal)
        except Malformed as error:
            raise Garbage(f"not an OTLP request of {request.signal}: {error}") from None
        if not measured.records:
            return []
        first, last = min(measured.first_time, LATEST), min(measured.last_time, LATEST)
        if not last:
            first = last = self._now()
        if first // HOUR == last // HOUR:
            return [self._batch(request, request.body, measured.records, first, last, request.size)]
        return self._by_hour(request)

    def _by_hour(self, request: Request) -> list[Batch]:
        spans: dict[int, tuple[int, Nanoseconds, Nanoseconds]] = {}
        now = self._now()

        def hour(_number: int, record: object, _resource: object) -> int:
            time = min(record_time(request.signal, record), LATEST) or now
            count, first, last = spans.get(time // HOUR, (0, time, time))
            spans[time // HOUR] = count + 1, min(first, time), max(last, time)
            if len(spans) > MOST_HOURS:
                raise Garbage(f"its records lie in more than {MOST_HOURS} different hours")
            return time // HOUR

        try:
            parts = parted(request.signal, request.body, hour)
        except NotOtlp as error:
            raise Garbage(str(error)) from None
        left, batches = request.size, []
        for number, (key, body) in enumerate(parts.items(), 1):
            size = left if number == len(parts) else min(left, len(body))
            left -= size
            batches.append(self._batch(request, body, *spans[key], size))
        return batches

    def _batch(
        self, request: Request, body: bytes, records: int, first: Nanoseconds, last: Nanoseconds, size: int
    ) -> Batch:
        return Batch(request.signal, "otlp", self._origin, body, records, first, last, input_bytes=size)
