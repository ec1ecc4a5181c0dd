"""OTLP over gRPC."""

from datetime import timedelta
from importlib.metadata import version
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from exporters.otlp.answers import of_grpc
from exporters.otlp.options import OtlpDestination, TlsClientOptions

_METHODS = {
    signal: f"/opentelemetry.proto.collector.{package}.v1.{service}/Export"
    for signal, package, service in (
        ("logs", "logs", "LogsService"),
        ("traces", "trace", "TraceService"),
        ("metrics", "metrics", "MetricsService"),
    )
}
_OUR_WORDS = "failed to connect to all addresses"  # what gRPC itself says; what a server says is not shown
_MOST_ANSWER_BYTES = 64 << 10


class GrpcWay:
    """One channel; any thread may use it."""

    def __init__(self, options: OtlpDestination, place: str) -> None:
        """Connects to nothing yet. Raises OSError if a file of the TLS options cannot be read."""
        self._place = place
        self._timeout = options.timeout.total_seconds()
        self._headers = tuple((name.lower(), value.get_secret_value()) for name, value in options.headers.items())
        settings = [
            ("grpc.enable_retries", 0),  # the lane retries
            ("grpc.max_receive_message_length", _MOST_ANSWER_BYTES),
            ("grpc.max_reconnect_backoff_ms", 5_000),
            ("grpc.primary_user_agent", f"sluicegate/{version('sluicegate')}"),
        ]
        compression = grpc.Compression.Gzip if options.compression == "gzip" else grpc.Compression.NoCompression
        host, port = options.address
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if options.endpoint.startswith("https:"):
            self._channel = grpc.secure_channel(target, credentials(options.tls), settings, compression)
        else:
            self._channel = grpc.insecure_channel(target, settings, compression)
        self._calls: dict[str, Any] = {signal: self._channel.unary_unary(method) for signal, method in _METHODS.items()}

    def send(self, signal: str, body: bytes) -> tuple[bytes, int]:
        """Send a request; the answer, and the request's bytes, as they were before compression. Raises ExportError."""
        try:
            return self._calls[signal](body, timeout=self._timeout, metadata=self._headers), len(body)
        except grpc.RpcError as error:
            said = error.details() or ""
            place = f"{self._place}: {said}" if said.startswith(_OUR_WORDS) else self._place
            raise of_grpc(error.code().name, _asked(error), place) from None

    def close(self) -> None:
        self._channel.close()


def credentials(tls: TlsClientOptions) -> grpc.ChannelCredentials:
    """Who we are and whom we trust. Raises OSError."""
    made: grpc.ChannelCredentials = grpc.ssl_channel_credentials(
        root_certificates=tls.ca_file.read_bytes() if tls.ca_file else None,
        private_key=tls.key.read_bytes() if tls.key else None,
        certificate_chain=tls.certificate.read_bytes() if tls.certificate else None,
    )
    return made


def _asked(error: grpc.RpcError) -> float | None:
    """The wait that the server asks for, in seconds: a RetryInfo among the details of the status."""
    metadata: Any = error.trailing_metadata() or ()
    for key, value in metadata:
        if key != "grpc-status-details-bin" or not isinstance(value, bytes):
            continue
        try:
            for detail in Status.FromString(value).details:
                info = RetryInfo()
                if detail.Unpack(info):
                    wait: timedelta = info.retry_delay.ToTimedelta()
                    return max(0.0, wait.total_seconds())
        except (DecodeError, OverflowError, ValueError):
            return None
    return None
