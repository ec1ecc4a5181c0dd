"""What happens in the gate, told once: an event's `emit()` writes the log line and moves the counters.

Events carry counts, names and reasons: never a record's contents, nor a key path taken from a record.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from collector import telemetry
from collector.own_log import Event

# The way of a record -------------------------------------------------------------------------------------------------


@dataclass(slots=True, frozen=True)
class Received(Event):
    """A batch came in from a source. `bytes` as read: envelopes and line ends included."""

    source: str
    signal: str
    records: int
    bytes: int

    def count(self) -> None:
        telemetry.RECORDS_RECEIVED.add(self.records, source=self.source, signal=self.signal)
        telemetry.BYTES_RECEIVED.add(self.bytes, source=self.source, signal=self.signal)


@dataclass(slots=True, frozen=True)
class Scrubbed(Event):
    """A batch was scrubbed: findings by (rule, action), records that went to tier 3, seconds it took."""

    source: str
    signal: str
    findings: Mapping[tuple[str, str], int]
    deep: int
    seconds: float

    def count(self) -> None:
        labels = {"source": self.source, "signal": self.signal}
        for (rule, action), found in self.findings.items():
            telemetry.FINDINGS.add(found, rule=rule, action=action, **labels)
        if self.deep:
            telemetry.RECORDS_DEEP.add(self.deep, **labels)
        telemetry.SCRUB_SECONDS.add(self.seconds, **labels)


@dataclass(slots=True, frozen=True)
class Quarantined(Event):
    """Records that the scrubber could not handle were set aside on this node."""

    reason: str
    source: str
    signal: str
    records: int
    bytes: int
    level = logging.WARNING
    text = "records went to quarantine: see `sluicegate quarantine list`"
    distinct = ("reason", "source", "signal")

    def count(self) -> None:
        telemetry.RECORDS_QUARANTINED.add(self.records, reason=self.reason, source=self.source, signal=self.signal)


@dataclass(slots=True, frozen=True)
class Dropped(Event):
    """Records were given up; the reason says why and by whose decision."""

    reason: str
    source: str
    signal: str
    records: int
    bytes: int
    level = logging.ERROR
    text = "records were dropped"
    distinct = ("reason", "source", "signal")

    def count(self) -> None:
        telemetry.RECORDS_DROPPED.add(self.records, reason=self.reason, source=self.source, signal=self.signal)


@dataclass(slots=True, frozen=True)
class ResourceWithheld(Event):
    """The attributes of an origin could not be scrubbed: its records go without them."""

    source: str
    error: str
    level = logging.WARNING
    text = "resource attributes could not be scrubbed and are left out"
    distinct = ("source", "error")


@dataclass(slots=True, frozen=True)
class Committed(Event):
    """A group of batches is durable, together with the positions behind it."""

    batches: int

    def count(self) -> None:
        telemetry.SPOOL_COMMITS.add()


# Sources -------------------------------------------------------------------------------------------------------------


@dataclass(slots=True, frozen=True)
class SourceFailed(Event):
    """A source cannot read; it goes on trying. `reason` is one of a few words (permission, io, format …)."""

    source: str
    reason: str
    where: str
    message: str
    level = logging.ERROR
    text = "cannot read; will keep trying"
    distinct = ("source", "reason", "where")

    def count(self) -> None:
        telemetry.SOURCE_ERRORS.add(source=self.source, reason=self.reason)


@dataclass(slots=True, frozen=True)
class FileOpened(Event):
    """A file is being tailed, from this byte on."""

    source: str
    path: str
    offset: int
    level = logging.DEBUG
    text = "tailing"


@dataclass(slots=True, frozen=True)
class FileClosed(Event):
    """A file is no longer tailed: rotated away and read to its end, deleted, or excluded."""

    source: str
    path: str
    offset: int
    level = logging.DEBUG
    text = "no longer tailing"


@dataclass(slots=True, frozen=True)
class SourceThrottled(Event):
    """A file is read no faster than `rate_limit` says: the rest of it waits for `seconds`."""

    source: str
    path: str
    seconds: float
    text = "the file's rate_limit is used up; the rest of it waits"
    distinct = ("source", "path")

    def count(self) -> None:
        telemetry.SOURCE_THROTTLED_SECONDS.add(self.seconds, source=self.source)


@dataclass(slots=True, frozen=True)
class FileTruncated(Event):
    """A file is shorter than what was read of it: read again from its start. What was cut unread is lost."""

    source: str
    path: str
    offset: int
    level = logging.WARNING
    text = "the file was truncated; what its writer cut before it was read is lost. Reading it from the start"
    distinct = ("source", "path")

    def count(self) -> None:
        telemetry.FILES_TRUNCATED.add(source=self.source)


@dataclass(slots=True, frozen=True)
class LineCut(Event):
    """A line longer than `max_line_bytes` was cut into `pieces` records marked partial."""

    source: str
    path: str
    pieces: int
    level = logging.WARNING
    text = "a line above max_line_bytes was cut into partial records"
    distinct = ("source", "path")

    def count(self) -> None:
        telemetry.LINES_CUT.add(self.pieces, source=self.source)


@dataclass(slots=True, frozen=True)
class Listening(Event):
    """A worker takes requests at an address; all workers share it."""

    source: str
    protocol: str
    address: str
    level = logging.DEBUG
    text = "listening"


@dataclass(slots=True, frozen=True)
class RequestAccepted(Event):
    """A request was confirmed: what it held is durable, or in quarantine."""

    source: str
    protocol: str

    def count(self) -> None:
        telemetry.REQUESTS.add(source=self.source, protocol=self.protocol, outcome="accepted")


@dataclass(slots=True, frozen=True)
class RequestRefused(Event):
    """A request was not taken, and its sender told why. `outcome` is one of a few words (malformed, too_large, busy,
    full …)."""

    source: str
    protocol: str
    outcome: str
    message: str
    level = logging.WARNING
    text = "a request was refused"
    distinct = ("source", "protocol", "outcome")

    def count(self) -> None:
        telemetry.REQUESTS.add(source=self.source, protocol=self.protocol, outcome=self.outcome)


# Spool ---------------------------------------------------------------------------------------------------------------


@dataclass(slots=True, frozen=True)
class SpoolFull(Event):
    """The spool cannot take more: sources wait. `reason` is limit (spool.max_bytes), quarantine or disk."""

    reason: str
    message: str
    level = logging.ERROR
    text = "the spool is full: sources wait until there is room"
    distinct = ("reason",)

    def count(self) -> None:
        telemetry.SPOOL_ERRORS.add(reason=self.reason)


@dataclass(slots=True, frozen=True)
class SpoolFreed(Event):
    """The spool takes data again."""

    waited: float
    level = logging.WARNING
    text = "the spool has room again: sources go on"
    distinct = ()


@dataclass(slots=True, frozen=True)
class SpoolRecovered(Event):
    """A spool left behind by a process that ended early was brought back to its last commit."""

    segments: int
    cut_bytes: int
    level = logging.WARNING
    text = "recovered the spool: what was not committed is read again"


@dataclass(slots=True, frozen=True)
class SpoolFailed(Event):
    """The spool could not write, for another reason than room; nothing is lost, sources wait."""

    message: str
    level = logging.ERROR
    text = "the spool cannot write: sources wait"
    distinct = ()

    def count(self) -> None:
        telemetry.SPOOL_ERRORS.add(reason="error")


@dataclass(slots=True, frozen=True)
class LedgerRebuilt(Event):
    """The spool's ledger was lost or damaged: it was made anew from the segments, which are delivered again."""

    reason: str
    level = logging.ERROR
    text = "the spool's ledger was rebuilt from its segments"


@dataclass(slots=True, frozen=True)
class SegmentDamaged(Event):
    """A segment had lost durable data; `records`: how many are gone, None where nothing tells."""

    file: str
    message: str
    records: int | None
    level = logging.ERROR
    text = "a segment of the spool is damaged; what is intact is kept"


# Exports -------------------------------------------------------------------------------------------------------------


@dataclass(slots=True, frozen=True)
class Exported(Event):
    """An exporter confirmed a segment."""

    exporter: str
    segment: str
    records: int
    bytes: int
    seconds: float
    level = logging.DEBUG
    text = "segment stored"

    def count(self) -> None:
        telemetry.EXPORT_OBJECTS.add(exporter=self.exporter)
        telemetry.EXPORT_RECORDS.add(self.records, exporter=self.exporter)
        telemetry.EXPORT_BYTES.add(self.bytes, exporter=self.exporter)
        telemetry.EXPORT_DURATION.observe(self.seconds, exporter=self.exporter)
        telemetry.EXPORT_UP.set(1, exporter=self.exporter)


@dataclass(slots=True, frozen=True)
class Streamed(Event):
    """An exporter that takes data as it is committed confirmed some of it."""

    exporter: str
    requests: int
    records: int
    bytes: int
    seconds: float

    def count(self) -> None:
        telemetry.EXPORT_REQUESTS.add(self.requests, exporter=self.exporter)
        telemetry.EXPORT_RECORDS.add(self.records, exporter=self.exporter)
        telemetry.EXPORT_BYTES.add(self.bytes, exporter=self.exporter)
        telemetry.EXPORT_DURATION.observe(self.seconds, exporter=self.exporter)
        telemetry.EXPORT_UP.set(1, exporter=self.exporter)


@dataclass(slots=True, frozen=True)
class ExportPartial(Event):
    """A destination took a request and refused some of its records, by its own count; it does not want them again."""

    exporter: str
    records: int
    level = logging.WARNING
    text = "the destination took a request, but not all of its records"
    distinct = ("exporter",)

    def count(self) -> None:
        telemetry.EXPORT_REFUSED.add(self.records, exporter=self.exporter, reason="partial")


@dataclass(slots=True, frozen=True)
class ExportDelayed(Event):
    """An export failed and will be tried again; meanwhile everything stays in the spool."""

    exporter: str
    message: str
    attempt: int
    retry_in: float
    level = logging.WARNING
    text = "export failed; the data stays in the spool and is tried again"
    distinct = ("exporter",)

    def count(self) -> None:
        telemetry.EXPORT_ERRORS.add(exporter=self.exporter, reason="retryable")
        telemetry.EXPORT_UP.set(0, exporter=self.exporter)


@dataclass(slots=True, frozen=True)
class ExportResumed(Event):
    """An exporter that failed works again."""

    exporter: str
    attempts: int
    text = "exports work again"
    distinct = ("exporter",)


@dataclass(slots=True, frozen=True)
class ExportRejected(Event):
    """A destination will never take these records: they stay on disk, set aside for a person to look at."""

    exporter: str
    segment: str
    records: int
    message: str
    level = logging.ERROR
    text = "the destination refuses these records for good; they are set aside in the spool"
    distinct = ("exporter",)

    def count(self) -> None:
        telemetry.EXPORT_ERRORS.add(exporter=self.exporter, reason="rejected")
        telemetry.EXPORT_REFUSED.add(self.records, exporter=self.exporter, reason="rejected")


@dataclass(slots=True, frozen=True)
class ExportCrashed(Event):
    """An exporter raised what it should not: treated as retryable, so nothing is lost."""

    exporter: str
    error: str  # the exception's type alone: its text may quote data
    level = logging.ERROR
    text = "an exporter failed in an unforeseen way; the data stays in the spool and is tried again"
    distinct = ("exporter", "error")

    def count(self) -> None:
        telemetry.EXPORT_ERRORS.add(exporter=self.exporter, reason="unforeseen")
        telemetry.EXPORT_UP.set(0, exporter=self.exporter)


@dataclass(slots=True, frozen=True)
class Swept(Event):
    """Objects that were kept as long as their retention class says were deleted."""

    exporter: str
    objects: int
    bytes: int
    text = "deleted objects whose retention is over"

    def count(self) -> None:
        telemetry.SWEPT_OBJECTS.add(self.objects, exporter=self.exporter)
        telemetry.SWEPT_BYTES.add(self.bytes, exporter=self.exporter)


@dataclass(slots=True, frozen=True)
class SweepFailed(Event):
    """A store could not be looked through for objects whose retention is over; tried again in an hour."""

    exporter: str
    message: str
    level = logging.WARNING
    text = "cannot delete what is to go; will try again"
    distinct = ("exporter",)


@dataclass(slots=True, frozen=True)
class RetentionKept(Event):
    """A bucket's lifecycle rules keep the retention classes."""

    exporter: str

    def count(self) -> None:
        telemetry.RETENTION_KEPT.set(1, exporter=self.exporter)


@dataclass(slots=True, frozen=True)
class RetentionMissing(Event):
    """A bucket's lifecycle rules do not keep the retention classes: objects stay too long, or go too early."""

    exporter: str
    message: str
    level = logging.WARNING
    text = "the bucket does not keep the retention classes: see `sluicegate retention plan`"

    def count(self) -> None:
        telemetry.RETENTION_KEPT.set(0, exporter=self.exporter)


@dataclass(slots=True, frozen=True)
class RetentionUnknown(Event):
    """A bucket's lifecycle rules cannot be looked at; tried again in an hour."""

    exporter: str
    message: str
    level = logging.WARNING
    text = "cannot look at the bucket's lifecycle rules"
    distinct = ("exporter",)

    def count(self) -> None:
        telemetry.RETENTION_KEPT.set(0, exporter=self.exporter)


@dataclass(slots=True, frozen=True)
class OwnTelemetryFailed(Event):
    """The gate's own telemetry could not be sent by OTLP; nothing but that is lost."""

    message: str  # of the OpenTelemetry SDK
    level = logging.WARNING
    text = "own telemetry could not be sent"
    distinct = ()

    def count(self) -> None:
        telemetry.OWN_TELEMETRY_ERRORS.add()


# The gate itself -----------------------------------------------------------------------------------------------------


@dataclass(slots=True, frozen=True)
class GateStarted(Event):
    """The gate is up."""

    version: str
    workers: int
    policy: str
    telemetry: str
    text = "the gate is up"


@dataclass(slots=True, frozen=True)
class GateRefused(Event):
    """The gate cannot run as it is configured."""

    message: str
    level = logging.CRITICAL
    text = "the gate cannot start"


@dataclass(slots=True, frozen=True)
class GateStopping(Event):
    """The gate drains: sources stop, what was read is committed, sealed and shipped."""

    reason: str
    text = "draining"


@dataclass(slots=True, frozen=True)
class GateStopped(Event):
    """The gate ended; `pending` segments stay in the spool for the next start."""

    pending: int
    text = "the gate ended"


@dataclass(slots=True, frozen=True)
class ProcessDied(Event):
    """A process of the gate ended unasked and is started again."""

    process: str
    exit_code: int
    message: str
    restart_in: float
    level = logging.ERROR
    text = "a process of the gate died; restarting it"
    distinct = ("process",)

    def count(self) -> None:
        telemetry.PROCESS_RESTARTS.add(process=self.process)


@dataclass(slots=True, frozen=True)
class PolicyReloaded(Event):
    """A new policy is in force in all workers."""

    fingerprint: str
    text = "policy reloaded"

    def count(self) -> None:
        telemetry.POLICY_RELOADS.add(outcome="applied")


@dataclass(slots=True, frozen=True)
class PolicyRefused(Event):
    """A policy could not be loaded; the one in force stays."""

    message: str
    level = logging.ERROR
    text = "the new policy is refused; the one in force stays"

    def count(self) -> None:
        telemetry.POLICY_RELOADS.add(outcome="refused")
