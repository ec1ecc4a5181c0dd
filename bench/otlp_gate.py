"""What the gate costs that receives OTLP: spans for a CPU second of its own processes, over gRPC on loopback.

    python -m bench.otlp_gate [--seconds N] [--dirty SHARE …] [--workers N] [--json FILE]

Requests of 512 spans are sent over some connections, several at a time; each is confirmed once it is durable in the
spool. What is counted is what was confirmed. CPU time is that of the gate's processes, supervisor and shipper (to
`null`) included; the load generator is a process of its own, and stands beside it.
"""

import argparse
import asyncio
import json
import os
import signal as signals
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import grpc
from rich.table import Table

from bench.otlp_corpus import RECORDS, requests
from bench.pipeline import COMMAND, processes
from bench.results import show
from collector.sources.otlp.over_grpc import SERVICES

_TICKS = os.sysconf("SC_CLK_TCK")
_WARM_SECONDS = 2.0
_DIFFERENT = 32  # requests


@dataclass(slots=True, frozen=True)
class Row:
    """The figures of one share of dirty spans."""

    dirty: float
    spans_per_second: float
    spans_per_cpu_second: float
    cpu_s_per_million_spans: float
    mb_per_s: float
    load_spans_per_cpu_second: float


def measure(share: float, options: argparse.Namespace) -> Row:
    with (
        tempfile.TemporaryDirectory(prefix="sluicegate-bench-", dir=options.directory) as name,
        gate(Path(name), options.workers) as (process, address),
    ):
        load = [sys.executable, "-m", "bench.otlp_gate", "--load", address, "--dirty", str(share)]
        subprocess.run([*load, "--seconds", str(_WARM_SECONDS)], check=True, capture_output=True)
        before = cpu_seconds(process.pid)
        sent = json.loads(
            subprocess.run([*load, "--seconds", str(options.seconds)], check=True, capture_output=True).stdout
        )
        cpu, seconds = cpu_seconds(process.pid) - before, sent["seconds"]
    spans = sent["requests"] * RECORDS
    return Row(
        dirty=share,
        spans_per_second=spans / seconds,
        spans_per_cpu_second=spans / cpu,
        cpu_s_per_million_spans=cpu / spans * 1e6,
        mb_per_s=sent["bytes"] / seconds / 1e6,
        load_spans_per_cpu_second=spans / sent["cpu"],
    )


@contextmanager
def gate(folder: Path, workers: int) -> "Iterator[tuple[subprocess.Popen[bytes], str]]":
    """A gate that runs, and where it takes requests."""
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    config = {
        "node": "bench",
        "workers": workers,
        "sources": {"otlp": {"type": "otlp", "grpc": {"listen": address}, "http": None}},
        "spool": {"directory": str(folder / "spool")},
        "exporters": {"null": {"type": "null"}},
        "telemetry": {"log": {"level": "info", "format": "json"}},
    }
    path = folder / "gate.yaml"
    path.write_text(json.dumps(config))
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen([COMMAND, "run", "--config", path], stdout=out, stderr=out)
    try:
        while b"GateStarted" not in log.read_bytes():
            if process.poll() is not None:
                sys.exit(log.read_text())
            time.sleep(0.05)
        yield process, address
    finally:
        process.send_signal(signals.SIGTERM)
        process.wait()


def cpu_seconds(gate: int) -> float:
    """Of all processes of a gate, so far."""
    total = 0
    for _, folder in processes(gate):
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS


async def load(address: str, bodies: Sequence[bytes], seconds: float, connections: int = 4, at_once: int = 4) -> None:
    """Send until the time is over; print what was confirmed, as JSON."""
    until = time.monotonic() + seconds
    began, used = time.monotonic(), time.process_time()
    sent = [0, 0]

    async def send(channel: "grpc.aio.Channel", number: int) -> None:
        export = channel.unary_unary(f"/{SERVICES['traces']}/Export")
        while time.monotonic() < until:
            body = bodies[number % len(bodies)]
            number += 1
            try:
                await export(body, timeout=30)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise
                await asyncio.sleep(0.05)
                continue
            sent[0] += 1
            sent[1] += len(body)

    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(address, options=options) for _ in range(connections)]
    await asyncio.gather(*(send(channel, n) for channel in channels for n in range(at_once)))
    seconds, cpu = time.monotonic() - began, time.process_time() - used
    for channel in channels:
        await channel.close()
    print(json.dumps({"requests": sent[0], "bytes": sent[1], "seconds": seconds, "cpu": cpu}))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to send")
    parser.add_argument("--workers", type=int, default=1, help="worker processes")
    parser.add_argument("--dirty", type=float, nargs="+", default=[0.0, 0.02, 0.3], help="shares of dirty spans")
    parser.add_argument("--directory", type=Path, help="where the spool is meanwhile; a disk, not memory")
    parser.add_argument("--json", type=Path, help="write the rows there, too")
    parser.add_argument("--load", metavar="ADDRESS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        asyncio.run(load(options.load, requests("traces", options.dirty[0], _DIFFERENT), options.seconds))
        return 0
    rows = [measure(share, options) for share in options.dirty]
    table = Table(
        *("dirty", "spans/s", "spans per\nCPU s", "CPU s per\nmillion", "MB/s", "load: spans\nper CPU s"),
        title=f"gRPC, requests of {RECORDS} spans, durable; {options.workers} worker",
    )
    for row in rows:
        table.add_row(
            f"{row.dirty:.0%}",
            f"{row.spans_per_second:,.0f}",
            f"{row.spans_per_cpu_second:,.0f}",
            f"{row.cpu_s_per_million_spans:.2f}",
            f"{row.mb_per_s:.0f}",
            f"{row.load_spans_per_cpu_second:,.0f}",
        )
    show(table, [asdict(row) for row in rows], options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
