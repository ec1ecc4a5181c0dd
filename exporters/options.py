"""What the options of all exporters have in common."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from settings import Settings

Signal: TypeAlias = Literal["logs", "traces", "metrics"]


class DestinationOptions(Settings):
    """Which signals go there."""

    signals: Annotated[tuple[Signal, ...], Field(min_length=1)] = ("logs", "traces", "metrics")
    """The signals it is sent; others are counted as dropped, `excluded`, on the way to it.
    Default: all of them."""
