"""How a segment becomes an object: its key, its content (sealed or not), its metadata and its encryption context."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from exporters.committed import open_committed
from exporters.segment import Segment

if TYPE_CHECKING:
    from exporters.keys import Key
    from exporters.sealing import Sealer

SEALED_SUFFIX = ".enc"


class Packing:
    """Opens segments as the bytes of their objects: sealed with the first of `keys`, or as they are without keys."""

    def __init__(self, keys: "tuple[Key, ...]" = ()) -> None:
        self._sealer = _sealer(keys) if keys else None

    def key(self, segment: Segment) -> str:
        """The object's key below the store's prefix."""
        return segment.name + (SEALED_SUFFIX if self._sealer else "")

    @contextmanager
    def open(self, segment: Segment) -> Iterator[BinaryIO]:
        """The object's content as a stream that cannot seek. Raises Rejected if the segment's file is not whole."""
        with open_committed(segment) as plain:
            yield self._sealer.seal(plain, context(segment)) if self._sealer else plain


def _sealer(keys: "tuple[Key, ...]") -> "Sealer":
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
