"""The quarantine: records the scrubber could not handle, encrypted, on this node only, for a limited time.

They lie in the ledger, because that makes them durable in the same transaction as the position behind them: after a
crash a record is either there with its position, or neither is and the source reads it again. `seal` makes the rows,
`Spool.append` and `Spool.advance` take them along.

Each record is sealed with AES-256-GCM under a key derived from the key file; its row's other columns are authenticated,
so that rows cannot be swapped. Nothing here ever logs, or puts into a message, what a record holds.

QuarantineError         the key file cannot be used, or a record cannot be opened with it: mend
QuarantineFull          (a SpoolFull) no room: wait, until records expire or a person has looked at them
"""

import os
import secrets
import time
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Protocol, Self, cast

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from collector.batch import Batch, Format, Nanoseconds
from collector.spool import Ledger, SealedRecord, SpoolFull
from exporters.otlp_records import picked
from exporters.requests import NotOtlp
from exporters.signals import Signal

KEY_BYTES = 32
NONCE_BYTES = 12
FORMATS: dict[Format, bytes] = {"lines": b"\x01", "otlp": b"\x02"}
"""The first byte of `sealed`, by what is in it; then come the nonce, ciphertext and tag."""
DAY = 86_400_000_000_000  # ns


class QuarantineError(Exception):
    """The quarantine cannot be used as it is; the message says what to mend, and nothing of the records."""


class QuarantineFull(SpoolFull):
    """There is no room in the quarantine."""


class Unhandled(Protocol):
    """What the scrubber says of a record it could not handle (`scrubbers.Quarantined`)."""

    @property
    def index(self) -> int: ...
    @property
    def reason(self) -> str: ...


@dataclass(slots=True, frozen=True)
class Entry:
    """What may be shown of a record without opening it."""

    id: str  # 32 hex digits
    time: Nanoseconds  # when it was put here
    source: str
    signal: str
    reason: str
    bytes: int  # as stored


@dataclass(slots=True, frozen=True)
class Shown:
    """A record, unscrubbed: a line without its end, or an OTLP request."""

    signal: Signal
    format: Format
    content: bytes


class Quarantine:
    """A node's quarantine; any process of the gate, and the command line, may open it."""

    def __init__(self, ledger: Ledger, key: bytes, *, days: float = 7.0, max_bytes: int = 64 << 20) -> None:
        """`key`: 32 bytes. A record is kept for `days`; `max_bytes` bounds what all of them take."""
        if len(key) != KEY_BYTES:
            raise QuarantineError(f"the key has {len(key)} bytes, not {KEY_BYTES}")
        self._ledger = ledger
        # A key of its own, so that the key file may also serve to seal objects.
        self._aead = AESGCM(HKDF(SHA256(), KEY_BYTES, salt=None, info=b"sluicegate quarantine 1").derive(key))
        self._days = days
        self._max_bytes = max_bytes

    @classmethod
    def open(cls, directory: Path, key_file: Path, *, days: float = 7.0, max_bytes: int = 64 << 20) -> Self:
        """Open the quarantine of the spool in `directory`; makes the key file if there is nothing yet that needs it.

        Raises QuarantineError, SpoolRefused, SpoolError.
        """
        ledger = Ledger.open(directory)
        try:
            if not key_file.exists() and ledger.usage("quarantine"):
                raise QuarantineError(f"{key_file} is missing, and records are in quarantine that only it opens")
            return cls(ledger, load_key(key_file), days=days, max_bytes=max_bytes)
        except BaseException:
            ledger.close()
            raise

    def close(self) -> None:
        self._ledger.close()

    def seal(self, batch: Batch, unhandled: Sequence[Unhandled]) -> list[SealedRecord]:
        """The rows for records of a batch, to be committed by the spool with the batch's positions.

        The same record of the same batch has the same id, so a batch that is read again is not stored twice.
        A row is one line; of an OTLP request, it is a request of all the records with one reason.
        Raises QuarantineFull, SpoolError.
        """
        if not unhandled:
            return []
        now = time.time_ns()
        rows = []
        for reason, indices in by_reason(unhandled).items():
            for index, record in zip(indices, records_of(batch, indices), strict=False):
                entry = (_identity(batch, index), now, batch.origin.source, batch.signal, reason)
                nonce = secrets.token_bytes(NONCE_BYTES)
                sealed = self._aead.encrypt(nonce, record, orjson.dumps(entry))
                rows.append(SealedRecord(*entry, FORMATS[batch.format] + nonce + sealed))
        size = sum(len(row.sealed) for row in rows)
        used = self._ledger.usage("quarantine")
        if used and used + size > self._max_bytes:  # one batch always fits, or it would never go on
            raise QuarantineFull(f"{used} of {self._max_bytes} bytes are used; see `sluicegate quarantine list`")
        return rows

    def list(self, limit: int = 1000) -> list[Entry]:
        """The oldest records, without their contents. Raises SpoolError."""
        rows = self._ledger.read(
            "SELECT id, time, source, signal, reason, length(sealed) FROM quarantine ORDER BY time, id LIMIT ?", limit
        )
        return [Entry(*row) for row in rows]

    def show(self, record: str) -> Shown:
        """The record with this id, as it came. Raises QuarantineError, SpoolError."""
        rows = self._ledger.read("SELECT * FROM quarantine WHERE id = ?", record)
        if not rows:
            raise QuarantineError(f"no record {record} is in quarantine")
        row = SealedRecord(*rows[0])
        nonce, sealed = row.sealed[1 : 1 + NONCE_BYTES], row.sealed[1 + NONCE_BYTES :]
        formats = {mark: name for name, mark in FORMATS.items()}
        try:
            content = self._aead.decrypt(nonce, sealed, orjson.dumps(row[:-1]))
            return Shown(cast("Signal", row.signal), formats[row.sealed[:1]], content)
        except (InvalidTag, ValueError, KeyError) as error:
            raise QuarantineError(f"record {record} is damaged, or was sealed with another key") from error

    def release(self, records: Iterable[str]) -> int:
        """Let records go that somebody has taken or does not want; how many there were. Raises SpoolError."""
        with self._ledger.transaction() as connection:
            return connection.executemany("DELETE FROM quarantine WHERE id = ?", [(id_,) for id_ in records]).rowcount

    def expire(self, now: Nanoseconds) -> int:
        """Remove what has been kept long enough; how many records. Raises SpoolError."""
        with self._ledger.transaction() as connection:
            oldest = now - int(self._days * DAY)
            return connection.execute("DELETE FROM quarantine WHERE time < ?", (oldest,)).rowcount


def by_reason(quarantined: Iterable[Unhandled]) -> dict[str, list[int]]:
    """The numbers of the records, by why they could not be scrubbed."""
    reasons: dict[str, list[int]] = {}
    for found in quarantined:
        reasons.setdefault(found.reason, []).append(found.index)
    return reasons


def records_of(batch: Batch, indices: Sequence[int]) -> list[bytes]:
    """What goes to quarantine of a batch: each record by itself, but of a request one of all these records.

    A request that cannot be taken apart goes whole.
    """
    if batch.format == "lines":
        records = batch.body.split(b"\n")
        return [records[index] for index in indices]
    wanted = frozenset(indices)
    try:
        return [batch.body if len(wanted) == batch.records else part(batch, wanted)]
    except NotOtlp:
        return [batch.body]


def part(batch: Batch, wanted: Container[int]) -> bytes:
    """A request of these records of a batch alone. Raises NotOtlp."""
    return picked(batch.signal, batch.body, lambda index, *_: index in wanted)


def load_key(path: Path) -> bytes:
    """The key in a file of 32 bytes; made, readable by its owner alone, if there is none. Raises QuarantineError."""
    try:
        if not path.exists():
            _make_key(path)
        mode = path.stat().st_mode
        if mode & 0o007:
            raise QuarantineError(f"{path} is open to every user of this machine; `chmod 600` it")
        return path.read_bytes()
    except OSError as error:
        raise QuarantineError(f"{path}: {error.strerror}") from error


def _make_key(path: Path) -> None:
    """Make a key file in one step: who looks sees all of it or nothing, and the first of two makers wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(fd, secrets.token_bytes(KEY_BYTES))
        os.fsync(fd)
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        os.close(fd)
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _identity(batch: Batch, index: int) -> str:
    """32 hex digits: of where the record was read; of chance where the source has no positions."""
    if not batch.positions:
        return secrets.token_hex(16)
    place = [(p.source, p.key, p.epoch, p.value.hex()) for p in batch.positions]
    return blake2b(orjson.dumps([place, index]), digest_size=16).hexdigest()
