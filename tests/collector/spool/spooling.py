"""A source of numbered records and a reader of segments: what a test needs to say what is stored, and how often."""

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import orjson

from collector.batch import Position
from collector.spool import Count, Deliveries, Ledger, Limits, Recovered, Spool, recover
from exporters.chunk import ChunkHeader, decode, read_chunks
from exporters.segment import Segment

HOUR = 3_600_000_000_000
SOURCE = "app"
INPUT_BYTES = 7  # per record, whatever its stored form takes
NODE = "node-1"

Record = tuple[str, int]  # key and number


def position(key: str, following: int, epoch: int = 1) -> Position:
    """The source has handed on all records of `key` before number `following`."""
    return Position(SOURCE, key, epoch, b"%d" % following)


def counted(outcome: str, records: int, reason: str = "") -> Count:
    return Count(SOURCE, outcome, records, records * INPUT_BYTES, reason)  # type: ignore[arg-type]


def append(
    spool: Spool,
    key: str,
    numbers: Sequence[int],
    *,
    hour: int = 480_000,
    retention: str = "standard",
    policy: str = "0123456789abcdef",
    padding: int = 0,
) -> None:
    """Stage one chunk of the records `numbers` of `key`, with the position behind the last of them."""
    spool.append(
        ChunkHeader(
            signal="logs",
            format="lines",
            source=SOURCE,
            records=len(numbers),
            first_time=hour * HOUR,
            last_time=hour * HOUR + len(numbers),
            policy=policy,
            input_bytes=len(numbers) * INPUT_BYTES,
        ),
        b"".join(b'{"key":"%s","number":%d}\n' % (key.encode(), number) for number in numbers)
        if not padding
        else b"".join(b'{"key":"%s","number":%d,"x":"%s"}\n' % (key.encode(), n, noise(n, padding)) for n in numbers),
        retention=retention,
        positions=[position(key, numbers[-1] + 1)],
        counts=[counted("read", len(numbers))],
    )


def noise(seed: int, size: int) -> bytes:
    """Text that does not compress much."""
    import random

    return random.Random(seed).randbytes(size // 2).hex().encode()


def position_of(spool: Spool, key: str) -> int:
    found = spool.positions(SOURCE).get(key)
    return int(found.value) if found else 0


def contents(data: bytes) -> list[Record]:
    """The records in the bytes of a segment."""
    records = []
    for header, frame in read_chunks(io.BytesIO(data)):
        for line in decode(header, frame).splitlines():
            record = orjson.loads(line)
            records.append((record["key"], record["number"]))
    return records


def read_segment(segment: Segment) -> list[Record]:
    data = segment.path.read_bytes()
    assert len(data) == segment.bytes
    return contents(data)


def spooled(directory: Path) -> list[Record]:
    """All committed records that are in segment files, as the ledger delimits them."""
    ledger = Ledger.open(directory)
    try:
        rows = ledger.read("SELECT file, bytes FROM segment")
    finally:
        ledger.close()
    return [r for file, size in rows for r in contents((directory / "segments" / file).read_bytes()[:size])]


def sealed(directory: Path, exporter: str = "store") -> list[Segment]:
    with deliveries(directory) as shipper:
        return shipper.sealed(exporter)


def prepare(directory: Path, exporters: Iterable[str] = ("store",)) -> Recovered:
    return recover(directory, node=NODE, exporters=list(exporters))


def open_spool(directory: Path, worker: int = 0, limits: Limits | None = None, **options: object) -> Spool:
    return Spool.open(directory, node=NODE, worker=worker, limits=limits, **options)  # type: ignore[arg-type]


def die(spool: Spool) -> None:
    """What the end of the process does: files and locks are closed, nothing is said to anybody."""
    for segment in spool._open.values():
        segment.leave()
    spool._open.clear()
    spool._release()


@contextmanager
def deliveries(directory: Path) -> Iterator[Deliveries]:
    shipper = Deliveries.open(directory)
    try:
        yield shipper
    finally:
        shipper.close()


def files(directory: Path) -> list[Path]:
    return sorted((directory / "segments").iterdir())
