"""Before and after, for the eye: changed records alone, the changed part of each in colour."""

import re

from rich.text import Text

from collector.cli.terminal import Console

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Diff:
    """Writes to stdout; colour goes by the terminal, NO_COLOR and FORCE_COLOR."""

    def __init__(self) -> None:
        self._console = Console()
        self._line = 0

    def show(self, body: bytes, scrubbed: bytes, withheld: frozenset[int]) -> None:
        """Records of both in order; those at `withheld` are missing in `scrubbed`."""
        if body is not scrubbed:
            self._changes(body, scrubbed, withheld)
        self._line += body.count(b"\n")

    def _changes(self, body: bytes, scrubbed: bytes, withheld: frozenset[int]) -> None:
        after = iter(scrubbed.removesuffix(b"\n").split(b"\n"))
        for index, old in enumerate(body.removesuffix(b"\n").split(b"\n")):
            new = None if index in withheld else next(after, b"")
            if new != old:
                self._pair(self._line + index + 1, old, new)
        self._console.file.flush()

    def _pair(self, number: int, old: bytes, new: bytes | None) -> None:
        before = printable(old)
        if new is None:
            self._print(f"- {number}: ", before, 0, len(before), "red")
            self._console.print(f"  {number}: withheld", style="yellow")
            return
        after = printable(new)
        start = common(before, after)
        end = common(before[start:][::-1], after[start:][::-1])
        self._print(f"- {number}: ", before, start, len(before) - end, "red")
        self._print(f"+ {number}: ", after, start, len(after) - end, "green")

    def _print(self, opening: str, line: str, start: int, end: int, colour: str) -> None:
        text = Text(opening, style=colour)
        text.append(line[:start], style="dim").append(line[start:end], style=f"bold {colour}")
        self._console.print(text.append(line[end:], style="dim"))


def common(one: str, other: str) -> int:
    """The length of what both start with."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def printable(line: bytes) -> str:
    """A record must not be able to steer the terminal."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", line.decode(errors="backslashreplace"))
