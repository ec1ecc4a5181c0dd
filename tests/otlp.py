"""OTLP requests for tests: spans, log records and data points that are known again by what they carry."""

from collections.abc import Sequence

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

NOON = 1_795_521_600_000_000_000  # ns
HOUR = 3_600_000_000_000
TRACE_ID = bytes(range(16))
REQUESTS = {
    "logs": ExportLogsServiceRequest,
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}


def attribute(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def spans(names: Sequence[str], *, start: int = NOON, service: str = "shop", **attributes: str) -> bytes:
    """A request of spans of one service, a millisecond apart."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.append(attribute("service.name", service))
    scope = group.scope_spans.add()
    scope.scope.name = "shop.web"
    for number, name in enumerate(names):
        time = start + number * 1_000_000
        scope.spans.add(
            name=name,
            trace_id=TRACE_ID,
            span_id=number.to_bytes(8),
            kind=2,
            start_time_unix_nano=time,
            end_time_unix_nano=time + 500_000,
            attributes=[attribute(key, value) for key, value in attributes.items()],
        )
    return request.SerializeToString()


def log_records(bodies: Sequence[str], *, start: int = NOON, service: str = "shop") -> bytes:
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.append(attribute("service.name", service))
    scope = group.scope_logs.add()
    for number, body in enumerate(bodies):
        scope.log_records.add(
            time_unix_nano=start + number, body=AnyValue(string_value=body), trace_id=TRACE_ID, severity_number=9
        )
    return request.SerializeToString()


def points(values: Sequence[int], *, start: int = NOON) -> bytes:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="orders")
    metric.sum.is_monotonic = True
    for number, value in enumerate(values):
        metric.sum.data_points.add(time_unix_nano=start + number, as_int=value)
    return request.SerializeToString()


def span_names(*requests: bytes) -> list[str]:
    """The names of all spans, in order."""
    return [
        span.name
        for request in requests
        for group in ExportTraceServiceRequest.FromString(request).resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]
