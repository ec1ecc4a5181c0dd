"""The whole gate behind OTLP: what was confirmed is in the store, whatever happens, and nothing personal."""

import asyncio
import gzip
import json
import os
import random
import signal
import socket
import string
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc import _log_exporter as grpc_logs
from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc_metrics
from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc_traces
from opentelemetry.exporter.otlp.proto.http import Compression as HttpCompression
from opentelemetry.exporter.otlp.proto.http import _log_exporter as http_logs
from opentelemetry.exporter.otlp.proto.http import metric_exporter as http_metrics
from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from collector.sources.otlp.over_grpc import SERVICES
from collector.spool import Ledger
from tests.integration.gating import Gate, assert_clean
from tests.otlp import spans
from tests.services.server import free_ports

MIB = 1 << 20


class OtlpGate:
    """A gate with an `otlp` source."""

    def __init__(self, gate: Gate, **options: Any) -> None:
        grpc_port, http_port = free_ports(2)
        self.gate = gate
        self.grpc, self.http = f"127.0.0.1:{grpc_port}", f"http://127.0.0.1:{http_port}"
        gate.settings["sources"] = {
            "otlp": {
                "type": "otlp",
                "grpc": {"listen": self.grpc},
                "http": {"listen": f"127.0.0.1:{http_port}"},
                **options,
            }
        }

    def read(self, *arguments: str) -> list[dict[str, Any]]:
        """What is stored, as OTLP/JSON."""
        return [json.loads(line) for line in self.lines(*arguments)]

    def lines(self, *arguments: str) -> list[bytes]:
        return self.gate.command("read", str(self.gate.store), *arguments, config=False).splitlines()

    def names(self) -> list[str]:
        """Of all stored spans."""
        return [
            span["name"]
            for request in self.read("--signal", "traces")
            for group in request["resourceSpans"]
            for scope in group["scopeSpans"]
            for span in scope["spans"]
        ]

    def balanced(self) -> None:
        """The ledger's law, while the gate does not run."""
        ledger = Ledger.open(self.gate.folder / "spool")
        try:
            balances = ledger.balance()
        finally:
            ledger.close()
        assert balances
        assert all(balance.holds for balance in balances), balances

    def post(self, body: bytes, *, path: str = "/v1/traces", **headers: str) -> int:
        given = {"Content-Type": "application/x-protobuf"} | {n.replace("_", "-"): v for n, v in headers.items()}
        request = urllib.request.Request(self.http + path, data=body, headers=given, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code


@pytest.fixture
def otlp(gate: Gate) -> OtlpGate:
    return OtlpGate(gate)


# Real clients --------------------------------------------------------------------------------------------------------

CLIENTS: dict[str, tuple[Any, Any, Any, Any]] = {
    "grpc": (
        grpc_traces.OTLPSpanExporter,
        grpc_logs.OTLPLogExporter,
        grpc_metrics.OTLPMetricExporter,
        {"none": grpc.Compression.NoCompression, "gzip": grpc.Compression.Gzip, "deflate": grpc.Compression.Deflate},
    ),
    "http": (
        http_traces.OTLPSpanExporter,
        http_logs.OTLPLogExporter,
        http_metrics.OTLPMetricExporter,
        {"none": HttpCompression.NoCompression, "gzip": HttpCompression.Gzip, "deflate": HttpCompression.Deflate},
    ),
}


def test_the_python_sdk_sends_all_signals_over_both_protocols_with_every_compression(otlp: OtlpGate) -> None:
    otlp.gate.start()
    wanted = set()
    for protocol, (spans_to, logs_to, metrics_to, compressions) in CLIENTS.items():
        for name, compression in compressions.items():
            client = f"{protocol}-{name}"
            wanted.add(client)
            options = {"compression": compression}
            ends = [
                {**options, "endpoint": otlp.grpc, "insecure": True}
                if protocol == "grpc"
                else {**options, "endpoint": f"{otlp.http}/v1/{what}"}
                for what in ("traces", "logs", "metrics")
            ]
            _use_sdk(client, spans_to(**ends[0]), logs_to(**ends[1]), metrics_to(**ends[2]))
    assert otlp.gate.metric("sluicegate_requests_total", outcome="accepted") >= 3 * len(wanted)
    assert otlp.gate.stop() == 0
    assert Counter(otlp.names()) == {f"{client} span {n}": 1 for client in wanted for n in range(20)}
    for what in ("traces", "logs", "metrics"):
        lines = otlp.lines("--signal", what)
        assert_clean(lines)
        assert all(client.encode() in b"".join(lines) for client in wanted)
    assert len(otlp.lines("--origin", "service.name=grpc-gzip")) >= 3
    otlp.balanced()


def _use_sdk(client: str, spans_to: Any, logs_to: Any, metrics_to: Any) -> None:
    resource = Resource.create({"service.name": client, "owner.email": "canary@example.com"})
    tracing = TracerProvider(resource=resource)
    tracing.add_span_processor(BatchSpanProcessor(spans_to))
    logging = LoggerProvider(resource=resource)
    logging.add_log_record_processor(BatchLogRecordProcessor(logs_to))
    metering = MeterProvider([PeriodicExportingMetricReader(metrics_to)], resource=resource)
    tracer, logger, meter = tracing.get_tracer("t"), logging.get_logger("l"), metering.get_meter("m")
    counter = meter.create_counter("orders")
    for number in range(20):
        with tracer.start_as_current_span(f"{client} span {number}") as span:
            span.set_attribute("user.email", "canary@example.com")
            span.set_attribute("note", ["paid with 4012 8888 8888 1881", "from 81.2.69.142"])
            span.add_event("failed", {"exception.message": "no mail to canary@example.com"})
            span.set_status(trace.StatusCode.ERROR, "canary@example.com is gone")
            logger.emit(severity_number=SeverityNumber.INFO, body={"ssn": "219-09-9999", "client": client})
        counter.add(1, {"user.email": "canary@example.com", "client": client})
    for provider in (tracing, logging, metering):
        assert provider.force_flush()
        provider.shutdown()


# Whatever happens ----------------------------------------------------------------------------------------------------


async def _send(address: str, names: Iterator[str], confirmed: list[str], stop: asyncio.Event) -> None:
    """Send spans until told to stop, again until they are confirmed, as a client does."""
    async with grpc.aio.insecure_channel(address) as channel:
        export = channel.unary_unary(f"/{SERVICES['traces']}/Export")
        while not stop.is_set():
            batch = [next(names) for _ in range(20)]
            body = spans(batch, note="mail canary@example.com")
            while not stop.is_set():
                try:
                    await export(body, timeout=10, wait_for_ready=True)
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.1)
                    continue
                confirmed += batch
                break


def test_what_was_confirmed_is_stored_however_often_the_gate_is_killed(otlp: OtlpGate) -> None:
    """At least once: what was stored and not confirmed comes again."""
    confirmed: list[str] = []
    names = (f"span {number}" for number in range(10**9))
    gate = otlp.gate

    async def work() -> None:
        stop = asyncio.Event()
        clients = [asyncio.create_task(_send(otlp.grpc, names, confirmed, stop)) for _ in range(4)]
        for victim in ("worker-0", None, "worker-1", None):
            before = len(confirmed)
            while len(confirmed) < before + 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            if victim:
                gate.signal(signal.SIGKILL, victim)
            else:
                await asyncio.to_thread(gate.kill)
                await asyncio.to_thread(gate.start)
        stop.set()
        await asyncio.gather(*clients)

    gate.start()
    asyncio.run(asyncio.wait_for(work(), 200))
    assert gate.stop() == 0
    stored = Counter(otlp.names())
    assert set(confirmed) <= stored.keys()
    assert_clean(otlp.lines())
    otlp.balanced()


def _noise(number: int) -> bytes:
    """A request that zstd cannot make much smaller."""
    return spans([f"span {number}"], note="".join(random.choices(string.ascii_letters, k=60_000)))


def test_with_a_full_spool_clients_are_told_to_wait_and_nothing_confirmed_is_lost(otlp: OtlpGate) -> None:
    gate = otlp.gate
    gate.settings["spool"] |= {"max_bytes": 16 * MIB, "segment_bytes": MIB}
    gate.store.touch()  # in the way of the directory: nothing can be shipped
    gate.start()
    confirmed, refusals = [], 0
    number = 0
    while not refusals:
        body = _noise(number)
        began = time.monotonic()
        status = otlp.post(body)
        assert time.monotonic() - began < 5  # sooner than any client gives up
        if status == 200:
            confirmed.append(f"span {number}")
        else:
            assert status == 503
            refusals += 1
        number += 1
    assert gate.event("SpoolFull")["reason"] == "limit"
    gate.until(lambda: gate.get("/readyz")[0] == 503, "not ready")
    with grpc.insecure_channel(otlp.grpc) as channel, pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary(f"/{SERVICES['traces']}/Export")(_noise(number), timeout=5)
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert b"RetryInfo" in dict(raised.value.trailing_metadata())["grpc-status-details-bin"]
    gate.store.unlink()
    gate.until(lambda: gate.get("/readyz")[0] == 200, "room again, without anybody sending")
    assert otlp.post(_noise(number)) == 200
    assert gate.stop() == 0
    assert set(otlp.names()) == {*confirmed, f"span {number}"}
    otlp.balanced()


def test_sigterm_answers_what_is_under_way(otlp: OtlpGate) -> None:
    gate = otlp.gate
    gate.start()
    confirmed: list[str] = []
    names = (f"span {number}" for number in range(10**9))

    async def work() -> None:
        stop = asyncio.Event()
        clients = [asyncio.create_task(_send(otlp.grpc, names, confirmed, stop)) for _ in range(8)]
        while len(confirmed) < 500:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert await asyncio.to_thread(gate.stop) == 0
        stop.set()
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    asyncio.run(asyncio.wait_for(work(), 100))
    stored = otlp.names()
    assert set(confirmed) <= set(stored)
    otlp.balanced()


# Malformed -----------------------------------------------------------------------------------------------------------


def _malformed(rng: random.Random) -> tuple[bytes, dict[str, str]]:
    """A request that is none, in many ways; or, seldom, one that is one after all."""
    body = bytearray(spans(["a", "b", "c"], note="canary@example.com"))
    match rng.randrange(6):
        case 0:
            del body[rng.randrange(1, len(body)) :]
        case 1:
            for _ in range(rng.randrange(1, 9)):
                body[rng.randrange(len(body))] = rng.randrange(256)
        case 2:
            body = bytearray(rng.randbytes(rng.randrange(1, 2000)))
        case 3:
            at = rng.randrange(len(body))
            body[at:at] = b"\xff" * rng.randrange(1, 12)
        case 4:
            packed = bytearray(gzip.compress(bytes(body)))
            packed[rng.randrange(len(packed))] ^= 1 << rng.randrange(8)
            return bytes(packed), {"Content-Encoding": "gzip"}
        case _:
            text = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "zz", "name": "c"}]}]}]})
            cut = bytearray(text.encode())
            cut[rng.randrange(len(cut))] = rng.randrange(256)
            return bytes(cut), {"Content-Type": "application/json"}
    return bytes(body), {}


def _fuzz(otlp: OtlpGate, count: int) -> None:
    rng = random.Random(7)
    outcomes: Counter[object] = Counter()
    otlp.gate.start()
    _attack(otlp, rng, count // 10, outcomes)  # what it needs at all, it has taken then
    before = _resident(otlp.gate)
    _attack(otlp, rng, count, outcomes)
    grown = _resident(otlp.gate) - before
    assert set(outcomes) <= {200, 400, "INVALID_ARGUMENT", "OK", "dropped"}
    assert outcomes[400] > count // 4
    assert outcomes["INVALID_ARGUMENT"] > count // 8
    assert grown < 30 * MIB, f"{grown / MIB:.0f} MiB more after {count} requests"
    assert otlp.gate.events("ProcessDied") == []
    assert otlp.post(spans(["fine"])) == 200
    assert otlp.gate.stop() == 0


def _attack(otlp: OtlpGate, rng: random.Random, count: int, outcomes: "Counter[object]") -> None:
    port = int(otlp.http.rpartition(":")[2])
    with grpc.insecure_channel(otlp.grpc) as channel:
        export = channel.unary_unary(f"/{SERVICES['traces']}/Export")
        for number in range(count):
            body, headers = _malformed(rng)
            if number % 3 == 0 and not headers:
                try:
                    export(body, timeout=20)
                    outcomes["OK"] += 1
                except grpc.RpcError as error:
                    outcomes[error.code().name] += 1
            elif number % 50 == 1:
                with socket.create_connection(("127.0.0.1", port)) as raw:  # no HTTP at all
                    raw.sendall(rng.randbytes(rng.randrange(1, 300)))
                outcomes["dropped"] += 1
            else:
                outcomes[otlp.post(body, **headers)] += 1


def _resident(gate: Gate) -> int:
    """Bytes of memory of all workers."""
    page = os.sysconf("SC_PAGE_SIZE")
    pids = [pid for name, pid in gate.processes().items() if name.startswith("worker")]
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page for pid in pids)


def test_malformed_requests_are_refused_and_cost_nothing(otlp: OtlpGate) -> None:
    _fuzz(otlp, 1000)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_ten_thousand_malformed_requests_are_refused_and_cost_nothing(otlp: OtlpGate) -> None:
    _fuzz(otlp, 10_000)


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_a_small_request_that_inflates_to_a_large_one_costs_no_memory(
    otlp: OtlpGate, compression: grpc.Compression
) -> None:
    otlp.gate.start()
    bomb = b"\x0a" + bytes(300 * MIB)
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(otlp.grpc, options=options) as channel:
        export = channel.unary_unary(f"/{SERVICES['traces']}/Export")
        for _ in range(3):
            with pytest.raises(grpc.RpcError) as raised:
                export(bomb, timeout=60, compression=compression)
            assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert otlp.gate.stop() == 0
    assert max(otlp.gate.peaks.values()) < 200 * MIB


# At the start --------------------------------------------------------------------------------------------------------


def test_an_address_in_use_is_told_at_start(otlp: OtlpGate) -> None:
    with socket.create_server(("127.0.0.1", int(otlp.grpc.rpartition(":")[2]))):
        otlp.gate.start(up=False)
        assert otlp.gate.code() == 1
    assert "sources.otlp.grpc.listen: Address already in use" in otlp.gate.events("GateRefused")[0]["message"]


def test_once_and_a_source_that_never_ends_do_not_go_together(otlp: OtlpGate) -> None:
    otlp.gate.start("--once", up=False)
    assert otlp.gate.code() == 1
    assert "would never end" in otlp.gate.events("GateRefused")[0]["message"]
