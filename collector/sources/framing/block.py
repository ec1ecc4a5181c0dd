"""The next records of a growing run of bytes: whole lines, open keys, lines that are too long, and the end."""

from collections.abc import Callable

from msgspec import structs

from collector.batch import TARGET_BYTES, Nanoseconds
from collector.sources.framing.cut import LOOKAHEAD, Cut
from collector.sources.framing.joined import PARTIAL
from collector.sources.framing.run import Framer, Line, Run, State, open_key
from collector.sources.framing.stamp import text


def block(read: Callable[[int], tuple[bytes, bool]], state: State, cut: Cut) -> tuple[bytes, bool]:
    """As much as is to be framed at once, and whether it reaches to where the input ends for now.

    `read` gives up to that many bytes from where we are, or only the whole lines among them, and whether the input ends
    before. A block is no larger than a line may be, so no whole line in it is too long; only where that does not hold
    a line is more looked at.
    """
    data, ended = read(min(TARGET_BYTES, cut.limit))
    if not ended and (state.line is not Line.START or b"\n" not in data):
        data, ended = read(cut.limit + LOOKAHEAD + 1)
    return data, ended


def frame(
    framer: Framer, data: bytes, offset: int, state: State, cut: Cut, now: Nanoseconds, *, ended: bool, closing: bool
) -> list[Run]:
    """The runs of a block that starts at `offset`; what they leave is to be presented again, with more behind it.

    `ended` is what `block` said; `closing`: nothing will follow, so everything is taken: a line without an end, a key
    without its END, pieces without the rest.
    """
    newline = data.find(b"\n")
    if data and (state.line is not Line.START or newline > cut.limit or (newline < 0 and len(data) > cut.limit)):
        return _long_line(data, newline, offset, state, cut, now, closing=closing)
    if closing:
        runs = framer.frame(data if data.endswith(b"\n") or not data else data + b"\n", offset, state)
        return runs + framer.flush(offset + len(data), runs[-1].state if runs else state)
    lines = data if data.endswith(b"\n") else data[: data.rfind(b"\n") + 1]
    runs = framer.frame(lines, offset, state)
    if not runs or (at := open_key(runs[-1].body)) < 0:
        return runs
    # An open private key waits for its END.
    run = runs[-1]
    index = run.body.count(b"\n", 0, at)
    start = run.lines[index] - offset if run.lines is not None else _line(lines, index)
    if start == 0 and not ended:
        return runs  # a block of pieces behind it: not a key
    return framer.frame(lines[:start], offset, state)


def _line(lines: bytes, index: int) -> int:
    """Where line `index` starts."""
    at = 0
    for _ in range(index):
        at = lines.index(b"\n", at) + 1
    return at


def _long_line(
    data: bytes, newline: int, offset: int, state: State, cut: Cut, now: Nanoseconds, *, closing: bool
) -> list[Run]:
    """The next piece of a line that is longer than the limit, cut as `cut.py` says."""
    line = data[:newline] if newline >= 0 else data
    whole = newline >= 0 or closing
    size = len(line) + (newline >= 0)
    if state.line is Line.DROPPING:
        at = 0
    elif len(line) <= cut.limit:
        if not whole:
            return []
        at = len(line)
    else:
        if not whole and len(line) < cut.limit + LOOKAHEAD:
            return []
        at = cut.place(line)
    if at == 0 and line:
        after = structs.replace(state, line=Line.START if whole else Line.DROPPING)
        given_up = int(state.line is not Line.DROPPING)
        return [Run(b"", 0, None, 0, 0, offset + size, after, dropped=size, given_up=given_up)]
    if at < len(line):
        size, after = at, structs.replace(state, line=Line.CUT)
    else:
        after = structs.replace(state, line=Line.START)
    if not line:  # nothing is left but the line's end
        return [Run(b"", 0, None, 0, 0, offset + size, after)]
    head = b'{"time":"%bZ"%b' % (text(now), PARTIAL)
    return [Run(line[:at] + b"\n", 1, [head], now, now, offset + size, after, pieces=1)]
