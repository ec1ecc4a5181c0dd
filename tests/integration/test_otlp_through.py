"""From an OTLP client through the gate to a real OpenTelemetry Collector: every span as it was sent, minus what is
personal; also when the Collector is killed and started again meanwhile."""

import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.integration.full_messages import REQUESTS, alternatives, full
from tests.integration.gating import COMMAND, Gate
from tests.services.otelcol_server import OtelCollector
from tests.services.server import Unavailable, free_ports, unavailable

pytestmark = [pytest.mark.service, pytest.mark.timeout(1500)]  # the Collector may have to be built first

_METHODS = {
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[OtelCollector]:
    try:
        collector = OtelCollector(tmp_path / "collector")
        collector.start()
    except Unavailable as error:
        unavailable(error)
    yield collector
    collector.server.kill()


@pytest.fixture
def between(make_gate: Callable[..., Gate], collector: OtelCollector) -> Gate:
    """A gate before the Collector, and a folder beside it."""
    gate = make_gate()
    (port,) = free_ports(1)
    gate.settings["sources"] = {"app": {"type": "otlp", "grpc": {"listen": f"127.0.0.1:{port}"}, "http": None}}
    gate.settings["exporters"]["otel"] = {"type": "otlp", "endpoint": collector.grpc, "timeout": "2s"}
    gate.start()
    return gate


def send(gate: Gate, signal: str, requests: list[Any]) -> None:
    """Send one request after another, and wait for each answer."""
    with grpc.insecure_channel(gate.settings["sources"]["app"]["grpc"]["listen"]) as channel:
        export = channel.unary_unary(_METHODS[signal])
        for request in requests:
            export(request.SerializeToString(), timeout=60)


def arrived(collector: OtelCollector, signal: str) -> Any:
    """All that the Collector has, as one request."""
    return REQUESTS[signal].FromString(b"".join(collector.took(signal)))


def spans(request: Any) -> list[Any]:
    return [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]


def test_what_is_not_personal_arrives_field_by_field(between: Gate, collector: OtelCollector) -> None:
    sent: dict[str, Any] = {}
    for signal, kind in REQUESTS.items():
        requests = [full(signal, alternative) for alternative in alternatives()]
        send(between, signal, requests)
        sent[signal] = kind.FromString(b"".join(request.SerializeToString() for request in requests))
    for signal, request in sent.items():
        between.until(lambda: arrived(collector, signal).ByteSize() >= request.ByteSize(), signal)  # noqa: B023
        assert arrived(collector, signal) == request
    assert between.stop() == 0


def test_what_is_personal_does_not_and_all_around_it_does(between: Gate, collector: OtelCollector) -> None:
    requests = []
    for number in range(40):
        request = ExportTraceServiceRequest()
        resource = request.resource_spans.add()
        resource.resource.attributes.add(key="service.name").value.string_value = "shop"
        span = resource.scope_spans.add().spans.add(
            name=f"GET /order/{number}", trace_id=bytes(15) + b"\1", span_id=b"12345678"
        )
        span.attributes.add(key="http.response.status_code").value.int_value = 200
        span.status.code = 1  # the Collector writes an empty status where there is none
        if number % 4 == 0:
            span.attributes.add(key="user.email").value.string_value = "canary@example.com"
            span.events.add(name="mail sent to canary@example.com", time_unix_nano=number)
        requests.append(request)
    send(between, "traces", requests)
    between.until(lambda: len(spans(arrived(collector, "traces"))) == len(requests), "the spans")
    for wanted, found in zip(map(spans, requests), spans(arrived(collector, "traces")), strict=True):
        (expected,) = wanted
        if len(expected.attributes) > 1:
            del expected.attributes[1]
            expected.dropped_attributes_count = 1
            expected.events[0].name = "mail sent to [REDACTED:email]"
        assert found == expected
    assert between.stop() == 0


def test_no_span_is_lost_when_the_collector_or_the_gate_is_killed(between: Gate, collector: OtelCollector) -> None:
    def numbered(first: int) -> list[Any]:
        made = []
        for number in range(first, first + 100):
            request = ExportTraceServiceRequest()
            request.resource_spans.add().scope_spans.add().spans.add(
                name=f"n{number}", span_id=number.to_bytes(8, "big")
            )
            made.append(request)
        return made

    send(between, "traces", numbered(0))
    collector.server.kill()
    send(between, "traces", numbered(100))
    between.kill()
    between.start()
    send(between, "traces", numbered(200))
    collector.start()
    send(between, "traces", numbered(300))
    names = lambda: {span.name for span in spans(arrived(collector, "traces"))}  # noqa: E731
    between.until(lambda: len(names()) == 400, "all spans")
    assert names() == {f"n{number}" for number in range(400)}
    assert between.stop() == 0


def test_a_collector_reads_what_reading_back_gives(between: Gate, collector: OtelCollector, tmp_path: Path) -> None:
    """OTLP/JSON as its `otlpjsonfile` receiver reads it, by the same reader, that of its HTTP receiver."""
    sent: dict[str, Any] = {}
    for signal, kind in REQUESTS.items():
        requests = [full(signal, alternative) for alternative in alternatives()]
        send(between, signal, requests)
        sent[signal] = kind.FromString(b"".join(request.SerializeToString() for request in requests))
    assert between.stop() == 0
    other = OtelCollector(tmp_path / "other")
    other.start()
    try:
        for signal, request in sent.items():
            command = [COMMAND, "read", between.store, "--signal", signal]
            for line in subprocess.run(command, capture_output=True, check=True).stdout.splitlines():
                post = urllib.request.Request(f"{other.http}/v1/{signal}", line, {"Content-Type": "application/json"})
                with urllib.request.urlopen(post, timeout=60) as answer:
                    assert answer.status == 200
            assert arrived(other, signal) == request
    finally:
        other.server.kill()
