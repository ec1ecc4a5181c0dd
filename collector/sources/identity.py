"""What makes a file the same file: device and inode say where to look, its content says whether it is true.

An inode is given to another file once it is free, files start with equal lines, and rotation renames, copies and
compresses. So a position carries fingerprints of what was read, and is believed only where they are found again.
"""

import os
import re
import zlib
from typing import TypeAlias

import msgspec

from collector.sources.fingerprint import Mark

FileKey: TypeAlias = str
"""`device-inode`, both in hexadecimal."""


def file_key(status: os.stat_result) -> FileKey:
    return f"{status.st_dev:x}-{status.st_ino:x}"


def row(key: FileKey, home: str) -> str:
    """Under which key a file's position is kept: an inode that comes to another family, and so perhaps to another
    worker, does not overwrite what is known of the file that had it before."""
    return f"{key}@{zlib.crc32(home.encode()):08x}"


class Ended(msgspec.Struct, frozen=True, omit_defaults=True):
    """A content that is no longer in the file where it was read, and how far it was read there."""

    epoch: int
    path: str
    mark: Mark


class Checkpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """The value of a file's position."""

    path: str  # where the records were written, before any rotation
    home: str  # family of the file's real path: files of one family have one worker
    mark: Mark
    packed: bool = False  # the file is compressed
    ended: tuple[Ended, ...] = ()
    """Contents that the file held before, the newest last, while no copy of them has turned up."""
    follows: tuple[str, ...] = ()
    """Names of contents that were read elsewhere and that this file was a copy of, and went on with."""

    def encode(self) -> bytes:
        return msgspec.json.encode(self)


def decode_checkpoint(value: bytes) -> Checkpoint:
    """ValueError (msgspec's) if the value is not one."""
    return msgspec.json.decode(value, type=Checkpoint)


_AFTER = re.compile(r"(?<=.)[._-]\d[\dTZ:._+-]*$")
_WORD = re.compile(r"(?<=.)[._-](?:old|bak|backup|orig|prev|rotated)$|(?<=.)~$")
_BEFORE = re.compile(r"[._-]\d{4}-?\d\d-?\d\d[\dTZ:._+-]*(?=\.[A-Za-z]+$)|\.\d+(?=\.[A-Za-z]+$)")


def base_name(name: str) -> str:
    """The name a rotated file had while it was written.

    `app.log.1`, `app.log.2.gz`, `app.log-20260101`, `app-2026-01-01T10.log`, `app.1.log` and `app.log.old` were all
    `app.log`.
    """
    name = _WORD.sub("", name.removesuffix(".gz"))
    return _BEFORE.sub("", _AFTER.sub("", name))


def is_rotated(path: str) -> bool:
    """Whether a file has a name that rotation gives."""
    name = os.path.basename(path)  # noqa: PTH119 (called for thousands of files)
    return base_name(name) != name


def family(real_path: str) -> str:
    """What a file shares with its rotated, copied and compressed versions: directory and base name."""
    folder, name = os.path.split(real_path)
    return text(os.path.join(folder, base_name(name)))  # noqa: PTH118 (called for thousands of files)


def text(path: str) -> str:
    """Paths are bytes to the system; positions are stored as UTF-8."""
    return os.fsencode(path).decode("utf-8", "replace")
