"""What scrubbing costs on one core, as a ratio to zstd level 1 on the same bytes in the same run.

    python -m bench.scrub [--size MIB] [--json FILE]

CPU time, best of five rounds; the yardstick runs in each round, for machines are noisy.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import zstandard
from rich.table import Table

from bench.corpus import SHARES, checksum, corpus
from bench.results import show
from scrubbers import Scrubber, load_policy

BLOCK = 1 << 20
ROUNDS = 5
# The corpus is pinned: a change of it changes these, and every figure that was published.
CHECKSUMS = {0.0: "17a1d797c7cf21ee", 0.02: "cd9eb3bb7e0d69f5", 0.3: "19b4c717b0c25b2e", 1.0: "437f5e69bd8e9ea3"}


def blocks(data: bytes) -> list[bytes]:
    """Cut at line ends into blocks of at most BLOCK bytes."""
    made, start = [], 0
    while start < len(data):
        end = data.rfind(b"\n", start, start + BLOCK) + 1
        made.append(data[start:end])
        start = end
    return made


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def measure(share: float, size: int, scrubber: Scrubber) -> dict[str, float]:
    """One row: MB/s, records/s, CPU s per GiB, ratio to zstd level 1, share of records on the reference path."""
    given = blocks(corpus(share, size))
    total = sum(map(len, given))
    records = sum(block.count(b"\n") for block in given)
    compressor = zstandard.ZstdCompressor(level=1)
    zstd, scrub = [], []
    for _ in range(ROUNDS):
        zstd.append(cpu(lambda: [compressor.compress(block) for block in given]))
        scrub.append(cpu(lambda: [scrubber.scrub(block) for block in given]))
    deep = sum(scrubber.scrub(block).deep for block in given)
    return {
        "dirty": share,
        "mb_per_s": total / min(scrub) / 1e6,
        "records_per_s": records / min(scrub),
        "cpu_s_per_gib": min(scrub) / total * 2**30,
        "ratio_to_zstd1": min(zstd) / min(scrub),
        "deep_share": deep / records,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=32, help="MiB of each corpus")
    parser.add_argument("--json", type=Path, help="write the rows there, too")
    options = parser.parse_args()
    for share in SHARES:
        if checksum(share) != CHECKSUMS[share]:
            print(f"the corpus of share {share} is not the pinned one", file=sys.stderr)
            return 1
    scrubber = Scrubber(load_policy())
    rows = [measure(share, options.size << 20, scrubber) for share in SHARES]
    table = Table("dirty", "MB/s", "records/s", "CPU s/GiB", "ratio to zstd-1", "tier 3")
    for row in rows:
        table.add_row(
            f"{row['dirty']:.0%}",
            f"{row['mb_per_s']:.0f}",
            f"{row['records_per_s']:,.0f}",
            f"{row['cpu_s_per_gib']:.2f}",
            f"{row['ratio_to_zstd1']:.2f}",
            f"{row['deep_share']:.2%}",
        )
    show(table, rows, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
