"""The key file: AES-256 keys that seal objects, and what can go wrong with sealed things.

    # comment
    sluicegate-key-1 <key id, 16 hex digits> <key, 64 hex digits>

The first key seals; every key opens, so that a new key is put in front and the old ones stay for old objects. The id
follows from the key: it tells which key an object needs, and a mistyped key is noticed.

SealError
├── KeyFileError   the key file cannot be used: who may read it, what it holds
├── WrongKey       sealed with a key that is not in the key file; the message names the key's id
└── Tampered       what was sealed is not what stands there: changed, cut off, or moved from another place
"""

import hashlib
import os
import re
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from exporters import durable

MAX_BYTES = 64 << 10
_LINE = re.compile(r"sluicegate-key-1 ([0-9a-f]{16}) ([0-9a-f]{64})")
_INTRODUCTION = """\
# Seals and opens the stored objects. Whoever has it can read them; without it nobody can: keep a copy in a safe place.
"""


class SealError(Exception):
    """Something sealed cannot be made or opened. The message never holds a key nor contents."""


class KeyFileError(SealError):
    """The key file cannot be used."""


class WrongKey(SealError):
    """Sealed with another key."""


class Tampered(SealError):
    """Not what was sealed."""


@dataclass(slots=True, frozen=True)
class Key:
    """One AES-256 key. Printing it shows its id alone."""

    secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """16 hex digits that follow from the key and give nothing of it away: it has 256 random bits."""
        return hashlib.sha256(b"sluicegate key id\0" + self.secret).hexdigest()[:16]

    @classmethod
    def generate(cls) -> Self:
        return cls(secrets.token_bytes(32))


def load_keys(path: Path) -> tuple[Key, ...]:
    """Read a key file; the first key is the one to seal with. Raises KeyFileError."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise KeyFileError(f"key file {path}: {error.strerror}") from error
    # A group may read: that is how mounted secrets come to a process that is not root.
    if mode & 0o037:
        raise KeyFileError(f"key file {path}: mode {mode:04o} lets others read or change it; use 0600, 0400 or 0440")
    if len(text) > MAX_BYTES:
        raise KeyFileError(f"key file {path}: longer than {MAX_BYTES} bytes")
    keys = []
    for number, line in enumerate(text.decode("ascii", "replace").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if (match := _LINE.fullmatch(line.rstrip())) is None:
            raise KeyFileError(f"key file {path}, line {number}: is not `sluicegate-key-1 ID KEY`")
        key = Key(bytes.fromhex(match[2]))
        if key.id != match[1]:
            raise KeyFileError(f"key file {path}, line {number}: the key is not the one its id names; copied wrongly?")
        keys.append(key)
    if not keys:
        raise KeyFileError(f"key file {path}: holds no key")
    return tuple(keys)


def load_or_make_keys(path: Path) -> tuple[Key, ...]:
    """Read a key file; if there is none, make it first (mode 0600, durable). Raises KeyFileError.

    However many processes start at once, they end up with the same key.
    """
    with suppress(OSError):  # a directory that may not be entered is told below
        if path.exists():
            return load_keys(path)
    key = Key.generate()
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        durable.make_directories(path.parent)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(f"{_INTRODUCTION}sluicegate-key-1 {key.id} {key.secret.hex()}\n")
                file.flush()
                os.fsync(descriptor)
            # A link, unlike a rename, never replaces the key that another process has made meanwhile.
            with suppress(FileExistsError):
                os.link(temporary, path)
        finally:
            temporary.unlink()
        durable.sync_directory(path.parent)
    except OSError as error:
        raise KeyFileError(f"key file {path} cannot be made: {error.strerror}") from error
    return load_keys(path)
