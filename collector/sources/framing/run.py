"""A run of records cut out of a block of a file, and the state that framing carries from block to block."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

import msgspec

from collector.batch import Nanoseconds

PEM_LIMIT = 16 << 10
"""A private key of up to this many bytes is never divided between two batches."""

Read: TypeAlias = Callable[[int, int], bytes]
"""(offset, length) → those bytes of the file."""


class Line(StrEnum):
    """Where the offset stands within a line that is longer than `max_line_bytes`."""

    START = "start"  # of a line: nothing of it went out yet
    CUT = "cut"  # pieces of it went out
    DROPPING = "dropping"  # it could not be cut safely; the rest of it is given up


class Partial(msgspec.Struct, frozen=True):
    """A record of which the runtime has written only the front.

    Its pieces stay in the file and are read back when the rest comes, so thousands of them cost no memory:
    `ranges` are (offset, length) of their lines. `skip` bytes of the joined content went out as pieces before.
    """

    stream: str
    time: str
    ranges: tuple[tuple[int, int], ...]
    size: int  # of the joined content behind `skip`
    skip: int = 0
    line: Line = Line.START


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """What framing must know at an offset besides the bytes behind it; committed with the offset."""

    partials: tuple[Partial, ...] = ()
    line: Line = Line.START
    time: str = ""
    """RFC 3339 time of the last line that had one; a line without (garbage) takes it over."""


BEGIN = State()


@dataclass(slots=True, frozen=True)
class Run:
    """Records that travel as one batch; their times lie in one hour, unless that would divide a private key."""

    body: bytes
    records: int
    heads: Sequence[bytes] | None
    first_time: Nanoseconds
    last_time: Nanoseconds
    end: int  # offset in the file behind the last line taken in
    state: State  # at `end`
    lines: Sequence[int] | None = None
    """Per record the offset of the line that completes it; None: record i is line i of the block."""
    pieces: int = 0  # of lines above `max_line_bytes`, among `records`
    dropped: int = 0  # bytes of lines that could not be cut safely
    given_up: int = 0  # and the number of these lines whose end this run decided


class Framer(Protocol):
    """Turns whole lines of one file into runs."""

    def frame(self, block: bytes, offset: int, state: State) -> list[Run]:
        r"""`block` starts at `offset` in the file and ends with `\n`; the last run ends where the block ends.

        Depends on its arguments (and the file's bytes before them) alone.
        """

    def flush(self, offset: int, state: State) -> list[Run]:
        """What is pending at the end of a file that will not grow any more."""


_KEY = re.compile(rb"-----(BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")


def open_key(body: bytes) -> int:
    """Where a private key starts that has no END in `body`, or -1; keys above `PEM_LIMIT` are not waited for."""
    start = -1
    floor = max(0, len(body) - PEM_LIMIT)
    if body.find(b"PRIVATE KEY", floor) < 0:
        return -1
    for marker in _KEY.finditer(body, floor):
        if marker[1] == b"END":
            start = -1
        elif start < 0:
            start = marker.start()
    return start
