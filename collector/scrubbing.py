"""From a batch to what the spool takes: scrubbed, enveloped, counted; what cannot be scrubbed goes to quarantine.

Nothing in here lets a record pass that the scrubber did not return, nor lets one go missing: whatever fails, however,
ends in the quarantine, narrowed down to the records at fault.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import msgspec
import orjson

from collector import events, own_log
from collector.batch import HOUR, LATEST, Batch, Nanoseconds, Origin, count_lines
from collector.quarantine import by_reason, part, records_of
from collector.record import envelope
from collector.routing import Classes, Part
from collector.spool import Count
from exporters.chunk import MAX_STORED_BYTES, ChunkHeader
from exporters.requests import NotOtlp, framed
from exporters.signals import Signal
from scrubbers import Quarantined, Scrubbed

MOST_ORIGINS = 4096
MAX_RESOURCE_BYTES = 64 << 10


class Scrubs(Protocol):
    """What is needed of `scrubbers.Scrubber`."""

    @property
    def fingerprint(self) -> str: ...
    def scrub(
        self,
        body: bytes,
        *,
        signal: str = ...,
        source: str | None = ...,
        resource: tuple[tuple[str, str], ...] | None = ...,
    ) -> Scrubbed: ...
    def scrub_otlp(
        self,
        body: bytes,
        *,
        signal: Signal,
        source: str | None = ...,
        resource: tuple[tuple[str, str], ...] | None = ...,
    ) -> Scrubbed: ...


@dataclass(slots=True, frozen=True)
class Prepared:
    """A batch, ready for the spool. `header` is None where it left nothing to store."""

    batch: Batch  # as it came
    header: ChunkHeader | None
    stored: bytes
    retention: str
    counts: Sequence[Count]
    quarantined: Sequence[Quarantined]  # still to be sealed: that may have to wait for room
    others: Sequence[Part] = ()
    """Records of the batch that belong to other retention classes than those in `stored`."""

    @property
    def size(self) -> int:
        """Of all the stored records, in bytes."""
        return len(self.stored) + sum(len(part.stored) for part in self.others)


class Scrubbing:
    """Prepares batches, for any thread, one at a time. `retention` gives the classes of an origin's records."""

    def __init__(
        self,
        scrubber: Scrubs,
        retention: Callable[[Signal, Origin], Classes],
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._scrubber = scrubber
        self._retention = retention
        self._clock = clock
        self._lock = threading.Lock()  # a scrubber has working memory of its own: it is not for two threads at once
        self._resources: OrderedDict[Origin, tuple[bytes, dict[str, str]]] = OrderedDict()

    def use(self, scrubber: Scrubs) -> None:
        """Scrub by another policy from the next batch on."""
        with self._lock:
            self._scrubber = scrubber
            self._resources.clear()

    def redact(self, body: bytes) -> bytes:
        """The scrubber alone, for a source that has to try where a line may be cut."""
        with self._lock:
            return self._scrubber.scrub(body).body

    def __call__(self, batch: Batch) -> Prepared:
        """Prepare one batch. Raises nothing that depends on what is in it."""
        if not batch.records:
            return Prepared(batch, None, b"", "", (), ())
        with self._lock:
            return self._prepare(_with_times_that_fit(batch), self._scrubber)

    def _prepare(self, batch: Batch, scrubber: Scrubs) -> Prepared:
        started = self._clock()
        scrubbed = _scrub(scrubber, batch) if batch.format == "lines" else _scrub_request(scrubber, batch)
        seconds = self._clock() - started
        events.Scrubbed(batch.origin.source, batch.signal, scrubbed.findings, scrubbed.deep, seconds).emit()
        try:
            resource, attributes = self._resource(scrubber, batch.origin)
            stored = _stored(batch, scrubbed, resource)
            if len(stored) > MAX_STORED_BYTES:
                raise ValueError("more than a chunk holds")
        except Exception:
            own_log.log.exception("a batch could not be enveloped")
            everything = tuple(Quarantined(index, "not_enveloped") for index in range(batch.records))
            return self._prepared(batch, Scrubbed(b"", {}, everything, 0), scrubber.fingerprint, b"", {})
        return self._prepared(batch, scrubbed, scrubber.fingerprint, stored, attributes)

    def _prepared(
        self, batch: Batch, scrubbed: Scrubbed, policy: str, stored: bytes, resource: dict[str, str]
    ) -> Prepared:
        source = batch.origin.source
        counts = [Count(source, "read", batch.records, batch.input_bytes)]
        left = batch.input_bytes
        if scrubbed.quarantined:
            records = batch.records
            for reason, indices in by_reason(scrubbed.quarantined).items():
                records -= len(indices)
                size = sum(len(each) + (batch.format == "lines") for each in records_of(batch, indices))
                # With nothing left to store, all that was read for the batch is in quarantine.
                size = min(size, left) if records else left
                left -= size
                counts.append(Count(source, "quarantined", len(indices), size, reason))
                events.Quarantined(reason, source, batch.signal, len(indices), size).emit()
        header = ChunkHeader(
            signal=batch.signal,
            format=batch.format,
            source=source,
            records=batch.records - len(scrubbed.quarantined),
            first_time=batch.first_time,
            last_time=batch.last_time,
            policy=policy,
            resource=resource,
            input_bytes=left,
        )
        kept = header if header.records or left else None
        first, *others = self._retention(batch.signal, batch.origin).split(header, stored)
        kept = kept and first.header
        return Prepared(batch, kept, first.stored, first.retention, counts, scrubbed.quarantined, others)

    def _resource(self, scrubber: Scrubs, origin: Origin) -> tuple[bytes, dict[str, str]]:
        """The origin's attributes, scrubbed once: as JSON for the records, as they are for the chunk's header."""
        known = self._resources.get(origin)
        if known is None:
            kept = {name: value for name, value in _scrubbed_attributes(scrubber, origin).items() if name != "source"}
            attributes = {"source": origin.source, **kept}
            known = self._resources[origin] = (orjson.dumps(attributes), attributes)
            if len(self._resources) > MOST_ORIGINS:
                self._resources.popitem(last=False)
        else:
            self._resources.move_to_end(origin)
        return known


def _scrub(scrubber: Scrubs, batch: Batch) -> Scrubbed:
    """Scrub a batch's body; where that fails, halve it until only what fails is left, and quarantine that."""
    body, records = batch.body, batch.records
    try:
        scrubbed = scrubber.scrub(body, signal=batch.signal, source=batch.origin.source, resource=batch.origin.resource)
        if count_lines(scrubbed.body) == records - len(scrubbed.quarantined):
            return scrubbed
        own_log.log.error("the scrubber returned another number of records")
    except Exception:
        if records == 1:
            own_log.log.exception("the scrubber failed on a record")
    if records == 1:
        return Scrubbed(b"", {}, (Quarantined(0, "scrubber_failed"),), 0)
    half = records // 2
    end = 0
    for _ in range(half):
        end = body.index(b"\n", end) + 1
    first = _scrub(scrubber, replace(batch, body=body[:end], records=half))
    second = _scrub(scrubber, replace(batch, body=body[end:], records=records - half))
    return _both(first, second, half)


def _both(first: Scrubbed, second: Scrubbed, half: int) -> Scrubbed:
    """Two halves as one; `half`: how many records the first had."""
    findings = dict(first.findings)
    for key, found in second.findings.items():
        findings[key] = findings.get(key, 0) + found
    later = tuple(Quarantined(found.index + half, found.reason) for found in second.quarantined)
    return Scrubbed(first.body + second.body, findings, (*first.quarantined, *later), first.deep + second.deep)


def _scrubbed_attributes(scrubber: Scrubs, origin: Origin) -> dict[str, str]:
    """Attributes are scrubbed as a record, so that the policy's keys hold for them too; none if that fails."""
    if not origin.resource:
        return {}
    body = orjson.dumps(dict(origin.resource)) + b"\n"
    try:
        if len(body) > MAX_RESOURCE_BYTES:
            raise ValueError("too large")
        scrubbed = scrubber.scrub(body, signal="logs", source=origin.source, resource=origin.resource)
        if scrubbed.quarantined:
            raise ValueError("quarantined")
        return {name: str(value) for name, value in msgspec.json.decode(scrubbed.body, type=dict[str, str]).items()}
    except Exception as error:
        events.ResourceWithheld(origin.source, type(error).__name__).emit()
        return {}


def _scrub_request(scrubber: Scrubs, batch: Batch) -> Scrubbed:
    """The same for a request: where the scrubber fails on it, it is halved until only what fails is left."""
    try:
        return scrubber.scrub_otlp(
            batch.body, signal=batch.signal, source=batch.origin.source, resource=batch.origin.resource
        )
    except Exception:
        if batch.records == 1:
            own_log.log.exception("the scrubber failed on a record")
    half = batch.records // 2
    everything = tuple(Quarantined(index, "scrubber_failed") for index in range(batch.records))
    if not half:
        return Scrubbed(b"", {}, everything, 0)
    try:
        bodies = [part(batch, range(half)), part(batch, range(half, batch.records))]
    except NotOtlp:
        return Scrubbed(b"", {}, everything, 0)
    first = _scrub_request(scrubber, replace(batch, body=bodies[0], records=half))
    second = _scrub_request(scrubber, replace(batch, body=bodies[1], records=batch.records - half))
    return _both(first, second, half)  # requests one behind the other are one request


def _stored(batch: Batch, scrubbed: Scrubbed, resource: bytes) -> bytes:
    if batch.format == "lines":
        return envelope(_without(batch, scrubbed), scrubbed.body, resource=resource)
    return framed(scrubbed.body) if len(scrubbed.quarantined) < batch.records else b""


def _without(batch: Batch, scrubbed: Scrubbed) -> Batch:
    """The batch whose heads are those of the records that are left."""
    if not scrubbed.quarantined or batch.heads is None:
        return batch
    gone = {found.index for found in scrubbed.quarantined}
    return replace(batch, heads=[head for index, head in enumerate(batch.heads) if index not in gone])


def _with_times_that_fit(batch: Batch) -> Batch:
    """A source's clock may be wrong, but a chunk's records lie in one hour of a time that can be stored."""
    first: Nanoseconds = min(max(batch.first_time, 0), LATEST)
    last: Nanoseconds = min(max(batch.last_time, first), first - first % HOUR + HOUR - 1)
    if (first, last) == (batch.first_time, batch.last_time):
        return batch
    return replace(batch, first_time=first, last_time=last)
