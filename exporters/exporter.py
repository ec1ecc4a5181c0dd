"""What every exporter is, and how it fails.

ExportError
├── Retryable   the destination may take it later (down, slow, refused credentials, no such bucket): kept and retried
└── Rejected    the destination will never take this segment as it is: set aside, counted, never dropped silently
"""

from typing import Protocol

from exporters.segment import Segment


class ExportError(Exception):
    """A segment did not arrive. The message names the destination and the reason, never record contents."""


class Retryable(ExportError):
    """Try again later. `after` is the wait the destination asked for, in seconds."""

    def __init__(self, message: str, *, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class Rejected(ExportError):
    """Trying again will not help."""


class Exporter(Protocol):
    """Sends sealed segments to one destination. Calls block; the shipper runs them in a thread."""

    name: str

    def check(self) -> None:
        """Look at start whether the destination can be written to; raises ExportError with what to mend."""

    def export(self, segment: Segment) -> int:
        """Send one segment and return the bytes written once it is durable there; sending twice leaves one object."""

    def close(self) -> None: ...
