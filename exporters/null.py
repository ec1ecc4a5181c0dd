"""Takes everything and keeps nothing: for benchmarks and dry runs."""

from typing import Literal

from exporters.options import DestinationOptions
from exporters.segment import Segment


class NullOptions(DestinationOptions):
    """Segments are confirmed and thrown away."""

    type: Literal["null"] = "null"
    """The kind of destination."""


class NullStore:
    """Confirms every segment at once."""

    def __init__(self, name: str, options: NullOptions) -> None:
        self.name = name
        self.options = options

    def check(self) -> None:
        """Nothing can be wrong with it."""

    def export(self, segment: Segment) -> int:
        return segment.bytes

    def close(self) -> None:
        """Nothing is open."""
