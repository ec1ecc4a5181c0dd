"""A store's `format: json`: OTLP requests stored as lines of OTLP/JSON, chunk by chunk.

Who reads the objects with other tools needs no protobuf then. It costs the shipper some 17 µs a span, and objects half
as large again.
"""

import io
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from exporters.chunk import ChunkError, ChunkHeader, decode, encode, read_chunks
from exporters.exporter import Rejected
from exporters.otlp_json import readable, serialised
from exporters.requests import NotOtlp, framed, requests


class AsJson(io.RawIOBase):
    """The chunks of a segment as a stream that cannot seek. Reading it raises Rejected for what cannot be converted."""

    def __init__(self, chunks: BinaryIO) -> None:
        self._chunks = _converted(chunks)
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        while not self._piece:
            piece = next(self._chunks, None)
            if piece is None:
                return 0
            self._piece = memoryview(piece)
        size = min(len(buffer), len(self._piece))
        buffer[:size] = self._piece[:size]
        self._piece = self._piece[size:]
        return size


def back(header: ChunkHeader, stored: bytes) -> tuple[ChunkHeader, bytes]:
    """A chunk as it was before; those of other formats as they are. Raises NotOtlp."""
    if header.format != "otlp_json":
        return header, stored
    lines = stored.split(b"\n")[:-1]
    return msgspec.structs.replace(header, format="otlp"), b"".join(
        framed(serialised(header.signal, line)) for line in lines
    )


def _converted(chunks: BinaryIO) -> Iterator[bytes]:
    try:
        for header, frame in read_chunks(chunks):
            lines = b"".join(readable(header.signal, each) for each in requests(decode(header, frame)))
            yield encode(msgspec.structs.replace(header, format="otlp_json"), lines)
    except (ChunkError, NotOtlp, ValueError) as error:
        why = str(error) if isinstance(error, ChunkError | NotOtlp) else "too large as JSON"
        raise Rejected(f"a segment cannot be stored as JSON: {why}; write `format: proto`") from error
