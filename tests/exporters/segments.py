"""Makes segment files for the tests, as the spool would."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from exporters.chunk import ChunkHeader, encode
from exporters.segment import Segment

HOUR = 3_600_000_000_000
NOON = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()) * 1_000_000_000
SECOND = 1_000_000_000
POLICY = "0123456789abcdef"


@dataclass(frozen=True)
class Made:
    """A segment, and what went into it."""

    segment: Segment
    lines: bytes


def line(time: int, text: str = "hello") -> bytes:
    """One stored record."""
    moment = datetime.fromtimestamp(time // SECOND, UTC)
    stamp = f"{moment:%Y-%m-%dT%H:%M:%S}.{time % SECOND:09d}Z"
    return f'{{"time":"{stamp}","resource":{{}},"body":"{text}"}}\n'.encode()


def chunk(times: Sequence[int], *, source: str = "app", pod: str = "web-1", text: str = "hello") -> tuple[bytes, bytes]:
    """One chunk with a record for each time, and its stored lines."""
    lines = b"".join(line(time, text) for time in times)
    header = ChunkHeader(
        signal="logs",
        format="lines",
        source=source,
        resource={"k8s.pod.name": pod},
        records=len(times),
        first_time=min(times),
        last_time=max(times),
        policy=POLICY,
    )
    return encode(header, lines), lines


def segment(
    directory: Path,
    *chunks: tuple[bytes, bytes],
    records: int | None = None,
    first_time: int = NOON,
    retention: str = "standard",
    node: str = "node-1",
    born: float | None = None,
    signal: str = "logs",
    format: str = "lines",  # noqa: A002
) -> Made:
    """A segment of chunks made by `chunk`; by default one with three records. `born`: seconds, for its id."""
    chunks = chunks or (chunk([first_time, first_time + SECOND, first_time + 2 * SECOND]),)
    content = b"".join(each for each, _ in chunks)
    lines = b"".join(each for _, each in chunks)
    name = secrets.token_hex(16) if born is None else f"{int(born * 1e9):016x}{secrets.token_hex(8)}"
    path = directory / f"{name}.segment"
    path.write_bytes(content)
    made = Segment(
        id=name,
        path=path,
        node=node,
        signal=signal,
        format=format,
        retention=retention,
        bytes=len(content),
        records=lines.count(b"\n") if records is None else records,
        first_time=first_time,
        last_time=first_time + HOUR - 1,
        policy=POLICY,
    )
    return Made(made, lines)
