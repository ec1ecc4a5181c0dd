"""Takes the store away for a while under full load, with a spool too small for it; counts what arrived, and how soon.

    python -m bench.outage [--seconds N] [--rate MB/S] [--spool MIB] [--json FILE]

A writer that rotates its files keeps its pace through the outage; what the spool cannot hold waits in the files. Once
the spool was full, and the time is over, the store comes back: every record must arrive exactly once. Peak memory is
what the kernel noted for each process.
"""

import argparse
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.crash import Outcome, check_ledger, count_stored, s3_server, s3_store, writing
from bench.results import show
from exporters.s3_options import S3Options
from tests.integration.gating import Gate
from tests.services.proxy import HEALTHY, Fault, Proxy
from tests.services.seaweedfs import SeaweedFS


@dataclass(slots=True)
class Outage(Outcome):
    """What came of it."""

    outage_seconds: float = 0.0
    backlog_bytes: int = 0  # written and not yet in the store when it came back
    catch_up_mb_per_s: float = 0.0  # of input, from the store's return to the last record
    worker_peak_bytes: int = 0
    shipper_peak_bytes: int = 0


def outage(
    folder: Path,
    server: SeaweedFS,
    bucket: str,
    *,
    seconds: float,
    rate: float,
    spool: int,
    progress: Progress | None = None,
) -> Outage:
    """Run it in a folder, into a bucket that is there. `rate` in bytes a second, `spool` in bytes."""
    outcome = Outage(outage_seconds=seconds)
    began = time.monotonic()
    with Proxy(server.url) as proxy:
        store = s3_store(proxy.url, bucket)
        gate = Gate(
            folder,
            exporters={"archive": store},
            spool={
                "directory": str(folder / "spool"),
                "segment_age": "2s",
                "segment_bytes": 8 << 20,
                "max_bytes": spool,
            },
            telemetry={"listen": "127.0.0.1:0", "log": {"level": "info", "format": "json"}},
        )
        gate.settings["sources"]["app"]["include"] = [str(gate.inputs / "*.log*")]
        gate.start()
        try:
            with writing(gate.inputs, rate, int(rate * (seconds + 4)), "rename") as told:
                gate.reaches(1, "sluicegate_export_records_total")
                proxy.fault = Fault(refuse=True)
                _wait(seconds, gate, progress)
                gate.event("SpoolFull")
            outcome.written, outcome.bytes, outcome.rotations, took = told.recv()
            outcome.mb_per_s = outcome.bytes / took / 1e6
            arrived = gate.metric("sluicegate_export_records_total") / outcome.written
            outcome.backlog_bytes = int(outcome.bytes * (1 - arrived))
            back = time.monotonic()
            proxy.fault = HEALTHY
            while gate.metric("sluicegate_export_records_total") < outcome.written:
                gate.until(lambda: True, "the gate runs")
                time.sleep(0.2)
            outcome.catch_up_mb_per_s = outcome.backlog_bytes / (time.monotonic() - back) / 1e6
            gate.stop()
        finally:
            gate.kill()
    outcome.worker_peak_bytes = max(peak for name, peak in gate.peaks.items() if name.startswith("worker"))
    outcome.shipper_peak_bytes = gate.peaks["shipper"]
    count_stored(outcome, S3Options.model_validate({**store, "endpoint_url": server.url, "read_timeout": "60s"}))
    outcome.ledger = check_ledger(folder / "spool", outcome.written)
    outcome.seconds = time.monotonic() - began
    return outcome


def _wait(seconds: float, gate: Gate, progress: Progress | None) -> None:
    task = progress.add_task("outage", total=seconds) if progress else None
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        gate.until(lambda: True, "the gate runs")
        time.sleep(min(left, 0.5))
        if progress and task is not None:
            progress.update(task, completed=seconds - max(left, 0.0))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600, help="how long the store is away")
    parser.add_argument("--rate", type=float, default=20.0, help="MB/s that are written")
    parser.add_argument("--spool", type=int, default=512, help="MiB that the spool may hold")
    parser.add_argument("--directory", type=Path, help="where to put files meanwhile; a disk, not memory")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    console = Console()
    with (
        tempfile.TemporaryDirectory(prefix="sluicegate-outage-", dir=options.directory) as name,
        s3_server(Path(name, "s3"), "outage") as server,
        Progress(console=console) as progress,
    ):
        outcome = outage(
            Path(name, "gate"),
            server,
            "outage",
            seconds=options.seconds,
            rate=options.rate * 1e6,
            spool=options.spool << 20,
            progress=progress,
        )
    table = Table("", "")
    for label, value in (
        ("outage", f"{outcome.outage_seconds:.0f} s at {outcome.mb_per_s:.0f} MB/s"),
        ("records", f"{outcome.written:,}"),
        ("missing, twice, leaked", f"{outcome.missing}, {outcome.twice}, {outcome.leaked}"),
        ("ledger", outcome.ledger),
        ("backlog", f"{outcome.backlog_bytes / 1e6:,.0f} MB"),
        ("catching up", f"{outcome.catch_up_mb_per_s:.0f} MB/s"),
        ("worker, peak", f"{outcome.worker_peak_bytes / 2**20:.0f} MiB"),
        ("shipping process, peak", f"{outcome.shipper_peak_bytes / 2**20:.0f} MiB"),
    ):
        table.add_row(label, value)
    show(table, asdict(outcome), options.json)
    return 0 if outcome.whole else 1


if __name__ == "__main__":
    raise SystemExit(main())
