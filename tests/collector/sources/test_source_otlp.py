"""The `otlp` source over real sockets: what it confirms is durable, what it refuses is told in OTLP's words."""

import asyncio
import gzip
import json
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
import zstandard
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status

from collector import telemetry
from collector.batch import Batch
from collector.process import StartError
from collector.sources.otlp.options import OtlpOptions
from collector.sources.otlp.over_grpc import SERVICES
from collector.sources.otlp.receiving import Receiving, Request
from collector.sources.otlp.refusals import Full
from collector.sources.otlp.responses import _RESPONSES
from collector.sources.otlp.source import OtlpSource
from collector.sources.source import Receipt, Refused
from tests.otlp import HOUR, NOON, REQUESTS, log_records, points, span_names, spans
from tests.services.certificates import Authority, Pair
from tests.services.server import free_ports

MIB = 1 << 20
BODIES = {"logs": log_records(["a", "b"]), "traces": spans(["a", "b"]), "metrics": points([1, 2])}


class Pipeline:
    """Stands for the pipeline: keeps what is submitted; refuses, or waits, as it is told."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.refusal: Refused | None = None
        self.quarantined = 0
        self.open = asyncio.Event()
        self.open.set()
        self._entered = asyncio.Semaphore(0)

    async def submit(self, batch: Batch) -> Receipt:
        self._entered.release()
        await self.open.wait()
        if self.refusal:
            raise self.refusal
        self.batches.append(batch)
        return Receipt(self.quarantined)

    async def entered(self, count: int) -> None:
        """Wait until so many more batches were submitted."""
        for _ in range(count):
            await self._entered.acquire()


class Running:
    """A source at work, and a client of each protocol."""

    def __init__(self, options: OtlpOptions, pipeline: Pipeline, http: aiohttp.ClientSession) -> None:
        self.pipeline, self._http = pipeline, http
        self.grpc = f"127.0.0.1:{options.addresses['grpc'][1]}"
        self.http = f"http://127.0.0.1:{options.addresses['http'][1]}"
        self.task: asyncio.Task[None]

    async def post(self, path: str, body: bytes, *, method: str = "POST", **headers: str) -> tuple[int, Any, bytes]:
        given = {"Content-Type": "application/x-protobuf"} | {name.replace("_", "-"): v for name, v in headers.items()}
        async with self._http.request(method, self.http + path, data=BytesIO(body), headers=given) as answer:
            return answer.status, answer.headers, await answer.read()

    async def call(
        self, signal: str, body: bytes, *, metadata: tuple[tuple[str, str], ...] = (), compression: Any = None
    ) -> bytes:
        async with grpc.aio.insecure_channel(self.grpc) as channel:
            return await self.over(channel, signal, body, metadata=metadata, compression=compression)

    async def over(self, channel: Any, signal: str, body: bytes, **options: Any) -> bytes:
        answer = await channel.unary_unary(f"/{SERVICES[signal]}/Export")(body, **options)
        return bytes(answer)


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Running]:
    telemetry.unshare()
    grpc_port, http_port = free_ports(2)
    made = OtlpOptions.model_validate(
        {
            **options,
            "grpc": {"listen": f"127.0.0.1:{grpc_port}", **options.get("grpc", {})},
            "http": {"listen": f"127.0.0.1:{http_port}", **options.get("http", {})},
        }
    )
    pipeline = Pipeline()
    source = OtlpSource("otlp", made, memory=32 * MIB)
    await source.start(pipeline.submit)
    async with aiohttp.ClientSession(auto_decompress=False) as http:
        running = Running(made, pipeline, http)
        running.task = asyncio.create_task(source.run())
        await asyncio.sleep(0)
        try:
            yield running
        finally:
            pipeline.open.set()
            running.task.cancel()
            await asyncio.gather(running.task, return_exceptions=True)


def run(work: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), 60))  # type: ignore[arg-type]


def refused(error: "grpc.aio.AioRpcError") -> tuple[grpc.StatusCode, Status]:
    """The code, and the details as the library hands them on."""
    details = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    status = Status.FromString(details)  # type: ignore[arg-type]
    assert (status.code, status.message) == (error.code().value[0], error.details())
    return error.code(), status


# What is taken -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", BODIES)
@pytest.mark.parametrize(
    "compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip, grpc.Compression.Deflate]
)
def test_grpc_takes_every_signal_and_compression(signal: str, compression: grpc.Compression) -> None:
    async def work() -> None:
        async with serving() as source:
            body = BODIES[signal] * 50
            assert await source.call(signal, body, compression=compression) == b""
            (batch,) = source.pipeline.batches
            assert (batch.signal, batch.format, batch.body) == (signal, "otlp", body)
            assert (batch.records, batch.input_bytes, batch.first_time) == (100, len(body), NOON)
            assert batch.last_time == NOON + (1_000_000 if signal == "traces" else 1)
            assert telemetry.total(telemetry.REQUESTS, protocol="grpc", outcome="accepted") == 1

    run(work)


def bare_deflate(body: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-15)
    return deflate.compress(body) + deflate.flush()


ENCODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "none": ("", bytes),
    "identity": ("identity", bytes),
    "gzip": ("gzip", gzip.compress),
    "gzip in two members": ("gzip", lambda body: gzip.compress(body[:50]) + gzip.compress(body[50:])),
    "deflate": ("deflate", zlib.compress),
    "bare deflate": ("deflate", bare_deflate),
    "zstd": ("zstd", zstandard.compress),
    "zstd in two frames": ("zstd", lambda body: zstandard.compress(body[:50]) + zstandard.compress(body[50:])),
}


@pytest.mark.parametrize("signal", BODIES)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_http_takes_every_signal_and_encoding(signal: str, encoding: str) -> None:
    async def work() -> None:
        async with serving() as source:
            name, encode = ENCODINGS[encoding]
            body = BODIES[signal] * 50
            status, headers, answer = await source.post(f"/v1/{signal}", encode(body), content_encoding=name)
            assert (status, headers["Content-Type"], answer) == (200, "application/x-protobuf", b"")
            (batch,) = source.pipeline.batches
            assert (batch.signal, batch.body, batch.records, batch.input_bytes) == (signal, body, 100, len(body))

    run(work)


def test_json_becomes_the_same_request_as_protobuf() -> None:
    document = {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
                "scopeSpans": [
                    {
                        "scope": {"name": "shop.web"},
                        "spans": [
                            {
                                "traceId": bytes(range(16)).hex().upper(),
                                "spanId": "0000000000000000",
                                "name": "a",
                                "kind": 2,
                                "startTimeUnixNano": str(NOON),
                                "endTimeUnixNano": NOON + 500_000,
                                "aFieldOfTheFuture": {"x": [1]},
                            }
                        ],
                    }
                ],
            }
        ]
    }

    as_in_the_schema = json.dumps(document).replace("traceId", "trace_id").replace("spanId", "span_id")

    async def work() -> None:
        async with serving() as source:
            for body in (json.dumps(document).encode(), as_in_the_schema.encode()):
                status, headers, answer = await source.post("/v1/traces", body, content_type="application/json")
                assert (status, headers["Content-Type"], json.loads(answer)) == (200, "application/json", {})
                batch = source.pipeline.batches.pop()
                assert batch.body == spans(["a"])
                assert batch.input_bytes == len(body)

    run(work)


def test_a_request_without_records_is_confirmed_and_nothing_is_stored() -> None:
    async def work() -> None:
        async with serving() as source:
            empty = REQUESTS["traces"]()
            empty.resource_spans.add().scope_spans.add()
            for body in (b"", empty.SerializeToString()):
                assert await source.call("traces", body) == b""
                assert (await source.post("/v1/traces", body))[0] == 200
            assert source.pipeline.batches == []

    run(work)


def test_records_of_different_hours_become_batches_of_one_hour_each() -> None:
    body = spans(["a", "b"], start=NOON) + spans(["c"], start=NOON + HOUR) + spans(["d"], start=NOON + 500)

    async def work() -> None:
        async with serving() as source:
            await source.call("traces", body)
            first, second = source.pipeline.batches
            assert (span_names(first.body), first.records) == (["a", "b", "d"], 3)
            assert (first.first_time, first.last_time) == (NOON, NOON + 1_000_000)
            assert (span_names(second.body), second.records) == (["c"], 1)
            assert (second.first_time, second.last_time) == (NOON + HOUR, NOON + HOUR)
            assert first.input_bytes + second.input_bytes == len(body)

    run(work)


def test_the_hours_of_a_request_become_durable_together_and_when_one_is_refused_the_others_are_given_up() -> None:
    body = spans(["a"], start=NOON) + spans(["b"], start=NOON + HOUR) + spans(["c"], start=NOON + 2 * HOUR)

    class OneRefuses(Pipeline):
        given_up = 0

        async def submit(self, batch: Batch) -> Receipt:
            if span_names(batch.body) == ["b"]:
                await self.entered(2)
                raise Refused("limit", 3.0)
            try:
                return await super().submit(batch)
            except asyncio.CancelledError:
                self.given_up += 1
                raise

    async def work() -> None:
        pipeline = Pipeline()
        pipeline.open.clear()
        receiving = Receiving("otlp", pipeline.submit)
        answer = asyncio.create_task(receiving(Request("traces", body, len(body))))
        await pipeline.entered(3)
        assert not answer.done()
        pipeline.quarantined = 1
        pipeline.open.set()
        assert await answer == 3

        refusing = OneRefuses()
        refusing.open.clear()
        with pytest.raises(Full):
            await Receiving("otlp", refusing.submit)(Request("traces", body, len(body)))
        await asyncio.sleep(0)
        assert (refusing.given_up, refusing.batches) == (2, [])

    run(work)


def test_a_request_over_more_hours_than_can_be_meant_is_refused() -> None:
    body = b"".join(spans(["a"], start=NOON + hour * HOUR) for hour in range(800))

    async def work() -> None:
        async with serving() as source:
            status, _, answer = await source.post("/v1/traces", body)
            assert status == 400
            assert "different hours" in Status.FromString(answer).message

    run(work)


def test_records_without_a_time_have_that_of_their_arrival() -> None:
    async def work() -> None:
        async with serving() as source:
            request = REQUESTS["traces"].FromString(spans(["a"]))
            request.resource_spans[0].scope_spans[0].spans[0].ClearField("start_time_unix_nano")
            request.resource_spans[0].scope_spans[0].spans[0].ClearField("end_time_unix_nano")
            await source.call("traces", request.SerializeToString())
            (batch,) = source.pipeline.batches
            assert batch.first_time == batch.last_time > NOON - 365 * 24 * HOUR

    run(work)


def test_records_in_quarantine_are_told_as_a_warning_and_not_as_rejected() -> None:
    async def work() -> None:
        async with serving() as source:
            source.pipeline.quarantined = 2
            for signal, body in BODIES.items():
                for answer in (await source.call(signal, body), (await source.post(f"/v1/{signal}", body))[2]):
                    partial: Any = _RESPONSES[signal].FromString(answer).partial_success  # type: ignore[index,attr-defined]
                    assert partial.error_message.startswith("2 of the records could not be scrubbed")
                    assert [field.name for field, _ in partial.ListFields()] == ["error_message"]

    run(work)


# What is refused -----------------------------------------------------------------------------------------------------

GARBAGE = {"text": b"hello", "cut off": spans(["abc"])[:-3], "not gzip": b"\x1f\x8b\x08junk", "not zlib": b"x\x9cjunk"}


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE)
def test_garbage_over_grpc_is_an_invalid_argument_with_a_reason(body: bytes) -> None:
    async def work() -> None:
        async with serving() as source:
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await source.call("traces", body)
            code, status = refused(raised.value)
            assert code is grpc.StatusCode.INVALID_ARGUMENT
            assert status.details[0].Is(BadRequest.DESCRIPTOR)
            assert "hello" not in status.message
            assert "junk" not in status.message

    run(work)


DEEP = b'{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":%b{}%b}]}}]}' % (
    b'{"arrayValue":{"values":[' * 200,
    b"]}}" * 200,
)
HTTP_GARBAGE: dict[str, tuple[str, bytes, dict[str, str], int]] = {
    "text": ("/v1/traces", b"hello", {}, 400),
    "cut off": ("/v1/traces", spans(["abc"])[:-3], {}, 400),
    "not gzip": ("/v1/traces", b"hello", {"Content-Encoding": "gzip"}, 400),
    "half of a gzip": ("/v1/traces", gzip.compress(BODIES["traces"])[:-9], {"Content-Encoding": "gzip"}, 400),
    "not zstd": ("/v1/traces", b"hello", {"Content-Encoding": "zstd"}, 400),
    "half of a zstd": ("/v1/traces", zstandard.compress(BODIES["traces"])[:-3], {"Content-Encoding": "zstd"}, 400),
    "not deflate": ("/v1/traces", b"\xff\xff", {"Content-Encoding": "deflate"}, 400),
    "no deflate": ("/v1/traces", b"", {"Content-Encoding": "deflate"}, 400),
    "not JSON": ("/v1/traces", b'{"resourceSpans":', {"Content-Type": "application/json"}, 400),
    "no object": ("/v1/traces", b"[]", {"Content-Type": "application/json"}, 400),
    "another schema": ("/v1/traces", b'{"resourceSpans":"x"}', {"Content-Type": "application/json"}, 400),
    "no hexadecimal": (
        "/v1/logs",
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"xyz"}]}]}]}',
        {"Content-Type": "application/json"},
        400,
    ),
    "deep": ("/v1/traces", DEEP, {"Content-Type": "application/json"}, 400),
    "deeper": ("/v1/traces", b'{"a":' * 2000 + b"1" + b"}" * 2000, {"Content-Type": "application/json"}, 400),
    "another path": ("/v1/profiles", b"", {}, 404),
    "another encoding": ("/v1/traces", b"", {"Content-Encoding": "br"}, 415),
    "another content": ("/v1/traces", b"", {"Content-Type": "text/plain"}, 415),
}


@pytest.mark.parametrize("case", HTTP_GARBAGE)
def test_garbage_over_http_has_its_status_and_a_reason(case: str) -> None:
    path, body, headers, wanted = HTTP_GARBAGE[case]

    async def work() -> None:
        async with serving() as source:
            status, given, answer = await source.post(path, body, **headers)
            as_json = headers.get("Content-Type") == "application/json"
            assert status == wanted
            assert given["Content-Type"] == ("application/json" if as_json else "application/x-protobuf")
            message = json.loads(answer)["message"] if as_json else Status.FromString(answer).message
            assert message
            assert "hello" not in message
            assert source.pipeline.batches == []

    run(work)


NO_HTTP = {
    "words": b"GET bob@example.com please\r\n\r\n",
    "another version": b"POST /bob@example.com HTTP/9.9\r\n\r\n",
    "no length": b"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: bob@example.com\r\n\r\n",
    "no chunks": b"POST /v1/traces HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nbob@example.com\r\n\r\n",
    "too long": b"POST /v1/traces HTTP/1.1\r\nHost: a\r\nX: " + b"bob@example.com" * 2000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("case", NO_HTTP)
def test_what_is_no_http_is_told_so_without_being_quoted(case: str) -> None:
    async def work() -> None:
        async with serving() as source:
            host, _, port = source.http.removeprefix("http://").partition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(NO_HTTP[case])
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            writer.close()
            assert head.split()[1] == b"400"
            assert b"Server: sluicegate" in head
            assert Status.FromString(body).message == "what was sent is not HTTP/1.1"
            assert b"bob" not in head + body
            assert telemetry.total(telemetry.REQUESTS, protocol="http", outcome="malformed") == 1

    run(work)


def test_a_client_that_hangs_up_in_the_middle_is_no_error_of_the_gate() -> None:
    async def work() -> None:
        async with serving() as source:
            host, _, port = source.http.removeprefix("http://").partition(":")
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-protobuf\r\n")
            writer.write(b"Content-Length: 100\r\n\r\nabc")
            await writer.drain()
            await asyncio.sleep(0.2)
            writer.transport.abort()
            for _ in range(1000):
                if telemetry.total(telemetry.REQUESTS, protocol="http"):
                    break
                await asyncio.sleep(0.01)
            assert telemetry.total(telemetry.REQUESTS, protocol="http", outcome="cancelled") == 1

    run(work)


def test_only_post_is_allowed() -> None:
    async def work() -> None:
        async with serving() as source:
            status, headers, _ = await source.post("/v1/traces", b"", method="PUT")
            assert (status, headers["Allow"]) == (405, "POST")

    run(work)


BOMB = b"\0" * (64 * MIB)


@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_grpc_refuses_what_is_too_large_for_good_as_sent_and_inflated(compression: Any) -> None:
    async def work() -> None:
        async with serving() as source:
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await source.call("traces", BOMB[: 5 * MIB], compression=compression)
            assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "larger than" in (raised.value.details() or "")
            assert b"RetryInfo" not in dict(raised.value.trailing_metadata() or ()).get("grpc-status-details-bin", b"")

    run(work)


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate", "zstd"])
def test_http_refuses_what_is_too_large_as_sent_and_inflated(encoding: str) -> None:
    encode = {"": bytes, "gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstandard.compress}[encoding]

    async def work() -> None:
        async with serving() as source:
            status, _, answer = await source.post("/v1/traces", encode(BOMB), content_encoding=encoding)
            assert status == 413
            assert "larger than" in Status.FromString(answer).message

    run(work)


def test_a_chunked_request_is_cut_off_at_the_limit() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield BOMB[:MIB]

    async def work() -> None:
        async with serving() as source, aiohttp.ClientSession() as http:
            try:
                headers = {"Content-Type": "application/x-protobuf"}
                async with http.post(f"{source.http}/v1/traces", data=endless(), headers=headers) as answer:
                    assert answer.status == 413
            except aiohttp.ClientConnectionError:
                pass  # it did not stop sending to hear the answer
            assert telemetry.total(telemetry.REQUESTS, protocol="http", outcome="too_large") == 1

    run(work)


def test_without_a_token_of_ours_nobody_enters() -> None:
    async def work() -> None:
        async with serving(tokens=["first", "second\n"]) as source:
            for wrong in ("", "Bearer", "Bearer third", "Basic first", "first"):
                with pytest.raises(grpc.aio.AioRpcError) as raised:
                    await source.call("logs", BODIES["logs"], metadata=(("authorization", wrong),))
                assert refused(raised.value)[0] is grpc.StatusCode.UNAUTHENTICATED
                status, headers, _ = await source.post("/v1/logs", BODIES["logs"], authorization=wrong)
                assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
            assert source.pipeline.batches == []
            for right in ("Bearer first", "bearer second"):
                await source.call("logs", BODIES["logs"], metadata=(("authorization", right),))
                assert (await source.post("/v1/logs", BODIES["logs"], authorization=right))[0] == 200
            assert len(source.pipeline.batches) == 4

    run(work)


def test_while_the_spool_takes_nothing_clients_are_told_to_come_again() -> None:
    async def work() -> None:
        async with serving() as source:
            source.pipeline.refusal = Refused("limit", 1.5)
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await source.call("logs", BODIES["logs"])
            code, status = refused(raised.value)
            assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
            retry = RetryInfo()
            assert status.details[0].Unpack(retry)
            assert retry.retry_delay.ToMilliseconds() == 1500
            http_status, headers, answer = await source.post("/v1/logs", BODIES["logs"])
            assert (http_status, headers["Retry-After"]) == (503, "2")
            assert "spool is full" in Status.FromString(answer).message

    run(work)


def test_requests_beyond_the_limit_are_told_to_come_again() -> None:
    async def work() -> None:
        async with serving(limits={"requests": 2}) as source:
            source.pipeline.open.clear()
            under_way = [asyncio.create_task(source.post("/v1/logs", BODIES["logs"])) for _ in range(2)]
            await source.pipeline.entered(2)
            status, headers, _ = await source.post("/v1/logs", BODIES["logs"])
            assert (status, headers["Retry-After"]) == (429, "1")
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await source.call("logs", BODIES["logs"])
            assert refused(raised.value)[1].details[0].Is(RetryInfo.DESCRIPTOR)
            source.pipeline.open.set()
            assert [status for status, _, _ in await asyncio.gather(*under_way)] == [200, 200]
            assert (await source.post("/v1/logs", BODIES["logs"]))[0] == 200

    run(work)


def test_bytes_beyond_the_limit_are_told_to_come_again_but_a_request_alone_is_taken() -> None:
    large = log_records(["x" * 1000] * 200)

    async def work() -> None:
        async with serving(limits={"bytes": "128KiB"}) as source:
            source.pipeline.open.clear()
            alone = asyncio.create_task(source.post("/v1/logs", large))
            await source.pipeline.entered(1)
            assert (await source.post("/v1/logs", gzip.compress(large), content_encoding="gzip"))[0] == 429
            source.pipeline.open.set()
            assert (await alone)[0] == 200

    run(work)


def test_json_counts_for_what_it_takes_in_memory() -> None:
    body = json.dumps({"resourceSpans": [], "x": "y" * 30_000}).encode()

    async def work() -> None:
        async with serving(limits={"bytes": "128KiB"}) as source:
            source.pipeline.open.clear()
            other = asyncio.create_task(source.post("/v1/logs", BODIES["logs"]))
            await source.pipeline.entered(1)
            assert (await source.post("/v1/traces", body, content_type="application/json"))[0] == 429
            source.pipeline.open.set()
            assert (await other)[0] == 200
            assert (await source.post("/v1/traces", body, content_type="application/json"))[0] == 200

    run(work)


def test_on_one_connection_only_so_many_requests_are_under_way() -> None:
    async def work() -> None:
        limits = {"requests_per_connection": 3}
        async with serving(limits=limits) as source, grpc.aio.insecure_channel(source.grpc) as channel:
            source.pipeline.open.clear()
            calls = [asyncio.create_task(source.over(channel, "logs", BODIES["logs"])) for _ in range(10)]
            done, _ = await asyncio.wait(calls, timeout=1)
            assert len(done) == 7
            for call in done:
                error = call.exception()
                assert isinstance(error, grpc.aio.AioRpcError)
                assert refused(error)[1].details[0].Is(RetryInfo.DESCRIPTOR)
            source.pipeline.open.set()
            assert len(await asyncio.gather(*calls, return_exceptions=True)) == 10
            assert len(source.pipeline.batches) == 3

    run(work)


def test_what_is_not_durable_in_time_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.sources.otlp.receiving.DURABLE_SECONDS", 0.1)

    async def work() -> None:
        async with serving() as source:
            source.pipeline.open.clear()
            assert (await source.post("/v1/logs", BODIES["logs"]))[0] == 429
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await source.call("logs", BODIES["logs"])
            assert refused(raised.value)[1].details[0].Is(RetryInfo.DESCRIPTOR)

    run(work)


def test_a_client_that_does_not_send_what_it_announced_is_cut_off() -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"\x0a"
        await asyncio.sleep(30)

    async def work() -> None:
        async with serving(limits={"receive_timeout": "1s"}) as source, aiohttp.ClientSession() as http:
            headers = {"Content-Type": "application/x-protobuf"}
            async with http.post(f"{source.http}/v1/traces", data=slow(), headers=headers) as answer:
                assert answer.status == 408

    run(work)


# TLS -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mutual", [False, True])
def test_with_tls_both_ways_in_speak_nothing_else_and_may_want_a_certificate(mutual: bool, tmp_path: Path) -> None:
    ours, others = Authority(tmp_path / "ours"), Authority(tmp_path / "others")
    server, client, stranger = ours.issue("server"), ours.issue("client"), others.issue("stranger")
    tls = {"certificate": str(server.certificate), "key": str(server.key)}
    if mutual:
        tls["client_ca"] = str(ours.ca_file)

    async def send(source: Running, pair: Pair | None) -> tuple[bytes, int]:
        key, chain = (pair.key.read_bytes(), pair.certificate.read_bytes()) if pair else (None, None)
        credentials = grpc.ssl_channel_credentials(ours.ca_file.read_bytes(), key, chain)
        context = ssl.create_default_context(cafile=str(ours.ca_file))
        if pair:
            context.load_cert_chain(pair.certificate, pair.key)
        async with grpc.aio.secure_channel(source.grpc, credentials) as channel:
            answer = await source.over(channel, "logs", BODIES["logs"], timeout=10)
        url = source.http.replace("http:", "https:") + "/v1/logs"
        headers = {"Content-Type": "application/x-protobuf"}
        async with (
            aiohttp.ClientSession() as http,
            http.post(url, data=BODIES["logs"], headers=headers, ssl=context) as posted,
        ):
            return answer, posted.status

    async def work() -> None:
        async with serving(tls=tls) as source:
            assert await send(source, client) == (b"", 200)
            with pytest.raises(grpc.aio.AioRpcError):
                await source.call("logs", BODIES["logs"])  # without TLS
            with pytest.raises(aiohttp.ClientError):
                await source.post("/v1/logs", BODIES["logs"])
            for pair in (None, stranger):
                if mutual:
                    with pytest.raises((grpc.aio.AioRpcError, aiohttp.ClientError)):
                        await send(source, pair)
                else:
                    assert await send(source, pair) == (b"", 200)
            assert len(source.pipeline.batches) == (2 if mutual else 6)

    run(work)


@pytest.mark.parametrize("wrong", ["certificate", "key", "client_ca"])
def test_tls_files_that_cannot_be_used_are_told_at_start(wrong: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ours")
    pair = authority.issue("server")
    files = {"certificate": pair.certificate, "key": pair.key, "client_ca": authority.ca_file}
    files[wrong] = tmp_path / "missing.pem"
    if wrong == "key":
        files[wrong] = authority.issue("another").key

    async def work() -> None:
        with pytest.raises(StartError, match=r"sources\.otlp\.tls: "):
            async with serving(tls={name: str(path) for name, path in files.items()}):
                pass

    run(work)


# The end -------------------------------------------------------------------------------------------------------------


def test_what_is_under_way_when_it_ends_is_answered_and_nobody_else_comes_in() -> None:
    async def work() -> None:
        async with serving() as source, grpc.aio.insecure_channel(source.grpc) as channel:
            source.pipeline.open.clear()
            calls = [asyncio.create_task(source.over(channel, "logs", BODIES["logs"]))]
            posts = [asyncio.create_task(source.post("/v1/logs", BODIES["logs"]))]
            await source.pipeline.entered(2)
            source.task.cancel()
            await asyncio.sleep(0.1)
            with pytest.raises(aiohttp.ClientConnectionError):
                await source.post("/v1/logs", BODIES["logs"])
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await source.call("logs", BODIES["logs"])
            assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
            source.pipeline.open.set()
            assert await asyncio.gather(*calls) == [b""]
            assert [status for status, _, _ in await asyncio.gather(*posts)] == [200]
            await asyncio.gather(source.task, return_exceptions=True)
            assert len(source.pipeline.batches) == 2

    run(work)
