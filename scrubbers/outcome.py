"""What scrubbing gives."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class Quarantined:
    """A record that was taken out: its index in the block that came in, and why."""

    index: int
    reason: str


@dataclass(slots=True, frozen=True)
class Scrubbed:
    """What a block became. `findings` counts by (rule, action), the action `observe` if nothing was done; `deep` counts
    records of the reference path.
    """

    body: bytes
    findings: Mapping[tuple[str, str], int]
    quarantined: tuple[Quarantined, ...] = ()
    deep: int = 0
