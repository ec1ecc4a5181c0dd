"""Compressed requests, inflated up to a limit: a few bytes may stand for gigabytes."""

import zlib
from typing import Protocol

import zstandard

from collector.sources.otlp.refusals import Garbage, TooLarge

_WINDOW = 8 << 20  # of zstd: what a decoder must be able to hold (RFC 8878)
_GZIP, _ZLIB, _RAW = zlib.MAX_WBITS | 16, zlib.MAX_WBITS, -zlib.MAX_WBITS


class Inflater(Protocol):
    """Takes a request piece by piece. Raises TooLarge as soon as what comes out is over its limit, and Garbage."""

    def feed(self, piece: bytes) -> None: ...
    def finish(self) -> bytes:
        """All of the request; Garbage if it is not whole."""


def inflater(encoding: str, limit: int) -> Inflater | None:
    """For a content encoding of HTTP; None if it is not known."""
    match encoding.strip().lower():
        case "" | "identity":
            return _Identity(limit)
        case "gzip" | "x-gzip":
            return _Zlib(_GZIP, limit)
        case "deflate":
            return _Deflate(limit)
        case "zstd":
            return _Zstd(limit)
        case _:
            return None


def inflate_grpc(message: bytes, limit: int) -> bytes:
    """A message of gRPC, which its library hands on as it was sent, without saying whether it was compressed.

    The library's own inflating looks at the limit only afterwards: 400 kB took 400 MB. What a message is, its first
    bytes tell: an OTLP request begins with the tag of its field 1, 0x0a, and is empty otherwise.
    """
    if message.startswith(b"\x0a") or not message:
        return message
    if message.startswith(b"\x1f\x8b"):
        return _whole(_Zlib(_GZIP, limit), message)
    if message[0] & 0x0F == 8 and int.from_bytes(message[:2]) % 31 == 0:  # RFC 1950
        return _whole(_Zlib(_ZLIB, limit), message)
    return message


def _whole(inflater: Inflater, message: bytes) -> bytes:
    inflater.feed(message)
    return inflater.finish()


class _Identity:
    def __init__(self, limit: int) -> None:
        self._parts: list[bytes] = []
        self._left, self._limit = limit, limit

    def feed(self, piece: bytes) -> None:
        self._left -= len(piece)
        if self._left < 0:
            raise TooLarge(self._limit)
        self._parts.append(piece)

    def finish(self) -> bytes:
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)


class _Zlib:
    def __init__(self, bits: int, limit: int) -> None:
        self._bits = bits
        self._inflate = zlib.decompressobj(bits)
        self._out = _Identity(limit)
        self._room = limit + 1  # one more than may be: then the limit is seen to be passed

    def feed(self, piece: bytes) -> None:
        try:
            while piece:
                if self._inflate.eof:  # gzip allows several members, one behind the other
                    if self._bits != _GZIP:
                        raise Garbage("something stands behind the compressed request")
                    self._inflate = zlib.decompressobj(self._bits)
                out = self._inflate.decompress(piece, self._room)
                self._room -= len(out)
                self._out.feed(out)
                piece = self._inflate.unconsumed_tail or self._inflate.unused_data
        except zlib.error:
            raise Garbage("the request cannot be inflated") from None

    def finish(self) -> bytes:
        if not self._inflate.eof:
            raise Garbage("the compressed request is not whole")
        return self._out.finish()


class _Deflate:
    """HTTP's deflate is zlib's form; some clients send the bare stream, as some servers once did."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._inflate: _Zlib | None = None
        self._head = b""

    def feed(self, piece: bytes) -> None:
        if self._inflate is None:
            self._head += piece
            if len(self._head) < 2:
                return
            zlib_form = self._head[0] & 0x0F == 8 and int.from_bytes(self._head[:2]) % 31 == 0
            self._inflate = _Zlib(_ZLIB if zlib_form else _RAW, self._limit)
            piece, self._head = self._head, b""
        self._inflate.feed(piece)

    def finish(self) -> bytes:
        if self._inflate is None:
            raise Garbage("the compressed request is not whole")
        return self._inflate.finish()


class _Zstd:
    """A piece of zstd inflates to thirty thousand times its size at once: so it is first seen how much it will be."""

    def __init__(self, limit: int) -> None:
        self._compressed, self._limit = _Identity(limit), limit

    def feed(self, piece: bytes) -> None:
        self._compressed.feed(piece)

    def finish(self) -> bytes:
        data = self._compressed.finish()
        decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
        parts = []
        try:
            with decompressor.stream_reader(data, read_across_frames=True) as reader:
                size = 0
                while got := reader.readinto(bytearray(_STEP)):
                    size += got
                    if size > self._limit:
                        raise TooLarge(self._limit)
            while data:
                frame = decompressor.decompressobj()
                parts.append(frame.decompress(data))
                if not frame.eof:
                    raise Garbage("the compressed request is not whole")
                data = frame.unused_data
        except zstandard.ZstdError:
            raise Garbage("the request cannot be inflated") from None
        return b"".join(parts)


_STEP = 256 << 10
