"""CRI logs: `2016-10-06T00:17:09.669794202Z stdout F content` per line, P for a piece whose rest follows."""

import re

from collector.sources.framing.joined import Joined, Piece
from collector.sources.framing.run import Run, State
from collector.sources.framing.stamp import HOUR, UTC_STAMP, nanoseconds, utc

_WHOLE = re.compile(rb"(?m)^(" + UTC_STAMP + rb")Z (stdout|stderr) F (.*)\n")
_LINE = re.compile(rb"([^ ]{1,64}) (stdout|stderr) ([PF])(?::[^ ]*)? (.*)", re.DOTALL)

_HEAD = {stream: b'Z","stream":"' + stream + b'"' for stream in (b"stdout", b"stderr")}


class Cri(Joined):
    """Takes a block of whole records in UTC at once (0.6 GB/s), all else line by line."""

    def parse(self, line: bytes) -> Piece | None:
        match = _LINE.fullmatch(line)
        if match is None:
            return None
        stamp, stream, tag, content = match.groups()
        time = utc(stamp)
        return None if time is None else Piece(time, stream, tag == b"P", content)

    def whole(self, block: bytes, offset: int) -> Run | None:
        r"""Exact, because `^` binds a match to a line's start and `\n` to its end: as many matches as lines means
        that every line is one match, and each match is what `parse` accepts."""
        found = _WHOLE.findall(block)
        if len(found) != block.count(b"\n") or not found:
            return None
        stamps, streams, contents = zip(*found, strict=True)
        first, last = min(stamps), max(stamps)
        try:
            first_time, last_time = nanoseconds(first), nanoseconds(last)
        except ValueError:
            return None
        if first_time // HOUR != last_time // HOUR:
            return None
        if len(set(streams)) == 1:
            head = _HEAD[streams[0]]
            heads = (b'{"time":"' + (head + b'\n{"time":"').join(stamps) + head).split(b"\n")
        else:
            heads = [b'{"time":"%b%b' % (stamp, _HEAD[stream]) for stamp, stream in zip(stamps, streams, strict=True)]
        body = b"\n".join((*contents, b""))
        state = State(time=stamps[-1].decode())
        return Run(body, len(found), heads, first_time, last_time, offset + len(block), state)
