"""OTLP export requests in a chunk: each stands behind its length.

    u32 length, big-endian · the serialised Export…ServiceRequest

The OpenTelemetry Collector's file exporter writes this with `format: proto`: what reads its files reads ours.
"""

import struct
from collections.abc import Iterator


class NotOtlp(ValueError):
    """Bytes are not the requests they should be. The message says nothing of what they are."""


_LENGTH = struct.Struct(">I")


def framed(request: bytes) -> bytes:
    """One request as it is stored."""
    return _LENGTH.pack(len(request)) + request


def requests(stored: bytes) -> Iterator[bytes]:
    """The requests of a chunk. Raises NotOtlp where they are not whole."""
    at = 0
    while at < len(stored):
        if at + _LENGTH.size > len(stored):
            raise NotOtlp("a length is cut off")
        (length,) = _LENGTH.unpack_from(stored, at)
        at += _LENGTH.size
        if at + length > len(stored):
            raise NotOtlp("a request is cut off")
        yield stored[at : at + length]
        at += length
