"""The gate's own log: what an event is, how often it is told, and how a line of it looks.

An event that may come often is logged at its first occurrence and then at most once per `INTERVAL` per distinct
event, with the number of those left out.
"""

import json
import logging
import sys
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, ClassVar, TextIO

from opentelemetry import trace

INTERVAL = 60.0  # seconds
MOST_DISTINCT = 1024

log = logging.getLogger("sluicegate")


class RateLimit:
    """Lets the first of a kind through, then one per interval. `clock` gives seconds."""

    def __init__(self, interval: float = INTERVAL, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval, self._clock = interval, clock
        self._seen: OrderedDict[object, tuple[float, int]] = OrderedDict()  # when it last passed, how many since
        self._lock = threading.Lock()

    def passes(self, key: object) -> int | None:
        """None: keep silent. Otherwise the number kept silent since the last one of this kind."""
        with self._lock:
            now = self._clock()
            last = self._seen.get(key)
            if last is not None and now - last[0] < self._interval:
                self._seen[key] = (last[0], last[1] + 1)
                return None
            self._seen[key] = (now, 0)
            self._seen.move_to_end(key)
            if len(self._seen) > MOST_DISTINCT:
                self._seen.popitem(last=False)
            return last[1] if last else 0


limit = RateLimit()


class Event:
    """Base of all events; each is a frozen dataclass whose fields are what the log line shows."""

    __slots__ = ()
    level: ClassVar[int] = logging.INFO
    text: ClassVar[str] = ""
    distinct: ClassVar[tuple[str, ...] | None] = None
    """The fields by which two events are told apart for the rate limit; None: every one is logged."""

    def emit(self) -> None:
        self.count()
        suppressed: int | None = 0
        if not self.text or not log.isEnabledFor(self.level):
            return
        if self.distinct is not None:
            suppressed = limit.passes((type(self), *(getattr(self, name) for name in self.distinct)))
        if suppressed is None:
            return
        attributes = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        if suppressed:
            attributes["suppressed"] = suppressed
        log.log(self.level, self.text, extra={"event": type(self).__name__, "attributes": attributes})

    def count(self) -> None:
        """Move the metrics that belong to this event."""


def configure_logs(level: str = "info", form: str = "auto", stream: TextIO | None = None) -> None:
    """Send our log lines to `stream` (stderr); `form` is json, human, or auto: human on a terminal, else JSON."""
    stream = stream or sys.stderr
    if form == "auto":
        form = "human" if stream.isatty() else "json"
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Human() if form == "human" else _Json())
    log.handlers[:] = [handler]
    log.setLevel(level.upper())
    log.propagate = False


class _Json(logging.Formatter):
    """One object per line, named as in the OpenTelemetry log data model; trace ids if a span is current."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "severity": severity(record),
            "event": getattr(record, "event", record.name),
            "body": record.getMessage(),
        }
        if attributes := getattr(record, "attributes", None):
            line["attributes"] = attributes
        if record.exc_info:
            line["error"] = where(record)
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            line["trace_id"], line["span_id"] = f"{span.trace_id:032x}", f"{span.span_id:016x}"
        return json.dumps(line, default=str, ensure_ascii=False)


class _Human(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = f"{datetime.fromtimestamp(record.created):%H:%M:%S} {record.levelname:<8} {record.getMessage()}"
        if attributes := getattr(record, "attributes", None):
            line += "  " + " ".join(f"{name}={_plain(value)}" for name, value in attributes.items())
        return f"{line}  error={where(record)}" if record.exc_info else line


def _plain(value: object) -> str:
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    return repr(text) if " " in text or not text.isprintable() else text


def severity(record: logging.LogRecord) -> str:
    """The level's name, as the OpenTelemetry log data model has it."""
    return "WARN" if record.levelno == logging.WARNING else record.levelname


def where(record: logging.LogRecord) -> str:
    """The type and the places of an exception, and of those in a group. Messages stay out: they may quote a record."""
    assert record.exc_info
    return _place(record.exc_info[1])


def _place(error: BaseException | None) -> str:
    if error is None:
        return "unknown"
    if isinstance(error, BaseExceptionGroup):
        return ", ".join(map(_place, error.exceptions))
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__} at {places}"
