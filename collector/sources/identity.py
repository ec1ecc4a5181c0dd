"""What makes a file the same file: device and inode say where to look, its content says whether it is true.

An inode is given to another file once it is free, files start with equal lines, and rotation renames, copies and
compresses. So a position carries digests of the file's first bytes and of those just before the offset, and is
believed only where both are found again.
"""

import os
import re
from hashlib import blake2b
from typing import TypeAlias

import msgspec

from collector.sources.content import Content
from collector.sources.framing import BEGIN, Format, State

FileKey: TypeAlias = str
"""`device-inode`, both in hexadecimal."""

WINDOW = 1024
"""Bytes at the start of a file and before the offset that are compared; fewer while the offset is smaller."""


def file_key(status: os.stat_result) -> FileKey:
    return f"{status.st_dev:x}-{status.st_ino:x}"


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """An offset in a content, and how to recognise that content."""

    offset: int
    head: str  # digest of the first min(offset, WINDOW) bytes
    tail: str  # digest of the min(offset, WINDOW) bytes before the offset
    format: Format | None = None
    state: State = BEGIN

    @staticmethod
    def at(offset: int, content: Content, format: Format | None = None) -> "Mark":  # noqa: A002
        """The mark of an offset in a content."""
        window = min(offset, WINDOW)
        tail = content.read(offset - window, window)
        return Mark(offset, digest(content.read(0, window)), digest(tail), format)

    def matches(self, content: Content) -> bytes | None:
        """The bytes before the offset, if the content is the one this mark was made in."""
        if not self.offset:
            return b""
        window = min(self.offset, WINDOW)
        if digest(content.read(0, window)) != self.head:
            return None
        tail = content.read(self.offset - window, window)
        return tail if len(tail) == window and digest(tail) == self.tail else None


class Checkpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """The value of a file's position."""

    path: str  # where the records were written, before any rotation
    home: str  # family of the file's real path: files of one family have one worker
    mark: Mark
    previous: Mark | None = None
    """Where the epoch before ended, while no copy of that content has turned up."""
    follows: str | None = None
    """`key:epoch` of the content that this file is a copy of and was continued from."""

    def encode(self) -> bytes:
        return msgspec.json.encode(self)


def decode_checkpoint(value: bytes) -> Checkpoint:
    """ValueError (msgspec's) if the value is not one."""
    return msgspec.json.decode(value, type=Checkpoint)


START = Mark(0, "", "")
"""Nothing was read: every content matches."""


def digest(data: bytes) -> str:
    return blake2b(data, digest_size=8).hexdigest()


_AFTER = re.compile(r"(?<=.)[._-]\d[\dTZ:._+-]*$")
_BEFORE = re.compile(r"[._-]\d{4}-?\d\d-?\d\d[\dTZ:._+-]*(?=\.[A-Za-z]+$)|\.\d+(?=\.[A-Za-z]+$)")


def base_name(name: str) -> str:
    """The name a rotated file had while it was written.

    `app.log.1`, `app.log.2.gz`, `app.log-20260101`, `app-2026-01-01T10.log` and `app.1.log` were all `app.log`.
    """
    name = name.removesuffix(".gz")
    return _BEFORE.sub("", _AFTER.sub("", name))


def family(real_path: str) -> str:
    """What a file shares with its rotated, copied and compressed versions: directory and base name."""
    folder, name = os.path.split(real_path)
    return os.path.join(folder, base_name(name))  # noqa: PTH118 (called once per file and scan)
