"""The signals that are taken in, stored and passed on."""

from typing import Literal, TypeAlias

Signal: TypeAlias = Literal["logs", "traces", "metrics"]

SIGNALS: tuple[Signal, ...] = ("logs", "traces", "metrics")
