"""What every source is: it runs, and hands on batches."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from collector.batch import Batch

Emit: TypeAlias = Callable[[Batch], Awaitable[None]]
"""Returns when the pipeline has taken the batch: a source that waits here is how back-pressure reaches the writer.

A batch with `records == 0` carries positions alone; they are committed in order like all others.
"""


@dataclass(slots=True, frozen=True)
class Receipt:
    """What became of a batch that is durable from here on."""

    quarantined: int = 0  # records of it


class Refused(Exception):
    """A batch was not taken and nothing of it is kept: whoever sent it is to try again, after so many seconds.

    `reason` is one of a few words: limit, disk, quarantine, error.
    """

    def __init__(self, reason: str, after: float) -> None:
        super().__init__(f"the spool takes nothing ({reason})")
        self.reason, self.after = reason, after


Submit: TypeAlias = Callable[[Batch], Awaitable[Receipt]]
"""For sources whose senders wait for an answer: returns when the batch is durable, raises Refused when it cannot be
made so now. Cancelled before that, the batch is given up; it may be stored all the same."""

Redact: TypeAlias = Callable[[bytes], bytes]
r"""The scrubber on a body of records, each ended by `\n`: what may be stored of it."""


class Source(Protocol):
    """One way in.

    The pipeline commits the positions of a batch together with its data; a source started with the committed
    positions goes on exactly behind them. To stop a source, cancel its task: it releases what it holds.
    """

    name: str

    async def run(self, emit: Emit) -> None:
        """Hand on batches until there will be no more (stdin's end, `once`) or the task is cancelled."""
