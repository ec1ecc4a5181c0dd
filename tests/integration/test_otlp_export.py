"""What the gate sends by OTLP arrives at a real OpenTelemetry Collector as it is, also when that is killed."""

import asyncio
import io
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.lane import Backoff
from collector.shipper import Shipper
from collector.spool import Count, Deliveries, Ledger, Limits, Spool, recover
from exporters.chunk import ChunkHeader, encode, read_chunks
from exporters.exporter import Chunk, Retryable
from exporters.otlp.exporter import OtlpExporter
from exporters.otlp.options import OtlpDestination
from exporters.requests import framed
from tests.integration.full_messages import REQUESTS, alternatives, full
from tests.integration.gating import Gate, record, records
from tests.services.certificates import Authority
from tests.services.otelcol_server import OtelCollector
from tests.services.otlp_server import Answer, GrpcServer
from tests.services.server import Unavailable, unavailable

pytestmark = [pytest.mark.service, pytest.mark.timeout(1500)]  # the Collector may have to be built first

Start = Callable[..., OtelCollector]
WAYS = [
    ("grpc", "gzip"),
    ("grpc", "none"),
    ("http/protobuf", "gzip"),
    ("http/protobuf", "zstd"),
    ("http/protobuf", "none"),
]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts Collectors; at the end they are killed."""
    made: list[OtelCollector] = []

    def start(**options: Any) -> OtelCollector:
        try:
            made.append(OtelCollector(tmp_path / f"collector-{len(made)}", **options))
            made[-1].start()
        except Unavailable as error:
            unavailable(error)
        return made[-1]

    yield start
    for collector in made:
        collector.server.kill()


def exporter(collector: OtelCollector, protocol: str, **options: Any) -> OtlpExporter:
    given = {"endpoint": collector.endpoint(protocol), "protocol": protocol, **options}
    return OtlpExporter("otel", OtlpDestination.model_validate(given))


def header(signal: str, records: int) -> ChunkHeader:
    return ChunkHeader(
        signal=signal,  # type: ignore[arg-type]
        format="otlp",
        source="s",
        records=records,
        first_time=1,
        last_time=1,
        policy="p",
        input_bytes=records,
    )


def chunk(signal: str, *requests: bytes) -> Chunk:
    (found,) = read_chunks(io.BytesIO(encode(header(signal, 1), b"".join(map(framed, requests)))))
    return found


@pytest.mark.parametrize(("protocol", "compression"), WAYS)
def test_every_field_of_every_signal_arrives(start: Start, protocol: str, compression: str) -> None:
    collector = start()
    sender = exporter(collector, protocol, compression=compression)
    sender.check()
    for signal, kind in REQUESTS.items():
        sent = [full(signal, alternative) for alternative in alternatives()]
        for request in sent:
            sender.send([chunk(signal, request.SerializeToString())])
        arrived = [kind.FromString(request) for request in collector.took(signal)]
        arrived = [request for request in arrived if request.ByteSize()]
        assert arrived == sent
    sender.close()


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_mutual_tls(start: Start, tmp_path: Path, protocol: str) -> None:
    authority = Authority(tmp_path / "ca")
    collector = start(pair=authority.issue("server"), client_ca=authority.ca_file)
    client = authority.issue("client")
    tls = {"ca_file": authority.ca_file, "certificate": client.certificate, "key": client.key}
    sender = exporter(collector, protocol, tls=tls)
    sender.send([chunk("traces", full("traces", 0).SerializeToString())])
    sender.close()
    assert len(collector.took("traces")) == 1
    stranger = exporter(collector, protocol, tls={"ca_file": authority.ca_file}, timeout="5s")
    with pytest.raises(Retryable):
        stranger.send([chunk("traces", full("traces", 0).SerializeToString())])
    stranger.close()


def test_no_span_is_lost_when_the_collector_is_killed_and_started_again(start: Start, tmp_path: Path) -> None:
    collector = start()
    directory = tmp_path / "spool"
    total, each = 3000, 10
    with recover(directory, node="n", exporters=["otel"]):
        spool = Spool.open(directory, node="n", worker=0, limits=Limits(segment_bytes=20_000))
        deliveries = Deliveries.open(directory)
        sender = exporter(collector, "grpc", timeout="2s", request_bytes=64 << 10)
        backoff = Backoff(first=0.05, most=0.2)

        async def main() -> None:
            shipper = Shipper(deliveries, [sender], poll=0.01, backoff=backoff)
            running = asyncio.create_task(shipper.run())
            for first in range(0, total, each):
                await asyncio.to_thread(put, spool, first, each)
                if first in (500, 1500):
                    await asyncio.to_thread(collector.server.kill)
                elif first in (800, 2000):
                    await asyncio.to_thread(collector.start)
            await asyncio.to_thread(spool.close)
            while not await shipper.drain(5.0):
                pass
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            shipper.close()

        asyncio.run(main())
        deliveries.close()
        ledger = Ledger.open(directory)
        (balance,) = ledger.balance()
        ledger.close()
        assert balance.holds
        assert balance.delivered.records == total
        assert not list((directory / "segments").iterdir())
    names = [
        int(span.name)
        for request in collector.took("traces")
        for resource in ExportTraceServiceRequest.FromString(request).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert set(names) == set(range(total))
    first_seen = list(dict.fromkeys(names))
    assert first_seen == sorted(first_seen), "in order, repetitions aside"
    assert len(names) - total <= 2 * 700, "at most one request again for each death"


def put(spool: Spool, first: int, count: int) -> None:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for number in range(first, first + count):
        scope.spans.add(name=str(number), trace_id=number.to_bytes(16, "big"), span_id=number.to_bytes(8, "big"))
    spool.append(
        header("traces", count),
        framed(request.SerializeToString()),
        retention="standard",
        counts=[Count("s", "read", count, count)],
    )
    spool.commit()


def balanced(gate: Gate) -> None:
    ledger = Ledger.open(gate.folder / "spool")
    try:
        balances = ledger.balance()
    finally:
        ledger.close()
    assert all(balance.holds for balance in balances), balances
    assert len({balance.delivered for balance in balances}) == 1, balances
    assert not any(balance.pending.records for balance in balances), balances


def bodies(requests: list[bytes]) -> Counter[bytes]:
    """The ids of the log records in requests."""
    return Counter(id_ for request in requests for id_ in re.findall(rb"r\d{6}x", request))


def test_a_gate_sends_lines_on_within_a_second_while_objects_wait_for_their_time(
    start: Start, make_gate: Callable[..., Gate]
) -> None:
    collector = start()
    gate = make_gate(exporters={})
    gate.settings["exporters"] = {
        "store": {"type": "local", "path": str(gate.store)},
        "otel": {"type": "otlp", "endpoint": collector.grpc},
    }
    gate.settings["spool"]["segment_age"] = "1h"
    gate.start()
    path = gate.inputs / "app.log"
    waits = []
    for number in range(5):
        with path.open("ab") as file:
            file.write(record(number * 6) + b"\n")
        started = time.monotonic()
        gate.until(lambda: len(bodies(collector.took("logs"))) > number, "its arrival")  # noqa: B023
        waits.append(time.monotonic() - started)
    assert sorted(waits)[2] < 3.0, waits  # about 0.6 s on a quiet machine; the middle one of five
    assert not list(gate.store.rglob("*.enc"))
    assert gate.stop() == 0
    assert list(gate.store.rglob("*.enc"))
    (request, *_) = [ExportLogsServiceRequest.FromString(request) for request in collector.took("logs") if request]
    (resource,) = request.resource_logs
    attributes = {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes}
    assert attributes["log.file.path"] == str(path)


def test_a_dead_collector_holds_up_no_store_and_costs_no_record(start: Start, make_gate: Callable[..., Gate]) -> None:
    collector = start()
    gate = make_gate()
    gate.settings["exporters"]["otel"] = {"type": "otlp", "endpoint": collector.grpc, "timeout": "1s"}
    (gate.inputs / "app.log").write_bytes(records(0, 600))
    gate.start()
    gate.until(lambda: len(bodies(collector.took("logs"))) == 600, "600 records")
    collector.server.kill()
    with (gate.inputs / "app.log").open("ab") as file:
        file.write(records(600, 600))
    gate.reaches(1200, "sluicegate_export_records_total", exporter="store")
    assert gate.metric("sluicegate_export_up", exporter="otel") == 0
    assert gate.metric("sluicegate_export_pending_bytes", exporter="otel") > 0
    gate.kill()
    gate.start()
    with (gate.inputs / "app.log").open("ab") as file:
        file.write(records(1200, 600))
    collector.start()
    gate.until(lambda: len(bodies(collector.took("logs"))) == 1800, "1800 records")
    assert gate.stop() == 0
    assert max(bodies(collector.took("logs")).values()) <= 2
    balanced(gate)


def test_a_server_that_asks_for_patience_gets_it_and_everything(make_gate: Callable[..., Gate]) -> None:
    server = GrpcServer()
    server.script.extend([Answer(code="RESOURCE_EXHAUSTED", retry=0.3, text="busy")] * 3 + [Answer(code="UNAVAILABLE")])
    slow = threading.Event()
    server.hold = lambda: slow.wait(0.05)
    try:
        gate = make_gate()
        gate.settings["exporters"]["otel"] = {"type": "otlp", "endpoint": server.endpoint}
        (gate.inputs / "app.log").write_bytes(records(0, 300))
        gate.finish()
        found = bodies(server.bodies)
        assert len(found) == 300
        assert set(found.values()) == {1}
        balanced(gate)
    finally:
        server.close()


def test_what_a_dead_server_has_not_got_is_kept_up_to_the_limit_and_then_files_wait(
    make_gate: Callable[..., Gate],
) -> None:
    server = GrpcServer()
    server.refusing = Answer(code="UNAVAILABLE")
    chance = random.Random(1)
    limit, count = 16 << 20, 6000
    lines = [b"r%06dx %s\n" % (number, chance.randbytes(4000).hex().encode()) for number in range(count)]
    try:
        gate = make_gate(workers=1)
        gate.settings["spool"] |= {"max_bytes": limit, "segment_bytes": 1 << 20}
        gate.settings["exporters"]["otel"] = {"type": "otlp", "endpoint": server.endpoint, "compression": "none"}
        (gate.inputs / "app.log").write_bytes(b"".join(lines))
        gate.start()
        assert gate.event("SpoolFull")["reason"] == "limit"
        gate.reaches(1000, "sluicegate_export_records_total", exporter="store")
        assert gate.metric("sluicegate_spool_bytes") <= limit
        assert gate.metric("sluicegate_records_received_total") < count
        server.refusing = None
        gate.until(lambda: len(bodies(server.bodies)) == count, f"{count} records")
        assert gate.stop() == 0
        balanced(gate)
        arrived = [id_ for body in server.bodies for id_ in re.findall(rb"r\d{6}x", body)]
        assert arrived == sorted(set(arrived)), "in order, and once"
    finally:
        server.close()
