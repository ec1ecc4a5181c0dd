"""OTLP/JSON as the OpenTelemetry Collector reads and writes it: one request a line.

Protobuf's JSON mapping with three differences: trace and span ids are hexadecimal, enums are numbers, and names are
lowerCamelCase alone. Integers of 64 bits are strings, bytes are base64. Text that is not UTF-8, which JSON cannot hold,
is given with U+FFFD in the place of what cannot be read.
"""

import math
from base64 import b64encode
from collections.abc import Callable
from typing import Any, TypeAlias

import orjson
from google.protobuf import json_format
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from exporters.otlp_records import parse
from exporters.requests import NotOtlp
from exporters.signals import Signal

_IDS = frozenset(("trace_id", "span_id", "parent_span_id"))
_JSON_IDS = _IDS | {"traceId", "spanId", "parentSpanId"}  # the parser takes either kind of name
_REQUESTS: dict[Signal, type[Message]] = {
    "logs": ExportLogsServiceRequest,
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}

_Convert: TypeAlias = Callable[[Any], Any]


def readable(signal: Signal, request: bytes) -> bytes:
    r"""A serialised request as one line of OTLP/JSON, ended by `\n`. Raises NotOtlp."""
    return orjson.dumps(_message(parse(signal, request))) + b"\n"


def serialised(signal: Signal, document: bytes) -> bytes:
    """An OTLP/JSON request as protobuf; what OTLP's schema does not name is ignored, as the specification wants it.

    Raises NotOtlp, with words that quote nothing of it.
    """
    try:
        decoded = orjson.loads(document)
    except orjson.JSONDecodeError:
        raise NotOtlp("not JSON") from None
    try:
        if not isinstance(decoded, dict):
            raise NotOtlp("not a JSON object")
        _with_base64(decoded)
        message = json_format.ParseDict(decoded, _REQUESTS[signal](), ignore_unknown_fields=True)
    except NotOtlp:
        raise
    except (json_format.ParseError, ValueError, TypeError, AttributeError, RecursionError):
        raise NotOtlp(f"does not fit OTLP's schema for {signal}") from None
    return message.SerializeToString()


def _with_base64(value: Any) -> None:
    """Ids are hexadecimal in OTLP/JSON, where protobuf's mapping has base64. Changes them in place."""
    if isinstance(value, list):
        for each in value:
            _with_base64(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name in _JSON_IDS and isinstance(each, str):
                value[name] = b64encode(bytes.fromhex(each)).decode()
            else:
                _with_base64(each)


def _message(message: Any) -> dict[str, Any]:
    known = _FIELDS.get(message.DESCRIPTOR.full_name)
    if known is None:
        known = _FIELDS[message.DESCRIPTOR.full_name] = {f.number: _field(f) for f in message.DESCRIPTOR.fields}
    made = {}
    for field, value in message.ListFields():
        name, convert = known[field.number]
        made[name] = convert(value)
    return made


def _field(field: Any) -> tuple[str, _Convert]:
    convert = _convert(field)
    return field.json_name, (lambda values: [convert(value) for value in values]) if field.is_repeated else convert


def _convert(field: Any) -> _Convert:
    match field.type:
        case field.TYPE_MESSAGE:
            return _message
        case field.TYPE_BYTES if field.name in _IDS:
            return bytes.hex
        case field.TYPE_BYTES if (field.containing_type.full_name, field.name) in _BYTES:
            return lambda value: b64encode(value).decode()
        case field.TYPE_BYTES:  # a string: see `parse`
            return lambda value: value.decode("utf-8", "replace")
        case field.TYPE_DOUBLE | field.TYPE_FLOAT:
            return _number
        case field.TYPE_INT64 | field.TYPE_UINT64 | field.TYPE_FIXED64 | field.TYPE_SFIXED64 | field.TYPE_SINT64:
            return str
        case _:
            return lambda value: value  # bool, 32 bits, enum


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


_BYTES = {("opentelemetry.proto.common.v1.AnyValue", "bytes_value")}
_FIELDS: dict[str, dict[int, tuple[str, _Convert]]] = {}
