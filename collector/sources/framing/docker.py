r"""Docker's json-file: `{"log":"content\n","stream":"stdout","time":"…"}` per line; no `\n` in `log` = a piece."""

import re

import msgspec

from collector.sources.framing.joined import Joined, Piece
from collector.sources.framing.run import Run, State
from collector.sources.framing.stamp import HOUR, UTC_STAMP, nanoseconds, utc


class _Record(msgspec.Struct):
    log: str
    stream: str
    time: str


_DECODER = msgspec.json.Decoder(_Record)
_STAMPS = re.compile(rb"(?:" + UTC_STAMP + rb"Z\n)*")
_STREAMS = frozenset(("stdout", "stderr"))


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
        r"""Exact, because a line break inside valid JSON stands between `}` and `{` only where one document ends and
        the next begins: with that between all lines, and as many documents as lines, each line is one document."""
        lines = block.count(b"\n")
        if block.count(b"}\n{") != lines - 1 or not block.startswith(b"{") or not block.endswith(b"}\n"):
            return None
        try:
            records = _DECODER.decode_lines(block)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        logs = [record.log for record in records]
        body = "".join(logs).encode()
        if len(records) != lines or body.count(b"\n") != lines or {log[-1:] for log in logs} != {"\n"}:
            return None
        zoned = "".join([record.time + "\n" for record in records])
        if not {record.stream for record in records} <= _STREAMS or not zoned.isascii():
            return None
        if _STAMPS.fullmatch(zoned.encode()) is None:
            return None
        stamps = zoned.encode()[:-2].split(b"Z\n")
        try:
            first_time, last_time = nanoseconds(min(stamps)), nanoseconds(max(stamps))
        except ValueError:
            return None
        if len(stamps) != lines or first_time // HOUR != last_time // HOUR:
            return None
        heads = [f'{{"time":"{record.time}","stream":"{record.stream}"'.encode() for record in records]
        state = State(time=stamps[-1].decode())
        return Run(body, lines, heads, first_time, last_time, offset + len(block), state)
