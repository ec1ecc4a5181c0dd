"""Makes OTLP requests of chunks, of about a given size."""

from collections.abc import Iterator, Sequence

import msgspec

from exporters.chunk import ChunkError, decode
from exporters.exporter import Chunk, Rejected
from exporters.otlp.cutting import Malformed, cut
from exporters.otlp.lines import log_requests
from exporters.requests import requests


def payloads(chunks: Sequence[Chunk], limit: int) -> Iterator[bytes]:
    """Requests of one signal that hold all records of the chunks, in order. Raises Rejected.

    Requests that follow one another are one request: protobuf messages may be joined as bytes.
    """
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        try:
            for part in _parts(chunk, limit):
                if parts and size + len(part) > limit:
                    yield b"".join(parts)
                    parts, size = [], 0
                parts.append(part)
                size += len(part)
        except (ChunkError, Malformed, msgspec.MsgspecError, ValueError) as error:
            raise Rejected(f"a chunk cannot be sent: {_reason(error)}") from None
    if size:
        yield b"".join(parts)


def _parts(chunk: Chunk, limit: int) -> Iterator[bytes]:
    header, frame = chunk
    stored = decode(header, frame)
    if header.format == "lines":
        yield from log_requests(stored, limit)
        return
    for request in requests(stored):
        yield from cut(request, limit)


def _reason(error: Exception) -> str:
    """Our own words; those of others may quote a record."""
    return str(error) if isinstance(error, ChunkError | Malformed) else "it is not in the stored form"
