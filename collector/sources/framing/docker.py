r"""Docker's json-file: `{"log":"content\n","stream":"stdout","time":"…"}` per line; no `\n` in `log` = a piece."""

import re
from operator import itemgetter

import msgspec
import orjson

from collector.batch import count_lines
from collector.sources.framing.heads import Heads
from collector.sources.framing.joined import Joined, Piece, parts
from collector.sources.framing.run import Run, State
from collector.sources.framing.stamp import SIZE, chunks, nanoseconds, padded, same_hour, utc


class _Record(msgspec.Struct):
    log: str
    stream: str
    time: str


_DECODER = msgspec.json.Decoder(_Record)
_STREAMS = frozenset(("stdout", "stderr"))

_OPEN = b'{"log":"'
_MIDDLE = b'\\n","stream":"stdout","time":"'
_CLOSE = b'Z"}\n'
_BETWEEN = _CLOSE + _MIDDLE  # two times, where tails stand together
_WIDTH = SIZE + len(_BETWEEN)  # of a tail: `_MIDDLE`, a time, `_CLOSE`
_LETTER, _HOUR = _MIDDLE.index(b"out"), len(_MIDDLE) + 10  # where the streams differ; the `T` of a whole time
_LOG, _TAIL = itemgetter(slice(len(_OPEN), -_WIDTH)), itemgetter(slice(-_WIDTH, None))
_NOT_T = re.compile(rb"[^T]")
_SEPARATOR = b"\x7f"  # DEL may stand in a JSON string as it is, but not behind a backslash


class Docker(Joined):
    """Takes a block of whole records in UTC at once, written as Docker writes them; all else line by line."""

    def parse(self, line: bytes) -> Piece | None:
        try:
            record = _DECODER.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        if record.stream not in _STREAMS or not record.time.isascii() or (time := utc(record.time.encode())) is None:
            return None
        content = record.log.encode()
        whole = content.endswith(b"\n")
        return Piece(time, record.stream.encode(), not whole, content[:-1] if whole else content)

    def whole(self, block: bytes, offset: int) -> Run | None:
        """The tails of the lines are brought to one width and checked together, by column."""
        bodies: list[bytes] = []
        tails: list[bytes] = []
        extremes: list[bytes] = []
        for lines in parts(block):
            divided = _divided(lines)
            if divided is None:
                return None
            bodies.append(divided[0])
            tails.append(divided[1])
            extremes += divided[2:]
        joined = b"".join(tails)
        streams = joined[_LETTER::_WIDTH]
        if b"e" in streams:
            joined = joined.replace(b'"stderr"', b'"stdout"')
            extremes = list(chunks(joined, _WIDTH))
        joined = joined[len(_MIDDLE) :] + joined[: len(_MIDDLE)]  # so that times come first
        if not joined.startswith(_BETWEEN, SIZE) or not same_hour(joined, _WIDTH):
            return None
        first, last = (nanoseconds(tail[len(_MIDDLE) :][:SIZE]) for tail in (min(extremes), max(extremes)))
        state = State(time=joined[-_WIDTH : SIZE - _WIDTH].decode())
        heads = Heads(joined, _BETWEEN, streams)
        return Run(b"".join(bodies), len(heads), heads, first, last, offset + len(block), state)


def _divided(lines: list[bytes]) -> tuple[bytes, bytes, bytes, bytes] | None:
    """The logs of all lines, the tails that follow on them, brought to one width, and the least and the greatest tail;
    None if there is a line without.

    The logs are decoded as one string. That is exact: a quote that ends one too early ends the string, and a backslash
    that would take in what follows meets a byte that it must not stand before.
    """
    if not (min(lines).startswith(_OPEN) and max(lines).startswith(_OPEN)):  # and so does all that is between
        return None
    logs, tails = list(map(_LOG, lines)), list(map(_TAIL, lines))
    joined = b"".join(tails)
    if len(joined) != len(lines) * _WIDTH:
        return None
    shorter = [found.start() for found in _NOT_T.finditer(joined[_HOUR::_WIDTH])]
    for index in shorter:  # zeros at the end of a time are left out, in each tenth line
        line = lines[index]
        start = line.rfind(b'"', 0, -len(_CLOSE)) + 1
        stamp, middle = padded(line[start : -len(_CLOSE)]), start - len(_MIDDLE)
        if stamp is None or middle < len(_OPEN):
            return None
        logs[index] = line[len(_OPEN) : middle]
        tails[index] = line[middle:start] + stamp + line[-len(_CLOSE) :]
    if shorter:
        joined = b"".join(tails)
    try:
        text = orjson.loads(b'"' + _SEPARATOR.join(logs) + b'"')
    except ValueError:
        return None
    body: bytes = text.encode().replace(_SEPARATOR, b"\n") + b"\n"
    if "\n" in text or count_lines(body) != len(lines):
        return None
    tails.sort()  # they nearly always are in order, and then this is quicker than `min` and `max`
    return body, joined, tails[0], tails[-1]
