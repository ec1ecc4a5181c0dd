"""Keys that seal objects, in a key file or in KMS, and what can go wrong with sealed things.

    # comment
    sluicegate-key-1 <key id, 16 hex digits> <key, 64 hex digits>

The first key seals; every key opens, so that a new key is put in front and the old ones stay for old objects. The id
follows from the key: it tells which key an object needs, and a mistyped key is noticed.

SealError
├── KeyFileError    the key file cannot be used: who may read it, what it holds
├── KeyUnavailable  KMS does not let its key be used, or cannot be reached
├── WrongKey        sealed with a key that was not given; the message names the key's id
└── Tampered        what was sealed is not what stands there: changed, cut off, or moved from another place
"""

import hashlib
import io
import os
import re
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypeAlias

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


class KeyFileThere(KeyFileError):
    """A key file that was to be made is there already."""


class KeyUnavailable(SealError):
    """KMS does not let its key be used, or cannot be reached."""


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


@dataclass(slots=True, frozen=True)
class KmsKey:
    """A key that never leaves AWS KMS; the AWS environment says with which credentials it is used."""

    arn: str

    @property
    def id(self) -> str:
        return self.arn


AnyKey: TypeAlias = Key | KmsKey
KMS_KEY = r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$"
"""The whole ARN of a key, not of an alias: opening compares it with the one that an object names."""


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
    with suppress(KeyFileThere):  # another process has made it meanwhile
        make_key_file(path)
    return load_keys(path)


def make_key_file(path: Path) -> Key:
    """Make a key file that is not there yet (mode 0600, durable). Raises KeyFileThere, KeyFileError."""
    key = Key.generate()
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        durable.make_directories(path.parent)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(f"{_INTRODUCTION}{_entry(key)}")
                file.flush()
                os.fsync(descriptor)
            # A link, unlike a rename, never replaces a key that is there.
            try:
                os.link(temporary, path)
            except FileExistsError as error:
                raise KeyFileThere(f"key file {path} is there already") from error
        finally:
            temporary.unlink()
        durable.sync_directory(path.parent)
    except OSError as error:
        raise KeyFileError(f"key file {path} cannot be made: {error.strerror}") from error
    return key


def rotate_key_file(path: Path) -> Key:
    """Put a new key in front of those in a key file, and return it: it seals from now on, the others still open.

    The file is replaced whole, and keeps its owner and mode where we may set them. Raises KeyFileError.
    """
    load_keys(path)  # what cannot be read is not written anew
    key = Key.generate()
    try:
        real = path.resolve()
        before = real.stat()
        text = real.read_bytes()
        made = f"# {datetime.now(UTC):%Y-%m-%d}\n{_entry(key)}".encode()
        start = text.find(b"sluicegate-key-1")
        durable.write(real, io.BytesIO(text[:start] + made + text[start:]))
        with suppress(OSError):
            os.chown(real, before.st_uid, before.st_gid)
        real.chmod(stat.S_IMODE(before.st_mode))
    except OSError as error:
        raise KeyFileError(f"key file {path} cannot be written: {error.strerror}") from error
    return key


def _entry(key: Key) -> str:
    return f"sluicegate-key-1 {key.id} {key.secret.hex()}\n"
