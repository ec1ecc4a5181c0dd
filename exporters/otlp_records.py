"""The records of serialised OTLP requests: spans, log records, data points, each with its time and its resource.

Parsing costs some 1.4 µs a span: this is for what is rare (records of several hours in one request, quarantine) and for
reading back. Unknown fields survive.
"""

from collections.abc import Callable, Hashable, Iterator
from functools import cache
from typing import Any, TypeVar

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from exporters.requests import NotOtlp
from exporters.signals import Signal

K = TypeVar("K", bound=Hashable)

_POINTS = "data_points"  # stands below the one that is set of a metric's kinds
_LEVELS = {
    "traces": ("resource_spans", "scope_spans", "spans"),
    "logs": ("resource_logs", "scope_logs", "log_records"),
    "metrics": ("resource_metrics", "scope_metrics", "metrics", _POINTS),
}
_TIMES = {
    "traces": ("start_time_unix_nano", "end_time_unix_nano"),
    "logs": ("time_unix_nano", "observed_time_unix_nano"),
    "metrics": ("time_unix_nano",),
}
_REQUESTS = {
    "traces": ("trace", "ExportTraceServiceRequest"),
    "logs": ("logs", "ExportLogsServiceRequest"),
    "metrics": ("metrics", "ExportMetricsServiceRequest"),
}


def parse(signal: Signal, request: bytes) -> Any:
    """The request as a message whose strings are bytes: whoever sends may send what is not UTF-8. Raises NotOtlp."""
    try:
        return _lenient(signal).FromString(request)
    except DecodeError:
        raise NotOtlp(f"not a request of {signal}") from None


def record_time(signal: Signal, record: Any) -> int:
    """Nanoseconds since the epoch, 0 if it says none: of a span its start, of a log record when it was made or seen."""
    for name in _TIMES[signal]:
        if time := getattr(record, name):
            return int(time)
    return 0


def records(signal: Signal, request: Any) -> Iterator[tuple[Any, Any]]:
    """All records of a parsed request in their order, each with its resource."""
    resources, *levels = _LEVELS[signal]
    for group in getattr(request, resources):
        for record in _below(group, levels):
            yield record, group.resource


def parted(signal: Signal, request: bytes, key: Callable[[int, Any, Any], K]) -> dict[K, bytes]:
    """The request as several, by what `key` says of each record's number, the record and its resource.

    The parts together hold every record once, in order, each with its resource and scope; groups without records are in
    none of them. Raises NotOtlp.
    """
    whole = parse(signal, request)
    parts: dict[K, Any] = {}
    numbers = iter(range(len(request)))
    _part(whole, _LEVELS[signal], lambda part: parts.setdefault(part, type(whole)()), key, numbers, None)
    return {part: message.SerializeToString() for part, message in parts.items()}


def picked(signal: Signal, request: bytes, wanted: Callable[[int, Any, Any], bool]) -> bytes:
    """A request of the wanted records alone; empty if there are none. Raises NotOtlp."""
    return parted(signal, request, lambda *record: bool(wanted(*record))).get(True, b"")


def _below(message: Any, levels: list[str]) -> Iterator[Any]:
    level, *deeper = levels
    for each in _children(message, level):
        if deeper:
            yield from _below(each, deeper)
        else:
            yield each


def _children(message: Any, level: str) -> Any:
    if level != _POINTS:
        return getattr(message, level)
    kind = message.WhichOneof("data")
    return getattr(message, kind).data_points if kind else ()


def _part(
    message: Any,
    levels: tuple[str, ...],
    copy_for: Callable[[K], Any],
    key: Callable[[int, Any, Any], K],
    numbers: Iterator[int],
    resource: Any,
) -> None:
    """Copy what is below a message to its copies, which are made when something comes into them."""
    level, *deeper = levels
    for each in _children(message, level):
        if not deeper:
            _children(copy_for(key(next(numbers), each, resource)), level).append(each)
            continue
        copies: dict[K, Any] = {}
        hollow = _hollow(each, deeper[0])  # once: there may be many parts, and much in it

        def copied(part: K, hollow: Any = hollow, copies: dict[K, Any] = copies) -> Any:
            if part not in copies:
                copies[part] = _children(copy_for(part), level).add()
                copies[part].CopyFrom(hollow)
            return copies[part]

        _part(each, tuple(deeper), copied, key, numbers, resource or each.resource)


def _hollow(message: Any, level: str) -> Any:
    copy = type(message)()
    copy.CopyFrom(message)
    children = _children(copy, level)
    if children:
        del children[:]
    return copy


@cache
def _lenient(signal: Signal) -> type[Message]:
    """OTLP's messages with bytes in place of strings."""
    import opentelemetry.proto.collector.logs.v1.logs_service_pb2
    import opentelemetry.proto.collector.metrics.v1.metrics_service_pb2
    import opentelemetry.proto.collector.trace.v1.trace_service_pb2  # noqa: F401

    pool = descriptor_pool.DescriptorPool()
    module, name = _REQUESTS[signal]
    file = f"opentelemetry/proto/collector/{module}/v1/{module}_service.proto"
    _add(descriptor_pool.Default().FindFileByName(file), pool)
    full_name = f"opentelemetry.proto.collector.{module}.v1.{name}"
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(full_name))


def _add(file: Any, pool: Any) -> None:
    for needed in file.dependencies:
        _add(needed, pool)
    copy = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(copy)
    for message in copy.message_type:
        _without_strings(message)
    pool.Add(copy)


def _without_strings(message: Any) -> None:
    for field in message.field:
        if field.type == field.TYPE_STRING:
            field.type = field.TYPE_BYTES
    for inner in message.nested_type:
        _without_strings(inner)
