"""What the tests of the shop look at."""

from dataclasses import dataclass

from examples.shop.planted import Planted


@dataclass(slots=True, frozen=True)
class Visited:
    """What a shop left behind after traffic, and what went in."""

    log: str
    spans: str
    planted: list[Planted]
