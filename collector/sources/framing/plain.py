"""Plain files: a line is a record, and a block of lines is a body as it stands."""

from collector.batch import Nanoseconds, count_lines
from collector.sources.framing.run import Run, State


class Plain:
    """No work per line. Times are when the block was read."""

    def __init__(self, now: Nanoseconds) -> None:
        self._now = now

    def frame(self, block: bytes, offset: int, state: State) -> list[Run]:
        if not block:
            return []
        return [Run(block, count_lines(block), None, self._now, self._now, offset + len(block), state)]

    def flush(self, offset: int, state: State) -> list[Run]:  # noqa: ARG002 (nothing is ever pending)
        return []
