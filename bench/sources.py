"""What reading files costs on one core without scrubbing, as a ratio to zstd level 1 on the same bytes in the same run.

    python -m bench.sources [--size MIB] [--json FILE]

CPU time of the file source alone, up to the batches it hands on, best of five rounds; the yardstick runs in each round,
for machines are noisy. `with heads`: with the openings of the stored lines, which are made when they are asked for.
The file is in the page cache.
"""

import argparse
import itertools
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import zstandard
from rich.table import Table

from bench.corpus import SEED, corpus
from bench.results import show
from collector.sources.file import FileOptions, FileSource

BLOCK = 1 << 20
ROUNDS = 5


def stamps() -> Iterator[bytes]:
    """Times a fifth of a millisecond apart, as Go writes them: without zeros at the end, in each tenth."""
    rnd = random.Random(SEED)
    for number in itertools.count():
        second, part = divmod(number, 5000)
        fraction = b"%09d" % (part * 200_000 + rnd.randrange(200_000))
        minute, second = divmod(second % 3600, 60)
        yield b"2026-09-21T10:%02d:%02d.%bZ" % (minute, second, fraction.rstrip(b"0") or b"0")


def plain(lines: Iterator[bytes]) -> Iterator[bytes]:
    return lines


def cri(lines: Iterator[bytes]) -> Iterator[bytes]:
    return (b"%b stdout F %b" % (stamp, line) for line, stamp in zip(lines, stamps(), strict=False))


def docker(lines: Iterator[bytes]) -> Iterator[bytes]:
    for line, stamp in zip(lines, stamps(), strict=False):
        yield b'{"log":%b,"stream":"stdout","time":"%b"}\n' % (json.dumps(line.decode()).encode(), stamp)


FORMATS = {"plain": plain, "cri": cri, "docker": docker}


def write(path: Path, form: Callable[[Iterator[bytes]], Iterator[bytes]], size: int) -> None:
    """About `size` bytes in an envelope."""
    lines = itertools.cycle(corpus(0.0, 8 << 20).splitlines(keepends=True))
    with path.open("wb") as file:
        for line in form(lines):
            file.write(line)
            if file.tell() >= size:
                return


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def compress(path: Path) -> float:
    """CPU seconds of compressing a file's blocks, without reading them."""
    compressor, spent = zstandard.ZstdCompressor(level=1), 0.0
    with path.open("rb") as file:
        while data := file.read(BLOCK):
            spent += cpu(partial(compressor.compress, data))
    return spent


def read(path: Path, *, heads: bool) -> int:
    """Read a file to its end; the number of records."""
    source = FileSource("bench", FileOptions(include=(str(path),)), redact=bytes)
    records = 0
    source.scan()
    while source.ready:
        for batch in source.turns():
            records += batch.records
            if heads and batch.heads is not None:
                list(batch.heads)
    source.close()
    return records


def measure(form: str, size: int, folder: Path) -> dict[str, str | float]:
    """One row: MB/s, CPU s per GiB, its ratio to zstd level 1, and the same with heads."""
    path = folder / f"{form}.log"
    write(path, FORMATS[form], size)
    total = path.stat().st_size
    zstd, bare, full = [], [], []
    for _ in range(ROUNDS):
        zstd.append(compress(path))
        bare.append(cpu(lambda: read(path, heads=False)))
        full.append(cpu(lambda: read(path, heads=True)))
    records = read(path, heads=False)
    path.unlink()
    return {
        "format": form,
        "records": records,
        "mb_per_s": total / min(bare) / 1e6,
        "cpu_s_per_gib": min(bare) / total * 2**30,
        "of_zstd1_time": min(bare) / min(zstd),
        "of_zstd1_time_with_heads": min(full) / min(zstd),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256, help="MiB of each file")
    parser.add_argument("--json", type=Path, help="write the rows there, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(form, options.size << 20, Path(folder)) for form in FORMATS]
    table = Table("format", "records", "MB/s", "CPU s/GiB", "of zstd-1's time", "with heads")
    for row in rows:
        table.add_row(
            f"{row['format']}",
            f"{row['records']:,}",
            f"{row['mb_per_s']:.0f}",
            f"{row['cpu_s_per_gib']:.2f}",
            f"{row['of_zstd1_time']:.2f}",
            f"{row['of_zstd1_time_with_heads']:.2f}",
        )
    show(table, rows, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
