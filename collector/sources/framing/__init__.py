"""From a file's bytes to records: one module per envelope, and what they share."""

from collector.sources.framing.auto import Format, detect, framer
from collector.sources.framing.block import block, frame
from collector.sources.framing.cut import Cut
from collector.sources.framing.run import BEGIN, Framer, Line, Partial, Read, Run, State

__all__ = [
    "BEGIN",
    "Cut",
    "Format",
    "Framer",
    "Line",
    "Partial",
    "Read",
    "Run",
    "State",
    "block",
    "detect",
    "frame",
    "framer",
]
