"""All processes of a gate send their own telemetry by OTLP, and none of what passes through them."""

import json
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.integration.gating import Gate, assert_clean, records
from tests.services.otlp_server import GrpcServer

PROCESSES = {"node-1/gate", "node-1/shipper", "node-1/worker-0", "node-1/worker-1"}


def instance(resource: Any) -> str:
    return next(a.value.string_value for a in resource.attributes if a.key == "service.instance.id")


def test_spans_logs_and_metrics_of_a_run(make_gate: Callable[..., Gate]) -> None:
    server = GrpcServer()
    try:
        gate = make_gate()
        gate.settings["telemetry"]["otlp"] = {"endpoint": server.endpoint, "sample": 1.0}
        (gate.inputs / "app.log").write_bytes(records(0, 600))
        gate.finish()
        gate.conserved()
    finally:
        server.close()
    assert_clean(server.bodies)
    spans: dict[str, list[Any]] = defaultdict(list)
    events: set[str] = set()
    metrics: dict[str, set[str]] = defaultdict(set)
    for request in server.requests:
        match request.signal:
            case "traces":
                for resource in ExportTraceServiceRequest.FromString(request.body).resource_spans:
                    for span in resource.scope_spans[0].spans:
                        spans[span.name].append(span)
            case "logs":
                for resource in ExportLogsServiceRequest.FromString(request.body).resource_logs:
                    events |= {record.event_name for record in resource.scope_logs[0].log_records}
            case _:
                for resource in ExportMetricsServiceRequest.FromString(request.body).resource_metrics:
                    names = {metric.name for metric in resource.scope_metrics[0].metrics}
                    metrics[instance(resource.resource)] |= names
    assert spans.keys() == {"scrub", "commit", "export"}
    scrubs = {span.span_id for span in spans["scrub"]}
    assert {link.span_id for span in spans["commit"] for link in span.links} == scrubs, "each is committed once"
    counted = [a.value.int_value for span in spans["scrub"] for a in span.attributes if a.key == "sluicegate.records"]
    assert sum(counted) == 600
    assert {"GateStarted", "GateStopped", "Exported"} <= events
    assert metrics.keys() == PROCESSES
    assert "sluicegate.findings" in metrics["node-1/worker-0"] | metrics["node-1/worker-1"]
    assert "sluicegate.export.objects" in metrics["node-1/shipper"]
    assert "sluicegate.spool" in metrics["node-1/gate"]
    assert "sluicegate.spool" not in metrics["node-1/shipper"]


def test_a_dead_backend_delays_no_end_and_is_told_on_stderr(make_gate: Callable[..., Gate]) -> None:
    server = GrpcServer()
    server.close()
    gate = make_gate()
    gate.settings["telemetry"]["otlp"] = {"endpoint": server.endpoint, "sample": 1.0}
    (gate.inputs / "app.log").write_bytes(records(0, 60))
    gate.start()
    gate.reaches(60, "sluicegate_export_records_total")
    started = time.monotonic()
    assert gate.stop() == 0
    assert time.monotonic() - started < 20  # about 4 s: what it may wait at the end, in two steps
    gate.conserved()
    lines = [json.loads(line) for line in gate.log.read_bytes().splitlines() if line.startswith(b"{")]
    assert any(line["event"] == "OwnTelemetryFailed" for line in lines)
    assert gate.log.read_bytes().count(b"\n") == len(lines), "nobody else writes there"
