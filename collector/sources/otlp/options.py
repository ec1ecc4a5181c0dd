"""What is configured of an `otlp` source."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from collector.address import Listen, host_and_port
from settings import ByteSize, Duration, Secret, Settings, refuse

MOST_REQUEST_BYTES = 32 << 20  # half of what a chunk may hold: scrubbing may make a request longer
RequestBytes = Annotated[ByteSize, Field(ge=64 << 10, le=MOST_REQUEST_BYTES)]


class GrpcOptions(Settings):
    """OTLP over gRPC; gzip, deflate or no compression."""

    listen: Listen = "127.0.0.1:4317"
    """Where to listen, such as `127.0.0.1:4317`, or `:4317` for every interface."""
    max_request_bytes: RequestBytes = 4 << 20
    """A larger request, as sent or inflated, is refused for good."""


class HttpOptions(Settings):
    """OTLP over HTTP/1.1, protobuf and JSON; gzip, deflate, zstd or no compression; paths /v1/logs, /v1/traces and
    /v1/metrics."""

    listen: Listen = "127.0.0.1:4318"
    """Where to listen."""
    max_request_bytes: RequestBytes = 20 << 20
    """A larger request, as sent or inflated, is refused for good."""


class TlsOptions(Settings):
    """TLS 1.2 and later for both ways in. The files are read at start."""

    certificate: Path
    """The server's certificate and those that lead to its root, PEM."""
    key: Path
    """The certificate's private key, PEM."""
    client_ca: Path | None = None
    """Given, clients must present a certificate that one of these signed (mTLS), PEM."""


class LimitOptions(Settings):
    """How much one worker takes at a time; what is beyond is told to try again later."""

    requests: Annotated[int, Field(ge=1)] = 256
    """Requests at a time, of all connections of a worker together."""
    requests_per_connection: Annotated[int, Field(ge=1)] = 64
    """Requests at a time on one connection."""
    bytes: Annotated[ByteSize, Field(ge=64 << 10)] | None = None
    """Bytes of requests at a time, inflated, of all connections together; JSON counts eightfold. A request alone is
    always taken. Default: an eighth of `memory_limit`."""
    bytes_per_connection: Annotated[ByteSize, Field(ge=64 << 10)] | None = None
    """Bytes of requests at a time on one connection. Default: half of `bytes`."""
    receive_timeout: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(seconds=30)
    """How long a client may take to send a request."""


class OtlpOptions(Settings):
    """Receives logs, traces and metrics by OTLP. A request is confirmed once it is durable."""

    type: Literal["otlp"] = "otlp"
    """The kind of source."""
    grpc: GrpcOptions | None = GrpcOptions()
    """OTLP over gRPC; null: not served."""
    http: HttpOptions | None = HttpOptions()
    """OTLP over HTTP; null: not served."""
    tls: TlsOptions | None = None
    """Default: no TLS."""
    tokens: tuple[Secret, ...] = ()
    """Given, clients must send one of these as `Authorization: Bearer TOKEN`; several, to change them one by one.
    Written as `${file:token}` or `${NAME}`, they do not stand in this file."""
    limits: LimitOptions = LimitOptions()
    """How much a worker takes at a time."""

    @property
    def addresses(self) -> dict[str, tuple[str, int]]:
        """Host and port by protocol."""
        served = {"grpc": self.grpc, "http": self.http}
        return {name: host_and_port(options.listen) for name, options in served.items() if options}

    @model_validator(mode="after")
    def _something_is_served(self) -> Self:
        if not self.addresses:
            refuse(((), "serves nothing; leave `grpc` or `http` as it is"))
        ports = [(name, port) for name, (_, port) in self.addresses.items()]
        if zero := [((name, "listen"), "needs a port: all workers share it") for name, port in ports if not port]:
            refuse(*zero)
        if any(not token.get_secret_value().strip() for token in self.tokens):
            refuse((("tokens",), "has an empty token; give its file or variable a content, or remove it"))
        return self
