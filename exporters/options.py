"""What the options of all exporters have in common."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from exporters.signals import SIGNALS, Signal
from settings import Settings

OtlpFormat: TypeAlias = Literal["proto", "json"]


class DestinationOptions(Settings):
    """Which signals go there."""

    signals: Annotated[tuple[Signal, ...], Field(min_length=1)] = SIGNALS
    """The signals it is sent; others are counted as dropped, `excluded`, on the way to it.
    Default: all of them."""


class StoreOptions(DestinationOptions):
    """What the options of stores have in common."""

    format: OtlpFormat = "proto"
    """How what came by OTLP is stored: `proto`, as the Collector's file exporter has it, or `json`, a request a line,
    for tools that know no protobuf. JSON costs some 17 µs a span in the process that ships, and more space."""
