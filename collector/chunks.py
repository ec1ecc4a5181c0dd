"""Prepared batches as chunks of the spool."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from collector.batch import HOUR, TARGET_BYTES, Position
from collector.routing import Part
from collector.scrubbing import Prepared
from collector.spool import Count
from exporters.chunk import ChunkHeader


@dataclass(slots=True)
class Chunk:
    """What becomes one chunk of the spool: one prepared batch, or several small ones of one kind."""

    parts: list[Prepared]
    header: ChunkHeader | None
    retention: str

    @property
    def stored(self) -> bytes:
        return self.parts[0].stored if len(self.parts) == 1 else b"".join(part.stored for part in self.parts)

    @property
    def positions(self) -> list[Position]:
        return [position for part in self.parts for position in part.batch.positions]

    @property
    def others(self) -> list[Part]:
        """What belongs to other retention classes: chunks by themselves."""
        return [other for part in self.parts for other in part.others]

    @property
    def counts(self) -> list[Count]:
        return [count for part in self.parts for count in part.counts]


def chunks(group: Iterable[Prepared]) -> Iterator[Chunk]:
    """Batches as chunks, in their order: OTLP requests that differ in nothing a chunk's header says share one.

    A chunk for every small request would cost more than its records do.
    """
    last: Chunk | None = None
    size = 0
    for prepared in group:
        header = prepared.header
        if last and header and last.header and _alike(last, prepared) and size + len(prepared.stored) <= TARGET_BYTES:
            last.parts.append(prepared)
            last.header = _joined(last.header, header)
            size += len(prepared.stored)
            continue
        if last:
            yield last
        last, size = Chunk([prepared], header, prepared.retention), len(prepared.stored)
    if last:
        yield last


def _alike(chunk: Chunk, prepared: Prepared) -> bool:
    one, other = chunk.header, prepared.header
    return bool(
        one
        and other
        and one.format == other.format == "otlp"
        and chunk.retention == prepared.retention
        and (one.signal, one.source, one.policy, one.resource)
        == (other.signal, other.source, other.policy, other.resource)
        and one.first_time // HOUR == other.first_time // HOUR
    )


def _joined(one: ChunkHeader, other: ChunkHeader) -> ChunkHeader:
    return msgspec.structs.replace(
        one,
        records=one.records + other.records,
        input_bytes=one.input_bytes + other.input_bytes,
        first_time=min(one.first_time, other.first_time),
        last_time=max(one.last_time, other.last_time),
    )
