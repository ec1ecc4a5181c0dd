"""How a segment becomes an object: its key, its content (sealed or not), its metadata and its encryption context."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from exporters.committed import open_committed
from exporters.keys import AnyKey, KmsKey, load_keys
from exporters.options import OtlpFormat
from exporters.segment import Segment

if TYPE_CHECKING:
    from exporters.sealing import Sealer

SEALED_SUFFIX = ".enc"


class Packing:
    """Opens segments as the bytes of their objects: sealed with a key of KMS, with the first of a file, or as they are.

    The key file is looked at before each segment, so that a new key in it seals from the next one on. A file that
    cannot be used any more seals nothing: what is sealed with a key that is nowhere would be lost.
    """

    def __init__(self, key_file: Path | None = None, kms_key: str | None = None, *, otlp: OtlpFormat = "proto") -> None:
        """Reads the key file, asks nothing of KMS yet. Raises SealError."""
        self._otlp = otlp
        self.sealed = bool(key_file or kms_key)
        self._key_file = key_file
        self._known = _state(key_file)
        self._lock = threading.Lock()
        self._sealer: Sealer | None = None
        if key_file:
            self._sealer = _sealer(load_keys(key_file))
        elif kms_key:
            self._sealer = _sealer((KmsKey(kms_key),))

    def key(self, segment: Segment) -> str:
        """The object's key below the store's prefix."""
        return self._stored(segment).name + (SEALED_SUFFIX if self.sealed else "")

    @contextmanager
    def open(self, segment: Segment) -> Iterator[BinaryIO]:
        """The object's content as a stream that cannot seek.

        The call and the stream raise Rejected if the segment's file is not whole, and SealError.
        """
        sealer = self._current()
        stored = self._stored(segment)
        with open_committed(segment) as committed:
            plain = committed if stored is segment else _as_json(committed)
            yield sealer.seal(plain, context(stored)) if sealer else plain

    def _stored(self, segment: Segment) -> Segment:
        """The segment as its object is to be."""
        if segment.format == "otlp" and self._otlp == "json":
            return replace(segment, format="otlp_json")
        return segment

    def _current(self) -> "Sealer | None":
        with self._lock:
            state = _state(self._key_file)
            if self._key_file and state != self._known:
                self._sealer = _sealer(load_keys(self._key_file))
                self._known = state
            return self._sealer


def _as_json(committed: BinaryIO) -> BinaryIO:
    from exporters.as_json import AsJson  # protobuf costs memory and time: only where there is some

    return io.BufferedReader(AsJson(committed), 256 << 10)


def _state(path: Path | None) -> tuple[int, ...]:
    """By which a file that was replaced or changed is told; links are followed, as those of mounted secrets change."""
    try:
        found = path.stat() if path else None
    except OSError:
        found = None
    return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size) if found else ()


def _sealer(keys: "tuple[AnyKey, ...]") -> "Sealer":
    from exporters.sealing import Sealer  # costs tens of megabytes: only where something is sealed

    return Sealer(keys)


def context(segment: Segment) -> dict[str, str]:
    """The encryption context: what the object is and where it belongs. Stands in clear in the object, authenticated."""
    return {
        "object": segment.name,
        "segment": segment.id,
        "policy": segment.policy,
        "retention": segment.retention,
        "records": str(segment.records),
    }


def metadata(segment: Segment) -> dict[str, str]:
    """What a store that keeps metadata keeps beside the object. Times in ns since the epoch, UTC."""
    return {
        "segment": segment.id,
        "policy": segment.policy,
        "records": str(segment.records),
        "first-time": str(segment.first_time),
        "last-time": str(segment.last_time),
    }


def default_key_file(store: Path) -> Path:
    """Where a local store's key lies if nothing else is said: beside the store, so that a copy of one is not both."""
    return store.with_name(f"{store.name}.key")
