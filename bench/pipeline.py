"""What the gate costs from files to sealed local objects, as a ratio to zstd level 1 on the same bytes in the same run.

    python -m bench.pipeline [--size MIB] [--files N] [--workers N] [--dirty SHARE …] [--json FILE]

The real command takes in several files and ends (`run --once`). CPU time is that of all its processes together; what
a gate costs that has next to nothing to do (imports, compiling the policy, ending) is measured apart, and the steady
state is what lies above that. The yardstick is zstd level 1, on one thread, over the same files, by CPU time:
ratio 0.25 means four times its CPU time. Peak memory is what the kernel noted for each process (VmHWM).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import zstandard
from rich.table import Table

from bench.corpus import corpus
from bench.results import show
from bench.scrub import blocks, cpu

COMMAND = Path(sys.executable).with_name("sluicegate")
GIB = 1 << 30
SAMPLE_SECONDS = 0.05


@dataclass(slots=True)
class Run:
    """One run of the gate, from its start to its end."""

    seconds: float = 0.0
    cpu: float = 0.0  # seconds, of all processes
    peaks: dict[str, int] = field(default_factory=dict)  # bytes, by process

    @property
    def worker_peak(self) -> int:
        return max(peak for name, peak in self.peaks.items() if name.startswith("worker"))


@dataclass(slots=True, frozen=True)
class Row:
    """The figures of one corpus."""

    dirty: float
    bytes: int
    mb_per_s: float
    cpu_s_per_gib: float  # steady state
    ratio_to_zstd1: float  # steady state
    start_cpu_s: float
    ratio_with_start: float
    worker_peak_bytes: int
    shipper_peak_bytes: int
    stored_ratio: float  # bytes read for each byte of an object


def write_files(folder: Path, data: bytes, size: int, files: int) -> int:
    """Write at least `size` bytes as files: the same records over and over, in each file from the start."""
    folder.mkdir()
    each = -(-size // files)
    written = 0
    for number in range(files):
        with (folder / f"app-{number:03}.log").open("wb") as file:
            left = each
            while left > 0:
                part = data if left >= len(data) else data[: data.find(b"\n", left) + 1]
                file.write(part)
                left -= len(part)
            written += file.tell()
    return written


def run_gate(folder: Path, pattern: Path, workers: int) -> Run:
    """Take in what the pattern matches, with a spool and a store of its own."""
    config = {
        "node": "bench",
        "workers": workers,
        "sources": {"app": {"type": "file", "include": [str(pattern)]}},
        "spool": {"directory": str(folder / "spool")},
        "exporters": {"local": {"type": "local", "path": str(folder / "store")}},
        "telemetry": {"log": {"level": "error"}},
    }
    folder.mkdir()
    path = folder / "gate.yaml"
    path.write_text(json.dumps(config))
    run = Run()
    started = time.monotonic()
    with (folder / "log").open("wb") as log:
        gate = subprocess.Popen([COMMAND, "run", "--once", "--config", path], stdout=log, stderr=log)
    while (found := os.wait4(gate.pid, os.WNOHANG))[0] == 0:
        for name, peak in peaks(gate.pid):
            run.peaks[name] = max(peak, run.peaks.get(name, 0))
        time.sleep(SAMPLE_SECONDS)
    _, status, usage = found
    gate.returncode = os.waitstatus_to_exitcode(status)
    run.seconds = time.monotonic() - started
    run.cpu = usage.ru_utime + usage.ru_stime  # with what its processes used: it has waited for them
    if gate.returncode:
        sys.exit(f"the gate ended with {gate.returncode}:\n{(folder / 'log').read_text()}")
    return run


def processes(gate: int) -> Iterator[tuple[str, Path]]:
    """The processes of a gate that live, by name, each with its folder in /proc."""
    yield "gate", Path("/proc", str(gate))
    with suppress(OSError):
        for process in Path(f"/proc/{gate}/task/{gate}/children").read_text().split():
            words = Path("/proc", process, "cmdline").read_bytes().split(b"\0")
            if b"collector.process" in words:  # not one that is about to become it, nor a dead one
                yield words[-2].decode(), Path("/proc", process)


def peaks(gate: int) -> Iterator[tuple[str, int]]:
    """The most memory that each process of a gate had so far, in bytes.

    Not `ru_maxrss`: that also counts what the parent had before it became another program.
    """
    for name, folder in processes(gate):
        with suppress(OSError, StopIteration):
            lines = (folder / "status").read_text().splitlines()
            yield name, int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) << 10


def zstd_seconds(data: bytes, size: int) -> float:
    """CPU seconds of zstd level 1 over `size` bytes of these records, in blocks of the size that the gate uses."""
    compressor = zstandard.ZstdCompressor(level=1)
    given = blocks(data)
    return min(cpu(lambda: [compressor.compress(block) for block in given]) for _ in range(3)) * size / len(data)


def measure(share: float, options: argparse.Namespace) -> Row:
    """Run the gate over one corpus, and over a single record for what starting costs."""
    data = corpus(share, min(options.size << 20, 64 << 20))
    with tempfile.TemporaryDirectory(prefix="sluicegate-bench-", dir=options.directory) as name:
        folder = Path(name)
        size = write_files(folder / "in", data, options.size << 20, options.files)
        (folder / "one.log").write_bytes(data[: data.find(b"\n") + 1])
        idle = run_gate(folder / "idle", folder / "one.log", options.workers)
        before = zstd_seconds(data, size)
        run = run_gate(folder / "gate", folder / "in" / "*.log", options.workers)
        zstd = min(before, zstd_seconds(data, size))
        stored = sum(path.stat().st_size for path in (folder / "gate" / "store").rglob("*") if path.is_file())
    steady = run.cpu - idle.cpu
    return Row(
        dirty=share,
        bytes=size,
        mb_per_s=size / (run.seconds - idle.seconds) / 1e6,
        cpu_s_per_gib=steady / size * GIB,
        ratio_to_zstd1=zstd / steady,
        start_cpu_s=idle.cpu,
        ratio_with_start=zstd / run.cpu,
        worker_peak_bytes=run.worker_peak,
        shipper_peak_bytes=run.peaks["shipper"],
        stored_ratio=size / stored,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512, help="MiB to take in")
    parser.add_argument("--files", type=int, default=16, help="number of input files")
    parser.add_argument("--workers", type=int, default=2, help="worker processes")
    parser.add_argument("--dirty", type=float, nargs="+", default=[0.02, 0.3], help="shares of dirty records")
    parser.add_argument("--directory", type=Path, help="where to put files meanwhile; a disk, not memory")
    parser.add_argument("--json", type=Path, help="write the rows there, too")
    options = parser.parse_args()
    rows = [measure(share, options) for share in options.dirty]
    table = Table(
        *("dirty", "MB/s", "CPU s/GiB", "ratio to\nzstd-1", "start\nCPU s", "ratio\nwith it", "worker\nMiB"),
        "shipper\nMiB",
        title=f"{options.size} MiB in {options.files} files, {options.workers} workers",
    )
    for row in rows:
        table.add_row(
            f"{row.dirty:.0%}",
            f"{row.mb_per_s:.0f}",
            f"{row.cpu_s_per_gib:.2f}",
            f"{row.ratio_to_zstd1:.2f}",
            f"{row.start_cpu_s:.1f}",
            f"{row.ratio_with_start:.2f}",
            f"{row.worker_peak_bytes / 2**20:.0f}",
            f"{row.shipper_peak_bytes / 2**20:.0f}",
        )
    show(table, [asdict(row) for row in rows], options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
