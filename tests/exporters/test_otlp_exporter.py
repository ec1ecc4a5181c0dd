"""Chunks arrive at an OTLP server, and its answers are understood as the specification says."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from pydantic import ValidationError

from exporters.chunk import ChunkHeader, encode, read_chunks
from exporters.exporter import Accepted, Chunk, Rejected, Retryable
from exporters.otlp.exporter import OtlpExporter
from exporters.otlp.options import OtlpDestination
from exporters.requests import framed
from tests.services.certificates import Authority
from tests.services.otlp_server import Answer, GrpcServer, HttpServer

PROTOCOLS = ("grpc", "http/protobuf")
Make = Callable[..., OtlpExporter]


def chunk(signal: str, form: str, stored: bytes, records: int = 1) -> Chunk:
    header = ChunkHeader(
        signal=signal,  # type: ignore[arg-type]
        format=form,  # type: ignore[arg-type]
        source="s",
        records=records,
        first_time=1,
        last_time=1,
        policy="p",
    )
    (found,) = read_chunks(io.BytesIO(encode(header, stored)))
    return found


def spans(*names: str) -> bytes:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for name in names:
        scope.spans.add(name=name, trace_id=bytes(16), span_id=bytes(8))
    return request.SerializeToString()


def traces(*requests: bytes) -> Chunk:
    return chunk("traces", "otlp", b"".join(map(framed, requests)))


LINE = b'{"time":"2026-11-24T12:00:00Z","resource":{"source":"s"},"body":"hello"}\n'


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(protocol: str) -> Iterator[GrpcServer | HttpServer]:
    server = GrpcServer() if protocol == "grpc" else HttpServer()
    yield server
    server.close()


@pytest.fixture
def make(protocol: str) -> Iterator[Make]:
    made = []

    def make(endpoint: str, **options: Any) -> OtlpExporter:
        options = {"compression": "none", **options}
        exporter = OtlpExporter("otel", OtlpDestination(endpoint=endpoint, protocol=protocol, **options))  # type: ignore[arg-type]
        made.append(exporter)
        return exporter

    yield make
    for exporter in made:
        exporter.close()


def test_stored_requests_arrive_joined_and_in_order(server: GrpcServer | HttpServer, make: Make) -> None:
    first, second, third = spans("a", "b"), spans("c"), spans("d")
    accepted = make(server.endpoint).send([traces(first, second), traces(third)])
    assert server.bodies == [first + second + third]
    assert server.requests[0].signal == "traces"
    assert accepted == Accepted(bytes=len(first + second + third), requests=1)


def test_lines_arrive_as_log_records(server: GrpcServer | HttpServer, make: Make) -> None:
    make(server.endpoint).send([chunk("logs", "lines", LINE * 3, 3)])
    (request,) = server.requests
    assert request.signal == "logs"
    (resource,) = ExportLogsServiceRequest.FromString(request.body).resource_logs
    assert [record.body.string_value for record in resource.scope_logs[0].log_records] == ["hello"] * 3


def test_requests_are_about_as_large_as_asked_for(server: GrpcServer | HttpServer, make: Make) -> None:
    large = spans(*(f"{number}" + "x" * 1000 for number in range(300)))
    make(server.endpoint, request_bytes=64 << 10).send([traces(spans("first"), large, spans("last"))])
    assert max(map(len, server.bodies)) <= 64 << 10
    names = [
        span.name
        for body in server.bodies
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for span in resource.scope_spans[0].spans
    ]
    assert names == ["first", *(f"{number}" + "x" * 1000 for number in range(300)), "last"]


def test_a_chunk_without_records_sends_nothing(server: GrpcServer | HttpServer, make: Make) -> None:
    assert make(server.endpoint).send([chunk("logs", "lines", b"", 0)]) == Accepted(0, 0)
    assert server.asked == 0


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_compressions(server: GrpcServer | HttpServer, make: Make, protocol: str, compression: str) -> None:
    if (protocol, compression) == ("grpc", "zstd"):
        with pytest.raises(ValidationError, match="which gRPC does not know"):
            make(server.endpoint, compression=compression)
        return
    body = spans(*["same"] * 100)
    make(server.endpoint, compression=compression).send([traces(body)])
    assert server.bodies == [body]
    if protocol != "grpc":
        (request,) = server.requests
        assert request.encoding == ("" if compression == "none" else compression)
        assert (request.wire_bytes < len(body) / 10) is (compression != "none")


def test_headers_are_sent_and_not_shown(server: GrpcServer | HttpServer, make: Make) -> None:
    exporter = make(server.endpoint, headers={"Authorization": "Bearer abc", "X-Scope-OrgID": "tenant"})
    exporter.send([traces(spans("a"))])
    headers = {name.lower(): value for name, value in server.requests[0].headers.items()}
    assert headers["authorization"] == "Bearer abc"
    assert headers["x-scope-orgid"] == "tenant"
    assert headers["user-agent"].startswith("sluicegate/")
    assert "abc" not in repr(exporter.options)


def test_check_asks_for_every_signal_it_will_send(server: GrpcServer | HttpServer, make: Make) -> None:
    make(server.endpoint, signals=["traces"]).check()
    server.close()
    with pytest.raises(Retryable, match="otel"):
        make(server.endpoint, signals=["traces"], timeout=timedelta(seconds=1)).check()


GRPC = [
    ("CANCELLED", None, Retryable, None),
    ("DEADLINE_EXCEEDED", None, Retryable, None),
    ("ABORTED", None, Retryable, None),
    ("OUT_OF_RANGE", None, Retryable, None),
    ("UNAVAILABLE", None, Retryable, None),
    ("UNAVAILABLE", 7.5, Retryable, 7.5),
    ("DATA_LOSS", None, Retryable, None),
    ("RESOURCE_EXHAUSTED", 2.0, Retryable, 2.0),
    ("RESOURCE_EXHAUSTED", 0.0, Retryable, 0.0),
    ("RESOURCE_EXHAUSTED", None, Rejected, None),
    ("INVALID_ARGUMENT", None, Rejected, None),
    ("INTERNAL", None, Rejected, None),
    ("UNKNOWN", None, Rejected, None),
    ("FAILED_PRECONDITION", None, Rejected, None),
    ("ALREADY_EXISTS", None, Rejected, None),
    ("UNAUTHENTICATED", None, Retryable, None),
    ("PERMISSION_DENIED", None, Retryable, None),
    ("UNIMPLEMENTED", None, Retryable, None),
    ("NOT_FOUND", None, Retryable, None),
]


@pytest.mark.parametrize("protocol", ["grpc"], indirect=True)
@pytest.mark.parametrize(("code", "retry", "wanted", "after"), GRPC)
def test_grpc_codes(
    server: GrpcServer, make: Make, code: str, retry: float | None, wanted: type[Exception], after: float | None
) -> None:
    server.script.append(Answer(code=code, retry=retry, text="bob@example.com is not welcome"))
    with pytest.raises(wanted, match=code) as caught:
        make(server.endpoint).send([traces(spans("a"))])
    assert "bob" not in str(caught.value)
    assert "bob" not in repr(caught.value.__cause__)
    if isinstance(caught.value, Retryable):
        assert caught.value.after == after


LATER = "in an hour, by the clock"
HTTP: list[tuple[int, object, type[Exception], float | None]] = [
    *((status, None, Retryable, None) for status in (429, 502, 503, 504, 401, 403, 404, 405, 407, 415, 308)),
    (429, "3", Retryable, 3),
    (503, "0", Retryable, 0),
    (503, LATER, Retryable, 3600),
    (503, "Thu, 01 Jan 1970 00:00:00 GMT", Retryable, 0),
    (503, "soon", Retryable, None),
    (503, "-5", Retryable, None),
    *((status, None, Rejected, None) for status in (400, 408, 409, 413, 422, 500, 501, 505)),
]


@pytest.mark.parametrize("protocol", ["http/protobuf"], indirect=True)
@pytest.mark.parametrize(
    ("status", "retry", "wanted", "after"), HTTP, ids=lambda value: "later" if value == LATER else None
)
def test_http_statuses(
    server: HttpServer, make: Make, status: int, retry: str | None, wanted: type[Exception], after: float | None
) -> None:
    if retry == LATER:
        retry = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    server.script.append(Answer(status=status, retry=retry, text="bob@example.com is not welcome"))
    with pytest.raises(wanted, match=str(status)) as caught:
        make(server.endpoint).send([traces(spans("a"))])
    assert "bob" not in str(caught.value)
    if isinstance(caught.value, Retryable):
        assert caught.value.after == (None if after is None else pytest.approx(after, abs=60))
    make(server.endpoint).send([traces(spans("a"))])


def test_a_partial_success_is_a_success_with_a_count(server: GrpcServer | HttpServer, make: Make) -> None:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 3
    answer.partial_success.error_message = "bob@example.com"
    server.script.append(Answer(body=answer.SerializeToString()))
    assert make(server.endpoint).send([traces(spans("a"))]).refused == 3
    logs = ExportLogsServiceResponse()
    logs.partial_success.rejected_log_records = 1
    server.script.append(Answer(body=logs.SerializeToString()))
    assert make(server.endpoint).send([chunk("logs", "lines", LINE)]).refused == 1


def test_an_answer_that_is_no_protobuf_is_a_success_all_the_same(server: GrpcServer | HttpServer, make: Make) -> None:
    server.script.append(Answer(body=b"\x0a\xffok"))
    assert make(server.endpoint).send([traces(spans("a"))]) == Accepted(len(spans("a")), 1, 0)


def test_a_server_that_is_gone(server: GrpcServer | HttpServer, make: Make) -> None:
    server.close()
    with pytest.raises(Retryable, match=r"cannot be reached|failed to connect"):
        make(server.endpoint, timeout=timedelta(seconds=5)).send([traces(spans("a"))])


def test_a_server_that_hangs(server: GrpcServer | HttpServer, make: Make) -> None:
    released = threading.Event()
    server.hold = released.wait
    started = time.monotonic()
    try:
        with pytest.raises(Retryable, match="no answer within"):
            make(server.endpoint, timeout=timedelta(milliseconds=200)).send([traces(spans("a"))])
        assert time.monotonic() - started < 30
    finally:
        released.set()


def test_a_chunk_that_is_damaged_is_rejected_without_its_contents(server: GrpcServer | HttpServer, make: Make) -> None:
    for bad in (
        chunk("traces", "otlp", b"\0\0\0\x63bob@example.com"),
        chunk("logs", "lines", b"bob@example.com\n"),
        (traces(spans("bob@example.com"))[0], b"x" * 30),
    ):
        with pytest.raises(Rejected) as caught:
            make(server.endpoint).send([bad])
        assert "bob" not in str(caught.value)
    assert server.asked == 0


class TestTls:
    """The server is known by its certificate, and, where it wants that, the client by its own."""

    @pytest.fixture
    def authority(self, tmp_path: Path) -> Authority:
        return Authority(tmp_path / "ca")

    def start(self, protocol: str, *arguments: Any) -> GrpcServer | HttpServer:
        return GrpcServer(*arguments) if protocol == "grpc" else HttpServer(*arguments)

    def test_tls(self, protocol: str, authority: Authority, make: Make, tmp_path: Path) -> None:
        server = self.start(protocol, authority.issue("server"))
        other = Authority(tmp_path / "other", "another authority")
        try:
            make(server.endpoint, tls={"ca_file": authority.ca_file}).send([traces(spans("a"))])
            assert server.bodies == [spans("a")]
            with pytest.raises(Retryable, match=r"TLS|UNAVAILABLE"):
                make(server.endpoint, tls={"ca_file": other.ca_file}).send([traces(spans("a"))])
            with pytest.raises(Retryable, match=r"TLS|UNAVAILABLE"):
                make(server.endpoint).send([traces(spans("a"))])
        finally:
            server.close()

    def test_mutual_tls(self, protocol: str, authority: Authority, make: Make) -> None:
        server = self.start(protocol, authority.issue("server"), authority.ca_file)
        pair = authority.issue("client")
        ca = {"ca_file": authority.ca_file}
        try:
            tls = {**ca, "certificate": pair.certificate, "key": pair.key}
            make(server.endpoint, tls=tls).send([traces(spans("a"))])
            assert server.bodies == [spans("a")]
            with pytest.raises(Retryable):
                make(server.endpoint, tls=ca, timeout=timedelta(seconds=5)).send([traces(spans("a"))])
        finally:
            server.close()

    def test_files_that_are_not_there(self, make: Make, tmp_path: Path) -> None:
        with pytest.raises(Retryable, match=r"otel: tls: .*missing\.pem cannot be used: No such file"):
            make("https://localhost:4317", tls={"ca_file": tmp_path / "missing.pem"})


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"endpoint": "collector:4317"}, "endpoint"),
        ({"endpoint": "http://user:secret@collector:4317"}, "endpoint"),
        ({"endpoint": "http://collector:4317/v1/traces"}, "has a path, and gRPC has none"),
        ({"endpoint": "http://collector:99999"}, "has no such port"),
        ({"endpoint": "http://collector:4317", "tls": {"ca_file": "x"}}, "is of no use without TLS"),
        ({"endpoint": "https://collector:4317", "tls": {"certificate": "x"}}, "key"),
        ({"endpoint": "http://c:1", "headers": {"bad name": "x"}}, "headers"),
        ({"endpoint": "http://c:1", "signals": []}, "signals"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValidationError, match=wanted):
        OtlpDestination(**options)


@pytest.mark.parametrize(
    ("endpoint", "protocol", "address"),
    [
        ("http://collector", "grpc", ("collector", 4317)),
        ("https://[::1]:55", "grpc", ("::1", 55)),
        ("https://loki/otlp", "http/protobuf", ("loki", 443)),
        ("http://loki:3100/otlp", "http/protobuf", ("loki", 3100)),
    ],
)
def test_addresses(endpoint: str, protocol: str, address: tuple[str, int]) -> None:
    assert OtlpDestination(endpoint=endpoint, protocol=protocol).address == address  # type: ignore[arg-type]
