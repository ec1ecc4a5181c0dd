"""A file's content by offset, compressed or not."""

import gzip
import os
import zlib
from typing import Protocol

_MAGIC = b"\x1f\x8b"
_BLOCK = 256 << 10
_KEPT = 256 << 10  # a line that was not whole yet is read again with what follows


class Content(Protocol):
    """Offsets count uncompressed bytes. Every method may raise OSError."""

    status: os.stat_result  # when it was opened
    fixed: bool  # what was read of it cannot change any more
    complete: bool  # holds all that it will ever hold

    def read(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes; fewer only where the content ends for now."""

    def fileno(self) -> int: ...

    def close(self) -> None: ...


class PlainContent:
    """A file as it stands."""

    fixed = False
    complete = False

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.status = os.fstat(descriptor)

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self._descriptor, size, offset)

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        os.close(self._descriptor)


class GzipContent:
    """A file compressed with gzip; going back by more than `_KEPT` bytes means decompressing from its start."""

    fixed = True

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "rb", buffering=_BLOCK)
        self._gzip = gzip.GzipFile(fileobj=self._file)
        self.status = os.fstat(descriptor)
        self.complete = True  # until the end comes before the compressed stream's: still being written, or torn
        self._kept, self._at = b"", 0  # what was read last, and where that ended

    def read(self, offset: int, size: int) -> bytes:
        back = self._at - offset
        known = self._kept[-back:][:size] if 0 < back <= len(self._kept) else b""
        if known and len(known) == size:
            return known
        data = known + self._forward(offset + len(known), size - len(known))
        self._kept, self._at = data[-_KEPT:], offset + len(data)
        return data

    def _forward(self, offset: int, size: int) -> bytes:
        parts: list[bytes] = []
        try:
            self._gzip.seek(offset)
            while size and (part := self._gzip.read1(min(size, _BLOCK))):
                parts.append(part)
                size -= len(part)
        except EOFError:
            self.complete = False
        except zlib.error as error:
            raise gzip.BadGzipFile(f"damaged compressed data: {error}") from None
        return b"".join(parts)

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._gzip.close()
        self._file.close()


def is_compressed(head: bytes) -> bool | None:
    """Whether a content that starts with these bytes is compressed; None if they are too few to tell."""
    return head.startswith(_MAGIC) or (None if _MAGIC.startswith(head) else False)


def open_content(path: str) -> PlainContent | GzipContent:
    """Open what is at `path`; OSError if it cannot be."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        packed = is_compressed(os.pread(descriptor, 2, 0))
        return GzipContent(descriptor) if packed else PlainContent(descriptor)
    except BaseException:
        os.close(descriptor)
        raise


def starts_with(whole: Content, part: Content) -> int | None:
    """The length of `part`, if `whole` starts with all of it."""
    offset = 0
    while data := part.read(offset, _BLOCK):
        if whole.read(offset, len(data)) != data:
            return None
        offset += len(data)
    return offset
