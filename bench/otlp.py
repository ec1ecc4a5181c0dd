"""What scrubbing OTLP costs on one core: requests of 512 spans or log records, as they stand on the wire.

    python -m bench.otlp [--requests N] [--json FILE]

CPU time, best of five rounds. `measure` is the walk that a receiver does before; the scrubber's time is without it.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import zstandard
from rich.table import Table

from bench.otlp_corpus import RECORDS, SHARES, all_checksums, requests
from bench.results import show
from bench.scrub import cpu
from scrubbers import Scrubber, load_policy
from scrubbers.otlp import measure
from scrubbers.signals import Signal

ROUNDS = 5
# The corpus is pinned: a change of it changes these, and every figure that was published.
CHECKSUMS = {
    ("traces", 0.0): "64b56849011292e5",
    ("traces", 0.02): "27ba949ca6057acc",
    ("traces", 0.3): "05bccae4c3b9da3c",
    ("logs", 0.0): "d7ee1a71c2d0bfa9",
    ("logs", 0.02): "6900d30d65765241",
    ("logs", 0.3): "d44e11386f57b258",
}


def measured(signal: Signal, share: float, count: int, scrubber: Scrubber) -> dict[str, str | float]:
    """One row."""
    given = requests(signal, share, count)
    records, size = count * RECORDS, sum(map(len, given))
    compressor = zstandard.ZstdCompressor(level=1)
    works: dict[str, Callable[[bytes], object]] = {
        "scrub": lambda body: scrubber.scrub_otlp(body, signal=signal),
        "measure": lambda body: measure(body, signal),
        "zstd": compressor.compress,
    }
    times: dict[str, float] = dict.fromkeys(works, float("inf"))
    for _ in range(ROUNDS):
        for name, work in works.items():
            times[name] = min(times[name], cpu(lambda work=work: [work(body) for body in given]))  # type: ignore[misc]
    return {
        "signal": signal,
        "dirty": share,
        "bytes_per_record": size / records,
        "requests_per_s": count / times["scrub"],
        "records_per_s": records / times["scrub"],
        "mb_per_s": size / times["scrub"] / 1e6,
        "scrub_cpu_s_per_million": times["scrub"] / records * 1e6,
        "measure_cpu_s_per_million": times["measure"] / records * 1e6,
        "ratio_to_zstd1": times["zstd"] / times["scrub"],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=64, help="requests of each corpus")
    parser.add_argument("--json", type=Path, help="write the rows there, too")
    options = parser.parse_args()
    for signal, share, checksum in all_checksums():
        if CHECKSUMS[signal, share] != checksum:
            print(f"the corpus of {signal}, share {share}, is not the pinned one", file=sys.stderr)
            return 1
    scrubber = Scrubber(load_policy())
    signals: tuple[Signal, ...] = ("traces", "logs")
    rows = [measured(signal, share, options.requests, scrubber) for signal in signals for share in SHARES]
    table = Table(
        "signal", "dirty", "bytes", "requests/s", "records/s", "MB/s", "CPU s/million", "measure", "of zstd-1"
    )
    for row in rows:
        table.add_row(
            str(row["signal"]),
            f"{row['dirty']:.0%}",
            f"{row['bytes_per_record']:.0f}",
            f"{row['requests_per_s']:,.0f}",
            f"{row['records_per_s']:,.0f}",
            f"{row['mb_per_s']:.0f}",
            f"{row['scrub_cpu_s_per_million']:.2f}",
            f"{row['measure_cpu_s_per_million']:.2f}",
            f"{row['ratio_to_zstd1']:.2f}",
        )
    show(table, rows, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
