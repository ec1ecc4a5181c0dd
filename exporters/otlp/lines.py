"""JSON lines as they are stored become OTLP log records.

`time` is both the record's and, where no other is known, the observed time; a JSON body becomes a value of the same
shape (an object a kvlist); `stream` becomes the attribute `log.iostream`. What OTLP cannot hold (integers of 64 bits
without a sign, numbers beyond a double, nesting that receivers refuse) is sent as its JSON text; integers beyond that
lose digits.
"""

import struct
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby

import msgspec
import orjson

from exporters.otlp.encoding import BYTES, any_value, field, key_value, varint

# Fields of the messages, each with the tag it has on the wire.
_RESOURCE_LOGS = b"\x0a"  # of ExportLogsServiceRequest
_RESOURCE, _SCOPE_LOGS = b"\x0a", b"\x12"  # of ResourceLogs
_RESOURCE_ATTRIBUTE = b"\x0a"  # of Resource
_LOG_RECORD = b"\x12"  # of ScopeLogs
_TIME, _SEVERITY_NUMBER, _SEVERITY_TEXT, _BODY, _ATTRIBUTE, _OBSERVED = (
    b"\x09", b"\x10", b"\x1a", b"\x2a", b"\x32", b"\x59",
)  # fmt: skip
_fixed = struct.Struct("<Q").pack

_SEVERITIES = {"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "WARNING": 13, "ERROR": 17, "FATAL": 21, "CRITICAL": 21}


class _Line(msgspec.Struct):
    """What a stored line may hold besides what is not ours."""

    time: str = ""
    observed_time: str = ""
    severity: str = ""
    stream: str = ""
    partial: bool = False
    resource: msgspec.Raw = msgspec.Raw(b"{}")
    body: msgspec.Raw = msgspec.Raw(b"")
    body_base64: str = ""


_decode = msgspec.json.Decoder(_Line).decode_lines


def log_requests(stored: bytes, limit: int) -> Iterator[bytes]:
    r"""Requests with all the records of `stored` (each ended by `\n`), made of about `limit` bytes of them.

    Raises msgspec.DecodeError for what is not a stored form.
    """
    at = 0
    while at < len(stored):
        end = len(stored) if len(stored) - at <= limit else stored.rfind(b"\n", at, at + limit) + 1
        if not end:
            end = stored.index(b"\n", at) + 1
        yield _request(stored[at:end])
        at = end


def _request(lines: bytes) -> bytes:
    request = []
    for resource, group in groupby(_decode(lines), lambda line: bytes(line.resource)):
        records: list[bytes] = []
        for line in group:
            record = _record(line)
            records += (_LOG_RECORD, varint(len(record)), record)
        scope = field(_SCOPE_LOGS, b"".join(records))
        request.append(field(_RESOURCE_LOGS, field(_RESOURCE, _resource(resource)) + scope))
    return b"".join(request)


@lru_cache(64)
def _resource(attributes: bytes) -> bytes:
    pairs = orjson.loads(attributes).items()
    return b"".join(field(_RESOURCE_ATTRIBUTE, key_value(name, any_value(value))) for name, value in pairs)


def _record(line: _Line) -> bytes:
    time = _fixed(_nanoseconds(line.time))
    parts = [_TIME, time]
    if line.severity:
        number = _SEVERITIES.get(line.severity.upper(), 0)
        parts += (_SEVERITY_NUMBER, varint(number), field(_SEVERITY_TEXT, line.severity.encode()))
    parts.append(field(_BODY, _body(line)))
    if line.stream:
        parts.append(_stream(line.stream))
    if line.partial:
        parts.append(_PARTIAL)
    parts += (_OBSERVED, _fixed(_nanoseconds(line.observed_time)) if line.observed_time else time)
    return b"".join(parts)


@lru_cache(8)
def _stream(name: str) -> bytes:
    return field(_ATTRIBUTE, key_value("log.iostream", any_value(name)))


_PARTIAL = field(_ATTRIBUTE, key_value("log.partial", any_value(True)))


def _body(line: _Line) -> bytes:
    if line.body_base64:
        return field(BYTES, b64decode(line.body_base64))
    raw = bytes(line.body)
    try:
        return any_value(orjson.loads(raw))
    except orjson.JSONDecodeError:  # a number beyond what a double holds
        return any_value(raw.decode())


def _nanoseconds(time: str) -> int:
    """Of a time as stored, `…T08:00:00.123456789Z`; 0 if it is none."""
    if not time:
        return 0
    fraction = time[20:-1] if time[19:20] == "." else ""
    try:
        return _seconds(time[:19]) * 1_000_000_000 + int(fraction.ljust(9, "0")[:9])
    except ValueError:
        return 0


@lru_cache(16)
def _seconds(time: str) -> int:
    return max(0, int(datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp()))
