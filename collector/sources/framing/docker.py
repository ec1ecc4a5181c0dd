r"""Docker's json-file: `{"log":"content\n","stream":"stdout","time":"…"}` per line; no `\n` in `log` = a piece."""

from collections.abc import Sequence
from operator import itemgetter

import msgspec
import orjson

from collector.batch import count_lines
from collector.sources.framing.heads import Heads
from collector.sources.framing.joined import Joined, Piece, parts
from collector.sources.framing.run import Run, State
from collector.sources.framing.stamp import SIZE, full, nanoseconds, same_hour, utc


class _Record(msgspec.Struct):
    log: str
    stream: str
    time: str


_DECODER = msgspec.json.Decoder(_Record)
_STREAMS = frozenset(("stdout", "stderr"))
_MEMBERS = itemgetter("log", "stream", "time")
_LAST, _BEFORE_LAST = itemgetter(-1), itemgetter(-2)


class Docker(Joined):
    """Takes a block of whole records in UTC at once, all else line by line."""

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
        bodies: list[bytes] = []
        times: list[str] = []
        streams: list[str] = []
        for lines in parts(block):
            divided = _divided(lines)
            if divided is None:
                return None
            bodies.append(divided[0])
            times += divided[1]
            streams += divided[2]
        joined = "".join(times).encode()
        if joined[SIZE : SIZE + 1] != b"Z" or not same_hour(joined, SIZE + 1):
            return None
        used = set(streams)
        if not used <= _STREAMS:
            return None
        heads: Sequence[bytes]
        if len(used) == 1:
            heads = Heads(joined, b"Z", streams[0].encode())
        else:
            pairs = zip(times, streams, strict=True)
            heads = [f'{{"time":"{time}","stream":"{stream}"'.encode() for time, stream in pairs]
        state = State(time=times[-1][:SIZE])
        times.sort()  # they nearly always are in order, and then this is quicker than `min` and `max`
        first, last = nanoseconds(times[0][:SIZE].encode()), nanoseconds(times[-1][:SIZE].encode())
        return Run(b"".join(bodies), len(times), heads, first, last, offset + len(block), state)


def _divided(lines: list[bytes]) -> tuple[bytes, Sequence[str], Sequence[str]] | None:
    """The logs of all lines, their times with nine digits, and their streams; None if there is a line without.

    Exact: all that is read are flat objects of three strings, so one that went over a line's end would end its first
    line within; with as many objects as lines, each line is one.
    """
    if min(map(len, lines)) < 2 or set(map(_BEFORE_LAST, lines)) != {ord("}")}:
        return None
    logs: Sequence[str]
    times: Sequence[str]
    try:
        records = orjson.loads(b"[" + b",".join(lines) + b"]")
        if len(records) != len(lines) or set(map(len, records)) != {3}:
            return None
        logs, streams, times = zip(*map(_MEMBERS, records), strict=True)
        body = "".join(logs).encode()
        if len("".join(times)) != len(times) * (SIZE + 1):  # zeros at the end are left out, in each tenth
            times = [time if len(time) > SIZE else full(time[:-1].encode()).decode() + time[-1:] for time in times]
        if count_lines(body) != len(lines) or set(map(_LAST, logs)) != {"\n"}:
            return None
    except (ValueError, TypeError, LookupError):
        return None
    return body, times, streams
