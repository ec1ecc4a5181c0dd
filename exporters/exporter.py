"""What every exporter is, and how it fails.

ExportError
├── Retryable   the destination may take it later (down, slow, refused credentials, no such bucket): kept and retried
└── Rejected    the destination will never take this as it is: set aside, counted, never dropped silently
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from exporters.chunk import ChunkHeader
from exporters.segment import Segment

Chunk: TypeAlias = tuple[ChunkHeader, bytes]  # as `read_chunks` yields it: the frame is still compressed


class ExportError(Exception):
    """Something did not arrive. The message names the destination and the reason, never record contents."""


class Retryable(ExportError):
    """Try again later. `after` is the wait the destination asked for, in seconds."""

    def __init__(self, message: str, *, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class Rejected(ExportError):
    """Trying again will not help."""


class Destination(Protocol):
    """What all exporters have in common. Calls block; the shipper runs them in a thread."""

    name: str

    def check(self) -> None:
        """Look at start whether the destination can be written to; raises ExportError with what to mend."""

    def close(self) -> None: ...


class Exporter(Destination, Protocol):
    """Sends sealed segments, each as a whole; several at once."""

    def export(self, segment: Segment) -> int:
        """Send one segment and return the bytes written once it is durable there; sending twice leaves one object."""


@dataclass(slots=True, frozen=True)
class Accepted:
    """What a destination said to chunks that it took."""

    bytes: int  # sent, compressed
    requests: int
    refused: int = 0  # records that it did not want and will not take later, by its own count


@runtime_checkable
class StreamExporter(Destination, Protocol):
    """Sends chunks as soon as they are committed, in order: what was sent and not confirmed is sent again."""

    group_bytes: int
    """Stored records, decompressed, that are sent at once; one chunk may be more."""

    def send(self, chunks: Sequence[Chunk]) -> Accepted:
        """Send chunks of one segment and return once all of them are there. Raises Retryable, Rejected."""
