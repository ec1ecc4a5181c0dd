"""Starts and ends the export of this process's own telemetry."""

import logging
import os
import platform
import socket
import threading
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Self

from opentelemetry import trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, TraceIdRatioBased

from collector import own_log
from collector.own.logs import FromSdk, ToOtlp
from collector.own.metrics import Pump
from collector.own.options import OwnOtlpOptions

USUAL_SAMPLE = 0.01
CLOSE_SECONDS = 3.0  # how long the end of a process may wait for a backend


class OwnTelemetry:
    """What one process exports, until `close`."""

    def __init__(self) -> None:
        self._close: list[Callable[[], object]] = []

    @classmethod
    def start(
        cls, options: OwnOtlpOptions, process: str, node: str, refresh: Callable[[], None] = lambda: None
    ) -> Self:
        """Export from here on. `process` names this one among those of the gate on `node`; `refresh` is called before
        metrics are read. Raises OSError if certificates cannot be read."""
        own = cls()
        if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
            return own
        sdk = logging.getLogger("opentelemetry")
        sdk.handlers[:] = [FromSdk(logging.WARNING)]
        sdk.propagate = False
        resource = _resource(process, node)
        make = _makers(options)
        if "traces" in options.signals:
            provider = TracerProvider(resource=resource, sampler=_sampler(options), shutdown_on_exit=False)
            provider.add_span_processor(BatchSpanProcessor(make["traces"]()))
            trace.set_tracer_provider(provider)
            own._close.append(provider.shutdown)
        if "logs" in options.signals:
            logs = LoggerProvider(resource=resource, shutdown_on_exit=False)
            logs.add_log_record_processor(BatchLogRecordProcessor(make["logs"]()))
            handler = ToOtlp(logs.get_logger("sluicegate"))
            own_log.log.addHandler(handler)
            own._close += [lambda: own_log.log.removeHandler(handler), logs.shutdown]
        if "metrics" in options.signals:
            own._close.append(Pump(make["metrics"](), resource, _interval(options), refresh).close)
        return own

    def close(self) -> None:
        """Send what is left, for a few seconds at most."""
        ending = [threading.Thread(target=close, daemon=True) for close in self._close]
        for thread in ending:
            thread.start()
        for thread in ending:
            thread.join(CLOSE_SECONDS / len(ending))


def _resource(process: str, node: str) -> Resource:
    """Who we are; what the environment says comes first."""
    ours = Resource.create(
        {
            "service.name": "sluicegate",
            "service.version": version("sluicegate"),
            "service.instance.id": f"{node}/{process}",
            "host.name": socket.gethostname(),
            "process.pid": os.getpid(),
            "process.runtime.name": platform.python_implementation().lower(),
            "process.runtime.version": platform.python_version(),
        }
    )
    return ours.merge(OTELResourceDetector().detect())


def _sampler(options: OwnOtlpOptions) -> Sampler | None:
    """None: as the environment says, which the SDK reads itself."""
    if options.sample is None and os.environ.get("OTEL_TRACES_SAMPLER"):
        return None
    return ParentBased(TraceIdRatioBased(USUAL_SAMPLE if options.sample is None else options.sample))


def _interval(options: OwnOtlpOptions) -> float:
    if options.metric_interval is not None:
        return options.metric_interval.total_seconds()
    given = os.environ.get("OTEL_METRIC_EXPORT_INTERVAL", "")
    return max(1.0, int(given) / 1000) if given.isdecimal() else 60.0


def _makers(options: OwnOtlpOptions) -> dict[str, Callable[[], Any]]:
    """How the exporter of each signal is made. What is not configured the SDK takes from the environment."""
    headers = {name: value.get_secret_value() for name, value in options.headers.items()}
    arguments: dict[str, Any] = {"timeout": options.timeout.total_seconds()}
    if options.spoken(os.environ) == "grpc":
        import grpc
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans

        from exporters.otlp.over_grpc import credentials

        if headers:
            arguments["headers"] = [(name.lower(), value) for name, value in headers.items()]
        if options.endpoint:
            arguments |= {"endpoint": options.endpoint, "insecure": options.endpoint.startswith("http:")}
        if options.endpoint and options.endpoint.startswith("https:"):
            arguments["credentials"] = credentials(options.tls)
        if options.compression:
            gzip = options.compression == "gzip"
            arguments["compression"] = grpc.Compression.Gzip if gzip else grpc.Compression.NoCompression
        kinds: dict[str, Any] = {"logs": GrpcLogs, "traces": GrpcSpans, "metrics": GrpcMetrics}
        return {signal: lambda kind=kind: kind(**arguments) for signal, kind in kinds.items()}  # type: ignore[misc]
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans

    if headers:
        arguments["headers"] = headers
    tls = {
        "certificate_file": options.tls.ca_file,
        "client_certificate_file": options.tls.certificate,
        "client_key_file": options.tls.key,
    }
    for name, path in tls.items():
        if path:
            path.read_bytes()  # who is not there is told at start
            arguments[name] = str(path)
    if options.compression:
        arguments["compression"] = Compression.Gzip if options.compression == "gzip" else Compression.NoCompression
    kinds = {"logs": HttpLogs, "traces": HttpSpans, "metrics": HttpMetrics}
    base = (options.endpoint or "").rstrip("/")
    return {
        signal: lambda kind=kind, signal=signal: kind(  # type: ignore[misc]
            **arguments, **({"endpoint": f"{base}/v1/{signal}"} if base else {})
        )
        for signal, kind in kinds.items()
    }
