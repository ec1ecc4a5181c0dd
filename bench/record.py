"""What making the stored records costs on one core, as a ratio to zstd level 1 on the same bytes in the same run.

    python -m bench.record [--json FILE]

CPU time of the envelope alone, for one body of a mebibyte, best of forty rounds; the yardstick runs in each round.
"""

import argparse
import random
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import zstandard
from rich.table import Table

from bench.corpus import SEED, corpus
from bench.results import show
from bench.sources import cpu
from collector.batch import Batch, Origin
from collector.record import envelope

SIZE = 1 << 20
ROUNDS = 40
TIME = 1_790_000_000_000_000_000
RESOURCE = b'{"source":"app","log.file.name":"app.log","log.file.path":"/var/log/app.log"}'


def texts(last: bytes) -> Iterator[bytes]:
    """Lines as many loggers write them."""
    rnd = random.Random(SEED)
    while True:
        yield (
            b"2026-09-21T10:%02d:%02d.%03dZ INFO  [worker-%d] com.example.Checkout - order %d shipped in %d ms%b\n"
            % (
                *(rnd.randrange(60), rnd.randrange(60), rnd.randrange(1000), rnd.randrange(9)),
                *(rnd.randrange(10**6), rnd.randrange(1000), last),
            )
        )


def filled(lines: Iterator[bytes]) -> bytes:
    body: list[bytes] = []
    size = 0
    while size < SIZE:
        body.append(next(lines))
        size += len(body[-1])
    return b"".join(body)


def mixed(objects: Iterator[bytes], others: Iterator[bytes]) -> Iterator[bytes]:
    while True:
        yield next(others)
        yield next(objects)
        yield next(objects)


def bodies() -> Iterator[tuple[str, bytes, bool]]:
    """A name, a body, and whether each record has an opening of its own, as from a container runtime."""
    objects = corpus(0.0, 2 * SIZE).splitlines(keepends=True)
    yield "JSON", filled(iter(objects)), False
    yield "JSON, from a container", filled(iter(objects)), True
    yield "text", filled(texts(b", no retry")), False
    yield "text, from a container", filled(texts(b", no retry")), True
    yield "text that ends with a number", filled(texts(b", retry 1")), False
    yield "two lines of JSON, one of text", filled(mixed(iter(objects), texts(b", no retry"))), False


def measure(name: str, body: bytes, *, own_heads: bool) -> dict[str, str | float]:
    """One row: microseconds a record, and the ratio to zstd level 1."""
    records = body.count(b"\n")
    heads = [b'{"time":"2026-09-21T10:00:00.%09dZ","stream":"stdout"' % number for number in range(records)]
    batch = Batch("logs", "lines", Origin("app"), body, records, TIME, TIME, (), heads if own_heads else None)
    compressor = zstandard.ZstdCompressor(level=1)
    spent, zstd = [], []
    for _ in range(ROUNDS):
        zstd.append(cpu(partial(compressor.compress, body)))
        spent.append(cpu(partial(envelope, batch, body, resource=RESOURCE)))
    return {
        "lines": name,
        "us_per_record": min(spent) / records * 1e6,
        "of_zstd1_time": min(spent) / min(zstd),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the rows there, too")
    options = parser.parse_args()
    rows = [measure(name, body, own_heads=own_heads) for name, body, own_heads in bodies()]
    table = Table("lines", "µs a record", "of zstd-1's time")
    for row in rows:
        table.add_row(f"{row['lines']}", f"{row['us_per_record']:.2f}", f"{row['of_zstd1_time']:.2f}")
    show(table, rows, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
