"""The signals that rules may be for."""

from typing import Literal, TypeAlias

Signal: TypeAlias = Literal["logs", "traces", "metrics"]
