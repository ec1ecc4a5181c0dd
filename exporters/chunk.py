r"""One chunk: what a batch becomes in a segment file and in a stored object.

    zstd skippable frame: magic 0x184D2A50 · u32 length · u32 CRC-32 of the JSON · JSON header   (little-endian)
    zstd frame:           level 1, content size and content checksum on: the stored records

An object is chunks one after another, so any `zstd -d` reads it, and our reader can tell from a header alone, without
decompressing, whether a chunk is wanted. A lost ledger is rebuilt from the headers: therefore their own checksum, which
zstd does not give a skippable frame.

ChunkError          a chunk cannot be read; the message names the byte offset of the chunk, never its contents
├── Truncated       the input ends in the middle of a chunk (a torn write, a cut-off object)
└── Corrupt         the bytes are not what was written
TooLarge            a chunk to be written is over a limit of this module (ValueError)
"""

import struct
import threading
import zlib
from collections.abc import Iterator
from typing import Annotated, Literal, Protocol

import msgspec
import zstandard

from exporters.signals import Signal

VERSION = 1
MAX_HEADER_BYTES = 1 << 20
MAX_STORED_BYTES = 64 << 20  # decompressed; far above a batch's target, low enough that no input exhausts memory
_MAX_FRAME_BYTES = MAX_STORED_BYTES + (MAX_STORED_BYTES >> 8) + 64  # zstd's own bound of what cannot be compressed

_PREAMBLE = struct.Struct("<III")  # magic, length of the skippable frame's content, CRC-32 of the JSON
_MAGIC = 0x184D2A50
_CRC_BYTES = 4


class ChunkError(Exception):
    """A chunk cannot be read. `offset` is where it begins in the input, in bytes; None where that is not known."""

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message if offset is None else f"chunk at byte {offset}: {message}")
        self.offset = offset


class Truncated(ChunkError):
    """The input ends in the middle of a chunk."""


class Corrupt(ChunkError):
    """The bytes are not what was written."""


class TooLarge(ValueError):
    """A chunk to be written is over a limit."""


_Count = Annotated[int, msgspec.Meta(ge=0)]


class ChunkPosition(msgspec.Struct, frozen=True, array_like=True):
    """How far a source had come in one of its files or partitions when this chunk was written."""

    source: str
    key: str
    epoch: int
    value: bytes


class ChunkHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a chunk without decompressing it. Holds no record contents; `resource` is scrubbed."""

    signal: Signal
    format: Literal["lines", "otlp", "otlp_json"]  # of the last only in stores, see `as_json.py`
    source: str
    records: _Count
    first_time: int  # ns since the epoch, UTC
    last_time: int
    policy: str  # fingerprint of the scrubbing policy
    resource: dict[str, str] = {}
    input_bytes: _Count = 0  # what was read from the source: the ledger's unit
    positions: tuple[ChunkPosition, ...] = ()
    bytes: _Count = 0  # of the stored records, decompressed; set by `encode`
    frame: _Count = 0  # length of the zstd frame that follows; set by `encode`
    version: int = VERSION


class Readable(Protocol):
    """Whatever gives bytes: a file, a decrypting stream, the body of a response."""

    def read(self, size: int, /) -> bytes: ...


def encode(header: ChunkHeader, stored: bytes) -> bytes:
    r"""Make one chunk of the stored records; sets `bytes`, `frame` and `version` of the header.

    format `lines`: `stored` holds exactly `header.records` lines, each ended by `\n`. It may be empty: a chunk of which
    every record was quarantined still carries its positions. Raises TooLarge.
    """
    if len(stored) > MAX_STORED_BYTES:
        raise TooLarge(f"{len(stored)} bytes of records; a chunk holds at most {MAX_STORED_BYTES}")
    frame = _codec.compressor.compress(stored)
    head = _encode_json(msgspec.structs.replace(header, bytes=len(stored), frame=len(frame), version=VERSION))
    if len(head) > MAX_HEADER_BYTES:
        raise TooLarge(f"a header of {len(head)} bytes; a chunk's header has at most {MAX_HEADER_BYTES}")
    return b"".join((_PREAMBLE.pack(_MAGIC, len(head) + _CRC_BYTES, zlib.crc32(head)), head, frame))


def read_chunks(fileobj: Readable) -> Iterator[tuple[ChunkHeader, bytes]]:
    """Read chunk by chunk: the header and the frame, still compressed (see `decode`).

    Reads exactly what it yields: while a chunk is out, `fileobj` stands right behind it. Raises Truncated or Corrupt
    with the offset of the first chunk that cannot be read, counted from where `fileobj` stood.
    """
    offset = 0
    while preamble := _read(fileobj, _PREAMBLE.size, offset, may_end=True):
        magic, length, checksum = _PREAMBLE.unpack(preamble)
        if magic != _MAGIC:
            raise Corrupt("does not begin with a chunk header", offset)
        if not _CRC_BYTES < length <= MAX_HEADER_BYTES + _CRC_BYTES:
            raise Corrupt(f"states a header of {length} bytes", offset)
        head = _read(fileobj, length - _CRC_BYTES, offset)
        if zlib.crc32(head) != checksum:
            raise Corrupt("checksum of the header is wrong", offset)
        header = _parse(head, offset)
        yield header, _read(fileobj, header.frame, offset)
        offset += _PREAMBLE.size + len(head) + header.frame


def decode(header: ChunkHeader, frame: bytes) -> bytes:
    """Decompress and verify the records of one chunk: sizes, checksum and, for `lines`, their number.

    Memory is bounded by MAX_STORED_BYTES whatever the frame claims. Raises Corrupt.
    """
    try:
        parameters = zstandard.get_frame_parameters(frame)
        # Looked at before decompressing: a small frame may claim a huge content.
        if parameters.content_size != header.bytes or not parameters.has_checksum:
            raise Corrupt("the zstd frame is not the one its header describes")
        stored = _codec.decompressor.decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Corrupt(f"the zstd frame cannot be decompressed ({error})") from error
    if len(stored) != header.bytes:
        raise Corrupt(f"holds {len(stored)} bytes of records; its header says {header.bytes}")
    # One protobuf message holds many records, so that only lines can be counted without parsing.
    if header.format == "lines":
        if (found := stored.count(b"\n")) != header.records:
            raise Corrupt(f"holds {found} records; its header says {header.records}")
        if stored and not stored.endswith(b"\n"):
            raise Corrupt("its last record has no end")
    return stored


class _Codec(threading.local):
    """zstd contexts are costly to make and not safe to share between threads: one pair each."""

    def __init__(self) -> None:
        # A window that stays in the processor's cache: 8 % less time than the level's own 512 KiB, the same size.
        parameters = zstandard.ZstdCompressionParameters.from_level(
            1, window_log=18, write_checksum=True, write_content_size=True
        )
        self.compressor = zstandard.ZstdCompressor(compression_params=parameters)
        self.decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_STORED_BYTES)


_codec = _Codec()
_encode_json = msgspec.json.Encoder().encode
_decode_json = msgspec.json.Decoder(ChunkHeader).decode


def _read(fileobj: Readable, size: int, offset: int, *, may_end: bool = False) -> bytes:
    """Read exactly `size` bytes; b"" at a clean end if the input may end here."""
    parts = []
    missing = size
    while missing and (part := fileobj.read(missing)):
        parts.append(part)
        missing -= len(part)
    if missing and not (may_end and missing == size):
        raise Truncated(f"ends {missing} bytes early", offset)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _parse(head: bytes, offset: int) -> ChunkHeader:
    try:
        header = _decode_json(head)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Corrupt("the header is not one this version knows", offset) from error
    if header.version != VERSION:
        raise Corrupt(f"format version {header.version}; this sluicegate reads version {VERSION}", offset)
    if header.bytes > MAX_STORED_BYTES or header.frame > _MAX_FRAME_BYTES:
        raise Corrupt(f"states {header.bytes} bytes of records in {header.frame}", offset)
    return header
