"""What is configured of an `otlp` exporter."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from exporters.options import DestinationOptions
from settings import ByteSize, Duration, Secret, Settings, refuse

_HEADER = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"


class TlsClientOptions(Settings):
    """How the server is known, and how this side shows who it is. The files are read at start."""

    ca_file: Path | None = None
    """Certificates that sign the server's, PEM. Default: those of the system."""
    certificate: Path | None = None
    """The client's certificate and those that lead to its root, PEM: for servers that want one (mTLS)."""
    key: Path | None = None
    """The certificate's private key, PEM."""

    @model_validator(mode="after")
    def _certificate_and_key_belong_together(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            missing = "certificate" if self.certificate is None else "key"
            refuse(((missing,), "is missing; give certificate and key, or neither"))
        return self


class OtlpClientOptions(Settings):
    """How an OTLP server is reached."""

    endpoint: Annotated[str, Field(pattern=r"^https?://[^/?#@\s]+(/[^?#\s]*)?$")]
    """Where it is, such as `http://collector:4317`; `https` for TLS. For HTTP the base, to which `/v1/logs`,
    `/v1/traces` and `/v1/metrics` are added: `https://loki:3100/otlp`."""
    protocol: Literal["grpc", "http/protobuf"] = "grpc"
    """How it is spoken: most listen for gRPC on port 4317, for HTTP on 4318."""
    headers: dict[Annotated[str, Field(pattern=_HEADER)], Secret] = Field(default={})
    """Sent with every request, for instance `Authorization`. As `${file:token}` or `${NAME}` a secret does not stand in
    this file."""
    tls: TlsClientOptions = TlsClientOptions()
    """For endpoints with `https`."""
    timeout: Annotated[Duration, Field(ge=timedelta(milliseconds=100))] = timedelta(seconds=10)
    """How long to wait for an answer."""

    @model_validator(mode="after")
    def _endpoint_fits(self) -> Self:
        endpoint = self.endpoint or "https:"  # own telemetry may leave it to the environment
        if self.protocol == "grpc" and urlsplit(endpoint).path.strip("/"):
            refuse((("endpoint",), "has a path, and gRPC has none; remove it, or set `protocol: http/protobuf`"))
        if self.tls != TlsClientOptions() and not endpoint.startswith("https:"):
            refuse((("tls",), "is of no use without TLS; write `https://` in endpoint, or remove it"))
        try:
            port = urlsplit(endpoint).port
        except ValueError:
            port = 0
        if port == 0:
            refuse((("endpoint",), "has no such port; write one from 1 to 65535"))
        return self


class OtlpDestination(OtlpClientOptions, DestinationOptions):
    """Sends what is committed, within a second, by OTLP."""

    type: Literal["otlp"] = "otlp"
    """The kind of destination."""
    compression: Literal["gzip", "zstd", "none"] = "gzip"
    """`zstd` is for HTTP, and for servers that take it: the Collector does."""
    request_bytes: Annotated[ByteSize, Field(ge=64 << 10, le=32 << 20)] = 1 << 20
    """About how large requests are made, before compression. Most servers take up to 4 MiB. A single record may be
    more."""

    @model_validator(mode="after")
    def _compression_fits(self) -> Self:
        if self.protocol == "grpc" and self.compression == "zstd":
            refuse((("compression",), "is zstd, which gRPC does not know; write gzip, or set `protocol`"))
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.endpoint)
        usual = {"grpc": 4317}.get(self.protocol, 443 if parts.scheme == "https" else 80)
        return parts.hostname or "", parts.port or usual
