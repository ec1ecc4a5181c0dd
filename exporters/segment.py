"""A sealed segment: the spool's unit, and one object in a store."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

OBJECT_KEY = re.compile(
    r"(?:^|/)(?P<name>(?P<retention>[^/]+)/(?P<signal>[^/]+)/dt=(?P<date>[^/]+)/hr=(?P<hour>[^/]+)/"
    r"[^/]+-(?P<segment>[0-9a-f]{32})\.(?:ndjson|otlp|otlp\.ndjson)\.zst)(?P<sealed>\.enc)?$"
)
"""The keys of our objects, with whatever prefix: `Segment.name`, and the suffix of its encryption."""


def born(segment: str) -> float:
    """When a segment was opened, in seconds since the epoch, by the clock of its node: its id tells."""
    return int(segment[:16], 16) / 1e9


@dataclass(slots=True, frozen=True)
class Segment:
    """A run of chunks (see `chunk.py`) that becomes one object; it has its identity from birth.

    Its object key follows from its fields alone, so that a retry overwrites the same object.
    """

    id: str  # 32 hex digits, sortable by birth
    path: Path
    node: str
    signal: str
    format: str  # lines | otlp; in stores also otlp_json
    retention: str  # the name of a retention class
    bytes: int  # committed length of the file
    records: int
    first_time: int  # ns since the epoch, UTC; all chunks of a segment lie in one hour
    last_time: int
    policy: str  # fingerprint of the scrubbing policy

    @property
    def name(self) -> str:
        """The object key below the store's prefix and without the suffix of its encryption.

        `{retention}/{signal}/dt=YYYY-MM-DD/hr=HH/{node}-{id}.ndjson.zst`: Hive partitions by the records' own time.
        """
        hour = datetime.fromtimestamp(self.first_time // 1_000_000_000, UTC)
        kind = {"lines": "ndjson", "otlp": "otlp", "otlp_json": "otlp.ndjson"}[self.format]
        return f"{self.retention}/{self.signal}/dt={hour:%Y-%m-%d}/hr={hour:%H}/{self.node}-{self.id}.{kind}.zst"
