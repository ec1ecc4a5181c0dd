"""The stored form of a log record: one JSON line in the words of the OpenTelemetry log data model.

    {"time":…,"stream":…,"resource":{…},"body":<the JSON record verbatim, or the text as a JSON string>}

Text that is not UTF-8 is stored as `"body_base64":"…"` instead. JSON is what the grammar of RFC 8259 allows: numbers
keep their spelling whatever their size. JSON nested deeper than common readers go is stored as text: nothing is lost.

Work is done per block. Only a block in which some line is not JSON is looked at line by line, and even then all text
is turned into JSON strings by one call.
"""

from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeAlias

import msgspec
import orjson

from collector.batch import Batch, Nanoseconds, count_lines

MAX_DEPTH = 512  # orjson reads 1024 levels, and the stored line adds its own
_SEPARATOR = "\x7f"  # DEL: what orjson leaves as it is, and text hardly ever holds
_SPACE = b" \t\r"  # what JSON allows around a value, within a line
_ENDS = {b"{": b"}", b"[": b"]", b'"': b'"'}


def envelope(batch: Batch, body: bytes, *, resource: bytes) -> bytes:
    r"""Make the stored records of `body`: the batch's records as the scrubber has left them, each ended by `\n`.

    `resource` is a JSON object. Raises ValueError if `body` has no final `\n`, or not as many records as `batch.heads`.
    """
    if not body:
        return b""
    if not body.endswith(b"\n"):
        raise ValueError("the last record has no end")
    count = count_lines(body)
    if batch.heads is not None and count != len(batch.heads):
        raise ValueError(f"{count} records, {len(batch.heads)} heads")
    constant = b'{"time":"' + rfc3339(batch.first_time) + b'"'
    middle = b',"resource":' + resource
    values = _json_values(body, count)
    if values is None:
        return _line_by_line(batch.heads or [constant] * count, middle, body)
    middle += b',"body":'
    if batch.heads is None:
        opening = constant + middle
        values[0] = opening + bytes(values[0])
        values[-1] = bytes(values[-1]) + b"}\n"
        return (b"}\n" + opening).join(values)  # one large allocation; `replace` and a join would make three
    return _interleave(batch.heads, [middle] * count, values)


def rfc3339(time: Nanoseconds) -> bytes:
    """A time as text, to the nanosecond."""
    seconds, fraction = divmod(time, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z".encode()


Value: TypeAlias = bytes | msgspec.Raw  # Raw: a part of the body, not copied

_decoder = msgspec.json.Decoder(msgspec.Raw)


def _json_values(body: bytes, count: int) -> list[Value] | None:
    r"""The `count` lines, if each is exactly one JSON value; None also where white space surrounds one.

    `decode_lines` splits at values, not at lines. That the values, joined by `\n`, are the body leaves nothing but one
    `\n` between any two of them; that they are as many as there are `\n` leaves none inside of one.
    """
    try:
        values: list[Value] = list(_decoder.decode_lines(body))
    except (msgspec.DecodeError, RecursionError):
        return None
    joined = b"\n".join(values)
    exact = (
        len(values) == count
        and len(joined) == len(body) - 1
        and body.startswith(joined)
        and _is_utf8(body)
        and not (max(map(len, values)) > 2 * MAX_DEPTH and any(map(_may_be_deep, map(bytes, values))))
    )
    return values if exact else None


def _is_json(line: bytes) -> bool:
    """Whether a line is exactly one JSON value, white space around it allowed."""
    if not _looks_like_json(line.strip(_SPACE)):
        return False
    try:
        _decoder.decode(line)
        if _may_be_deep(line):
            orjson.loads(b'{"body":' + line + b"}")
    except (msgspec.DecodeError, RecursionError, orjson.JSONDecodeError):
        return False
    return _is_utf8(line)


def _looks_like_json(value: bytes) -> bool:
    """False for nearly all text, at a tenth of what it costs to have it refused by a parser."""
    first = value[:1]
    if first in _ENDS:
        return value[-1:] == _ENDS[first]
    return (
        not value.strip(b"0123456789+-.eE")
        if first.isdigit() or first == b"-"
        else value in (b"true", b"false", b"null")
    )


def _may_be_deep(line: bytes) -> bool:
    return len(line) > 2 * MAX_DEPTH and line.count(b"[") + line.count(b"{") > MAX_DEPTH


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _line_by_line(heads: Sequence[bytes], middle: bytes, body: bytes) -> bytes:
    """The same for a body of which some line is not JSON, or is JSON with white space around it."""
    lines = _split(body)
    middles = [middle + b',"body":'] * len(lines)
    text = _not_json(lines)
    for index, string in zip(text, _as_strings([lines[index] for index in text]), strict=True):
        if string is None:
            middles[index] = middle + b',"body_base64":'
            lines[index] = b'"' + b64encode(lines[index]) + b'"'
        else:
            lines[index] = string
    return _interleave(heads, middles, lines)


def _not_json(lines: Sequence[bytes]) -> list[int]:
    """The indices of the lines that are not JSON."""
    objects = [line for line in lines if line[:1] == b"{"]
    if objects and _json_values(b"\n".join(objects) + b"\n", len(objects)) is not None:
        return [index for index, line in enumerate(lines) if line[:1] != b"{" and not _is_json(line)]
    return [index for index, line in enumerate(lines) if not _is_json(line)]


def _as_strings(lines: Sequence[bytes]) -> Sequence[bytes | None]:
    """Each line as a JSON string; None where it is not UTF-8. One call encodes them all where it can."""
    try:
        text = b"\n".join(lines).decode()
    except UnicodeDecodeError:
        return [_as_string(line) for line in lines]
    if _SEPARATOR in text:
        return [_as_string(line) for line in lines]
    strings = orjson.dumps(text.replace("\n", _SEPARATOR))
    separator = _SEPARATOR.encode()
    return strings.replace(separator, b'"' + separator + b'"').split(separator) if lines else []


def _as_string(line: bytes) -> bytes | None:
    try:
        return orjson.dumps(line.decode())
    except UnicodeDecodeError:
        return None


def _split(body: bytes) -> list[bytes]:
    lines = body.split(b"\n")
    lines.pop()
    return lines


def _interleave(heads: Sequence[bytes], middles: Sequence[bytes], bodies: Sequence[Value]) -> bytes:
    parts: list[Value] = [b"}\n"] * (4 * len(bodies))
    parts[0::4] = heads
    parts[1::4] = middles
    parts[2::4] = bodies
    return b"".join(parts)
