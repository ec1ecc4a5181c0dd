"""The exporter of kind `otlp`."""

from collections.abc import Sequence
from typing import Protocol

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from exporters.exporter import Accepted, Chunk, Rejected, Retryable
from exporters.otlp.options import OtlpDestination
from exporters.otlp.payloads import payloads


class Way(Protocol):
    """How a request gets there."""

    def send(self, signal: str, body: bytes) -> tuple[bytes, int]:
        """The answer, and the bytes sent. Raises ExportError."""

    def close(self) -> None: ...


class OtlpExporter:
    """Sends chunks as OTLP requests; returns once the destination has confirmed them all."""

    def __init__(self, name: str, options: OtlpDestination) -> None:
        """Connects to nothing yet. Raises Retryable if certificates cannot be read."""
        self.name = name
        self.options = options
        self.group_bytes = options.request_bytes
        try:
            self._way = _way(options, f"{name}: {options.endpoint}")
        except OSError as error:
            where = f" {error.filename}" if error.filename else ""
            raise Retryable(f"{name}: tls:{where} cannot be used: {error.strerror or error}") from error

    def check(self) -> None:
        """Send an empty request of each signal. Raises Retryable."""
        for signal in self.options.signals:
            try:
                self._way.send(signal, b"")
            except Rejected:  # it has answered, and does not like empty requests
                continue

    def send(self, chunks: Sequence[Chunk]) -> Accepted:
        size = count = refused = 0
        signal = chunks[0][0].signal
        for body in payloads(chunks, self.options.request_bytes):
            answer, sent = self._way.send(signal, body)
            size += sent
            count += 1
            refused += _refused(signal, answer)
        return Accepted(size, count, refused)

    def close(self) -> None:
        self._way.close()


def _way(options: OtlpDestination, place: str) -> Way:
    if options.protocol == "grpc":
        from exporters.otlp.over_grpc import GrpcWay  # gRPC costs memory: only where it is used

        return GrpcWay(options, place)
    from exporters.otlp.over_http import HttpWay

    return HttpWay(options, place)


def _refused(signal: str, answer: bytes) -> int:
    """Records that the destination left out, by its own count. Its reason may quote them, so it is not told."""
    try:
        match signal:
            case "logs":
                return ExportLogsServiceResponse.FromString(answer).partial_success.rejected_log_records
            case "traces":
                return ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans
            case _:
                return ExportMetricsServiceResponse.FromString(answer).partial_success.rejected_data_points
    except DecodeError:
        return 0  # the status said that it was taken; some answer with text
