"""How many records a request has, and of what time: a walk over the wire."""

from dataclasses import dataclass
from struct import Struct

from scrubbers.otlp.schema import REQUESTS, Kind, Message, Signal
from scrubbers.otlp.wire import BYTES, FIXED64, Malformed, fields

MAX_BYTES = 64 << 20  # of a request


@dataclass(slots=True, frozen=True)
class Measure:
    """What a request holds: how many spans, log records or data points; the first and the last of their times, in
    nanoseconds since the epoch, 0 if none is given. A span's time is that of its start.
    """

    records: int
    first_time: int
    last_time: int


def measure(body: bytes, signal: Signal) -> Measure:
    """Measure a request, and see that it is one: well-formed down to the fields of its records. Raises Malformed."""
    if len(body) > MAX_BYTES:
        raise Malformed("it is larger than 64 MiB")
    times: list[int] = []
    records = _group(body, 0, len(body), REQUESTS[signal], times)
    return Measure(records, min(times, default=0), max(times, default=0))


_time = Struct("<Q").unpack_from


def _group(body: bytes, at: int, end: int, message: Message, times: list[int]) -> int:
    records = 0
    for number, wire, _, start, stop in fields(body, at, end):
        known = message.fields.get(number)
        if known is None:
            continue
        if wire != BYTES:
            raise Malformed("a known field is of another type")
        kind, inner = known
        if inner is None:
            continue
        if kind is Kind.RECORD:
            records += 1
            _record(body, start, stop, inner, times)
        elif kind is Kind.GROUP:
            records += _group(body, start, stop, inner, times)
    return records


def _record(body: bytes, at: int, end: int, message: Message, times: list[int]) -> None:
    found: dict[int, int] = {}
    for number, wire, _, start, _ in fields(body, at, end):
        if wire == FIXED64 and number in message.times:
            found[number] = _time(body, start)[0]
    time = next((found[number] for number in message.times if found.get(number)), 0)
    if time:
        times.append(time)
