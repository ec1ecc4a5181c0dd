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

from exporters.otlp_records import Signal, parse

_IDS = frozenset(("trace_id", "span_id", "parent_span_id"))

_Convert: TypeAlias = Callable[[Any], Any]


def readable(signal: Signal, request: bytes) -> bytes:
    r"""A serialised request as one line of OTLP/JSON, ended by `\n`. Raises NotOtlp."""
    return orjson.dumps(_message(parse(signal, request))) + b"\n"


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
