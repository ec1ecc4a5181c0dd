"""The gate's own telemetry by OTLP: what is sent, under which names, and what never is."""

import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.sdk.resources import Resource

from collector import events, own_log, telemetry
from collector.config import Config
from collector.own.export import OwnTelemetry
from collector.own.metrics import collected, otel_name
from collector.own.options import OwnOtlpOptions
from settings import SettingsError, loads
from tests.services.otlp_server import Answer, GrpcServer, HttpServer


@pytest.fixture(autouse=True)
def own_metrics() -> Iterator[None]:
    telemetry.unshare()
    own_log.limit = own_log.RateLimit()
    level, handlers = own_log.log.level, own_log.log.handlers[:]
    own_log.log.setLevel(logging.INFO)
    yield
    own_log.log.setLevel(level)
    own_log.log.handlers[:] = handlers
    sdk = logging.getLogger("opentelemetry")
    sdk.handlers[:], sdk.propagate = [], True
    telemetry.unshare()


@pytest.fixture(params=["grpc", "http/protobuf"])
def server(request: pytest.FixtureRequest) -> Iterator[GrpcServer | HttpServer]:
    server = GrpcServer() if request.param == "grpc" else HttpServer()
    yield server
    server.close()


def options(server: GrpcServer | HttpServer, **others: Any) -> OwnOtlpOptions:
    protocol = "grpc" if isinstance(server, GrpcServer) else "http/protobuf"
    given = {"endpoint": server.endpoint, "protocol": protocol, "signals": ("logs", "metrics"), **others}
    return OwnOtlpOptions(**given)


def attributes(found: Any) -> dict[str, Any]:
    def plain(attribute: KeyValue) -> Any:
        return getattr(attribute.value, str(attribute.value.WhichOneof("value")))

    return {attribute.key: plain(attribute) for attribute in found}


def log_records(server: GrpcServer | HttpServer) -> list[Any]:
    requests = [ExportLogsServiceRequest.FromString(r.body) for r in server.requests if r.signal == "logs"]
    return [
        record
        for request in requests
        for resource in request.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]


def test_events_arrive_as_log_records(server: GrpcServer | HttpServer) -> None:
    own = OwnTelemetry.start(options(server, headers={"X-Tenant": "ops"}), "worker-0", "node-1")
    events.SpoolFull("limit", "16 of 16 bytes are used").emit()
    try:
        raise ValueError("bob@example.com")
    except ValueError:
        own_log.log.exception("a batch could not be enveloped")
    own.close()
    full, failed = log_records(server)
    assert full.event_name == "SpoolFull"
    assert (full.severity_text, full.severity_number) == ("ERROR", 17)
    assert full.body.string_value == events.SpoolFull.text
    assert attributes(full.attributes) == {"reason": "limit", "message": "16 of 16 bytes are used"}
    assert attributes(failed.attributes)["error.type"].startswith("ValueError at test_own_telemetry.py:")
    assert not any(b"bob" in request.body for request in server.requests)
    request = next(request for request in server.requests if request.signal == "logs")
    assert {name.lower(): value for name, value in request.headers.items()}["x-tenant"] == "ops"
    resource = ExportLogsServiceRequest.FromString(request.body).resource_logs[0].resource
    known = attributes(resource.attributes)
    assert known["service.name"] == "sluicegate"
    assert known["service.instance.id"] == "node-1/worker-0"
    assert known["telemetry.sdk.language"] == "python"


def test_the_environment_says_who_we_are(server: GrpcServer | HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=prod,service.name=x")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "gate-eu")
    own = OwnTelemetry.start(options(server, signals=("logs",)), "gate", "n")
    events.GateStopped(0).emit()
    own.close()
    resource = ExportLogsServiceRequest.FromString(server.bodies[0]).resource_logs[0].resource
    known = attributes(resource.attributes)
    assert known["service.name"] == "gate-eu"
    assert known["deployment.environment.name"] == "prod"


def test_the_environment_says_where_to(monkeypatch: pytest.MonkeyPatch) -> None:
    server = HttpServer()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    own = OwnTelemetry.start(OwnOtlpOptions(signals=("logs",)), "gate", "n")
    events.GateStopped(0).emit()
    own.close()
    server.close()
    assert [record.event_name for record in log_records(server)] == ["GateStopped"]


def test_metrics_arrive_with_names_of_their_own(server: GrpcServer | HttpServer) -> None:
    own = OwnTelemetry.start(options(server, signals=("metrics",)), "worker-0", "n")
    events.Received("app", "logs", 7, 700).emit()
    for seconds in (0.003, 0.2, 500.0):
        events.Exported("store", "id", 1, 1, seconds).emit()
    own.close()
    (resource,) = ExportMetricsServiceRequest.FromString(server.bodies[-1]).resource_metrics
    found = {metric.name: metric for metric in resource.scope_metrics[0].metrics}
    received = found["sluicegate.records.received"]
    assert received.sum.is_monotonic
    assert received.sum.aggregation_temporality == 2
    (point,) = received.sum.data_points
    assert point.as_double == 7
    assert attributes(point.attributes) == {"source": "app", "signal": "logs"}
    duration = found["sluicegate.export.duration"]
    assert duration.unit == "s"
    (histogram,) = duration.histogram.data_points
    assert (histogram.count, histogram.sum) == (3, pytest.approx(500.203))
    assert list(histogram.explicit_bounds) == list(telemetry.SECONDS)
    assert histogram.bucket_counts[0] == 1
    assert histogram.bucket_counts[-1] == 1
    assert sum(histogram.bucket_counts) == 3
    assert "sluicegate.spool" not in found, "what this process does not measure it does not send as 0"


def test_names_are_those_of_metrics_once_they_are_in_prometheus() -> None:
    suffixes = {"s": "_seconds", "By": "_bytes", "": ""}
    for metric in telemetry.METRICS:
        name, unit = otel_name(metric.name)
        again = name.replace(".", "_") + suffixes[unit] + ("_total" if metric.kind == "counter" else "")
        assert again == metric.name


def test_all_metrics_are_collected_with_the_values_of_the_page() -> None:
    events.Received("a", "logs", 1, 2).emit()
    events.Received("b", "logs", 3, 4).emit()
    telemetry.FILES_OPEN.set(5, source="a")
    data = collected(Resource({}), 0)
    sums = {
        (metric.name, tuple(sorted((point.attributes or {}).items()))): point.value
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        for point in metric.data.data_points
    }
    assert sums["sluicegate.bytes.received", (("signal", "logs"), ("source", "b"))] == 4
    assert sums["sluicegate.files.open", (("source", "a"),)] == 5


class Seen(logging.Handler):
    """The names of the events that were logged."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.events.append(getattr(record, "event", ""))


@pytest.mark.parametrize("kind", ["dead", "refusing"])
def test_a_backend_that_fails_is_told_of_once_and_feeds_nothing(kind: str) -> None:
    server = HttpServer()
    if kind == "dead":
        server.close()
    else:
        server.script.extend([Answer(status=400, text="no")] * 100)
    own = OwnTelemetry.start(options(server, timeout=timedelta(seconds=0.5)), "gate", "n")
    seen = Seen()
    own_log.log.addHandler(seen)
    events.GateStopped(0).emit()
    started = time.monotonic()
    own.close()
    assert time.monotonic() - started < 20
    assert seen.events.count("OwnTelemetryFailed") == 1
    assert telemetry.total(telemetry.OWN_TELEMETRY_ERRORS) >= 1
    if kind == "refusing":
        server.close()


def test_switched_off_by_the_environment(server: GrpcServer | HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    own = OwnTelemetry.start(options(server), "gate", "n")
    events.GateStopped(0).emit()
    own.close()
    assert server.asked == 0


def test_without_it_nothing_of_the_sdk_is_imported() -> None:
    program = (
        "import sys, collector.gate, collector.worker, collector.shipping, collector.process; "
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert done.stdout == "[]\n"


OTLP = "sources: {app: {type: otlp, grpc: {listen: '%s'}, http: null}}\n"


@pytest.mark.parametrize(
    ("listen", "endpoint", "refused"),
    [
        ("127.0.0.1:4317", "http://127.0.0.1:4317", True),
        ("127.0.0.1:4317", "http://localhost:4317", True),
        (":4317", "http://localhost", True),
        (":4317", "http://127.0.0.1:4317", True),
        ("[::]:4317", "http://[::1]:4317", True),
        ("127.0.0.1:4317", "http://127.0.0.1:4319", False),
        (":4317", "http://collector.example:4317", False),
        ("127.0.0.1:4317", "http://192.0.2.1:4317", False),
    ],
)
@pytest.mark.parametrize("where", ["exporter", "telemetry", "environment"])
def test_a_gate_never_sends_to_itself(
    listen: str, endpoint: str, refused: bool, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = OTLP % listen
    match where:
        case "exporter":
            text += f"exporters: {{me: {{type: otlp, endpoint: '{endpoint}'}}}}\n"
        case "telemetry":
            text += f"telemetry: {{otlp: {{endpoint: '{endpoint}'}}}}\n"
        case _:
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
            text += "telemetry: {otlp: {}}\n"
    if not refused:
        loads(text, Config, name="gate.yaml", env={})
        return
    with pytest.raises(SettingsError, match="is source app of this gate"):
        loads(text, Config, name="gate.yaml", env={})
