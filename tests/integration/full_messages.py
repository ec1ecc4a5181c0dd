"""OTLP requests in which every field is set, with values that are all different."""

from collections.abc import Iterator
from itertools import count
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

REQUESTS: dict[str, Any] = {
    "logs": ExportLogsServiceRequest,
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
_LENGTHS = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}
_PROFILES_ONLY = {"string_value_strindex", "key_strindex"}


def full(signal: str, alternative: int) -> Any:
    """A request; where only one of several fields may be set, `alternative` says which (counted around)."""
    message = REQUESTS[signal]()
    _fill(message, alternative, count(1), 0)
    return message


def alternatives() -> Iterator[int]:
    """Enough of them that each field of each choice is set in one: the largest choice has seven."""
    return iter(range(7))


def _fill(message: Message, alternative: int, numbers: Iterator[int], depth: int) -> None:
    fields = [field for field in message.DESCRIPTOR.fields if field.name not in _PROFILES_ONLY]
    for field in fields:
        choice = field.containing_oneof
        if choice is not None and len(choice.fields) > 1:
            among = [other for other in choice.fields if other.name not in _PROFILES_ONLY]
            if depth > 12:
                among = among[:1]  # a value within a value within … ends as text
            if among[alternative % len(among)] is not field:
                continue
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            target = getattr(message, field.name)
            if field.is_repeated:
                if depth > 14:
                    continue
                for _ in range(2 if depth < 6 else 1):
                    _fill(target.add(), alternative, numbers, depth + 1)
            else:
                target.SetInParent()
                _fill(target, alternative, numbers, depth + 1)
        elif field.is_repeated:
            getattr(message, field.name).extend(_value(field, next(numbers)) for _ in range(2))
        else:
            setattr(message, field.name, _value(field, next(numbers)))


def _value(field: FieldDescriptor, number: int) -> Any:
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            if field.type == FieldDescriptor.TYPE_BYTES:
                return number.to_bytes(_LENGTHS.get(field.name, 5), "big")
            return f"{field.name} {number}"
        case FieldDescriptor.CPPTYPE_BOOL:
            return True
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return number + 0.5
        case FieldDescriptor.CPPTYPE_ENUM:
            assert field.enum_type is not None
            return field.enum_type.values[-1].number
        case _:
            return number
