"""What is configured of own telemetry by OTLP."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field

from exporters.otlp.options import OtlpClientOptions
from exporters.signals import SIGNALS, Signal
from settings import Duration


class OwnOtlpOptions(OtlpClientOptions):
    """The gate's own spans, log and metrics, sent by OTLP. What is not given here is as the environment says
    (`OTEL_EXPORTER_OTLP_…`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_…`,
    `OTEL_BLRP_…`, `OTEL_METRIC_EXPORT_INTERVAL`, `OTEL_SDK_DISABLED`)."""

    endpoint: Annotated[str, Field(pattern=r"^https?://[^/?#@\s]+(/[^?#\s]*)?$")] | None = None  # type: ignore[assignment]
    """Where it is sent, never to this gate. Default: `OTEL_EXPORTER_OTLP_ENDPOINT`, else port 4317 (HTTP: 4318) of this
    machine."""
    protocol: Literal["grpc", "http/protobuf"] | None = None  # type: ignore[assignment]
    """How it is spoken. Default: `OTEL_EXPORTER_OTLP_PROTOCOL`, else gRPC."""
    compression: Literal["gzip", "none"] | None = None
    """Default: `OTEL_EXPORTER_OTLP_COMPRESSION`, else none."""
    signals: Annotated[tuple[Signal, ...], Field(min_length=1)] = SIGNALS
    """What is sent. Default: all of it."""
    sample: Annotated[float, Field(ge=0, le=1)] | None = None
    """The share of the gate's own work that is told in spans. Default: as `OTEL_TRACES_SAMPLER` says, else 0.01."""
    metric_interval: Annotated[Duration, Field(ge=timedelta(seconds=1))] | None = None
    """How often metrics are sent. Default: `OTEL_METRIC_EXPORT_INTERVAL`, else 60 seconds."""

    def spoken(self, environment: Mapping[str, str]) -> str:
        """The protocol in force."""
        return self.protocol or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL", "").strip() or "grpc"

    def addresses(self, environment: Mapping[str, str]) -> Iterator[tuple[str, int]]:
        """Host and port of all endpoints in force."""
        usual = 4317 if self.spoken(environment) == "grpc" else 4318
        for signal in self.signals:
            endpoint = (
                self.endpoint
                or environment.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
                or environment.get("OTEL_EXPORTER_OTLP_ENDPOINT")
                or f"http://localhost:{usual}"
            )
            parts = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}")
            try:
                yield parts.hostname or "", parts.port or (443 if parts.scheme == "https" else usual)
            except ValueError:
                continue  # a port that is none: the exporter will say so
