"""CRI logs: `2016-10-06T00:17:09.669794202Z stdout F content` per line, P for a piece whose rest follows."""

import re
from operator import itemgetter

from collector.sources.framing.heads import Heads
from collector.sources.framing.joined import Joined, Piece, parts
from collector.sources.framing.run import Run, State
from collector.sources.framing.stamp import SIZE, nanoseconds, padded, same_hour, utc

_LINE = re.compile(rb"([^ ]{1,64}) (stdout|stderr) ([PF])(?::[^ ]*)? (.*)", re.DOTALL)

_AFTER = b"Z stdout F "
_TAIL = len(_AFTER)
_WIDTH = SIZE + _TAIL
_LETTER = SIZE + _AFTER.index(b"out")  # where the streams differ
_PREFIX, _CONTENT = itemgetter(slice(_WIDTH)), itemgetter(slice(_WIDTH, None))
_NOT_Z = re.compile(rb"[^Z]")


class Cri(Joined):
    """Takes a block of whole records in UTC at once, all else line by line."""

    def parse(self, line: bytes) -> Piece | None:
        match = _LINE.fullmatch(line)
        if match is None:
            return None
        stamp, stream, tag, content = match.groups()
        time = utc(stamp)
        return None if time is None else Piece(time, stream, tag == b"P", content)

    def whole(self, block: bytes, offset: int) -> Run | None:
        """The prefixes of the lines are brought to one width and checked together, by column."""
        prefixes: list[bytes] = []
        contents: list[bytes] = []
        times: list[bytes] = []
        for lines in parts(block):
            divided = _divided(lines)
            if divided is None:
                return None
            prefixes.append(divided[0])
            contents.append(divided[1])
            times += divided[2:]
        joined = b"".join(prefixes)
        streams = joined[_LETTER::_WIDTH]
        if b"e" in streams:
            joined = joined.replace(b" stderr ", b" stdout ")
        if joined[SIZE:_WIDTH] != _AFTER or not same_hour(joined, _WIDTH):
            return None
        first, last = nanoseconds(min(times)[:SIZE]), nanoseconds(max(times)[:SIZE])
        state = State(time=joined[-_WIDTH : SIZE - _WIDTH].decode())
        heads = Heads(joined, _AFTER, streams)
        return Run(b"".join(contents), len(heads), heads, first, last, offset + len(block), state)


def _divided(lines: list[bytes]) -> tuple[bytes, bytes, bytes, bytes] | None:
    """The prefixes of all lines, brought to one width, their contents, and the least and the greatest prefix; None if
    there is a line without."""
    prefixes, contents = list(map(_PREFIX, lines)), list(map(_CONTENT, lines))
    joined = b"".join(prefixes)
    if len(joined) != len(lines) * _WIDTH:
        return None
    shorter = [found.start() for found in _NOT_Z.finditer(joined[SIZE::_WIDTH])]
    for index in shorter:  # containerd leaves out zeros at the end of a time, in each tenth line
        line = lines[index]
        end = line.find(b"Z", 19, SIZE)
        stamp = padded(line[:end]) if end > 0 else None
        if stamp is None or len(line) <= end + _TAIL:
            return None
        prefixes[index] = stamp + line[end : end + _TAIL]
        contents[index] = line[end + _TAIL :]
    if shorter:
        joined = b"".join(prefixes)
    prefixes.sort()  # they nearly always are in order, and then this is quicker than `min` and `max`
    return joined, b"".join(contents), prefixes[0], prefixes[-1]
