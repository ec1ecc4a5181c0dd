"""JSON lines as they are stored become OTLP log records.

`time` is both the record's and, where no other is known, the observed time; a JSON body becomes a value of the same
shape (an object a kvlist); `stream` becomes the attribute `log.iostream`. What OTLP cannot hold (integers of 64 bits
without a sign, numbers beyond a double, nesting that receivers refuse) is sent as its JSON text; integers beyond that
lose digits.
"""

from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from typing import Any

import msgspec
import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

MAX_DEPTH = 24  # of a body's objects and arrays: three messages each, and most receivers take a hundred
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
    request = ExportLogsServiceRequest()
    for resource, group in groupby(_decode(lines), lambda line: bytes(line.resource)):
        of_resource = request.resource_logs.add()
        for name, value in orjson.loads(resource).items():
            _attribute(of_resource.resource.attributes.add(), name, value)
        records = of_resource.scope_logs.add().log_records
        for line in group:
            _fill(records.add(), line)
    return request.SerializeToString()


def _fill(record: LogRecord, line: _Line) -> None:
    record.time_unix_nano = _nanoseconds(line.time)
    record.observed_time_unix_nano = _nanoseconds(line.observed_time or line.time)
    if line.severity:
        record.severity_text = line.severity
        record.severity_number = _SEVERITIES.get(line.severity.upper(), 0)  # type: ignore[assignment]
    if line.stream:
        _attribute(record.attributes.add(), "log.iostream", line.stream)
    if line.partial:
        _attribute(record.attributes.add(), "log.partial", True)
    if line.body_base64:
        record.body.bytes_value = b64decode(line.body_base64)
        return
    raw = bytes(line.body)
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:  # a number beyond what a double holds
        body = raw.decode()
    _value(record.body, body, MAX_DEPTH)


def _attribute(attribute: KeyValue, name: str, value: Any) -> None:
    attribute.key = name
    _value(attribute.value, value, MAX_DEPTH)


def _value(to: AnyValue, value: Any, depth: int) -> None:
    kind = type(value)
    if kind is str:
        to.string_value = value
    elif kind is bool:
        to.bool_value = value
    elif kind is int:
        if -(1 << 63) <= value < 1 << 63:
            to.int_value = value
        else:
            to.string_value = str(value)
    elif kind is float:
        to.double_value = value
    elif value is None:
        return
    elif not depth:
        to.string_value = orjson.dumps(value).decode()
    elif kind is dict:
        values = to.kvlist_value.values
        to.kvlist_value.SetInParent()
        for name, inner in value.items():
            attribute = values.add()
            attribute.key = name
            _value(attribute.value, inner, depth - 1)
    else:
        to.array_value.SetInParent()
        items = to.array_value.values
        for inner in value:
            _value(items.add(), inner, depth - 1)


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
