"""The stored form of a log record: one JSON line in the words of the OpenTelemetry log data model.

    {"time":…,"stream":…,"resource":{…},"body":<the JSON record verbatim, or the text as a JSON string>}

Text that is not UTF-8 is stored as `"body_base64":"…"` instead. JSON is what the grammar of RFC 8259 allows: numbers
keep their spelling whatever their size. JSON nested deeper than common readers go is stored as text: nothing is lost.

Work is done per block: one of JSON lines alone is checked by one call, and one of text alone, which is told by the ends
of its lines, is turned into JSON strings by one call. Only a block of both is looked at line by line.
"""

import re
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO
from itertools import compress, product
from operator import itemgetter
from typing import TypeAlias

import msgspec
import orjson

from collector.batch import Batch, Nanoseconds, count_lines

MAX_DEPTH = 512  # orjson reads 1024 levels, and the stored line adds its own
_PART = 64 << 10  # bytes
_DEL, _SEPARATOR = b"\x7f", "\x7f"  # what orjson leaves as it is, and text hardly ever holds
_SPACE = b" \t\r"  # what JSON allows around a value, within a line
_ENDS = {b"{": b"}", b"[": b"]", b'"': b'"'}
_DIGITS = b"0123456789"
_OPEN, _CLOSE = b'{["tfn', b'}]"eel'
_MAY_BE_JSON = frozenset(
    [
        *zip(_OPEN, _CLOSE, strict=True),
        *product(b"-" + _DIGITS, _DIGITS),
        *product(_OPEN + b"-" + _DIGITS, _SPACE),
        *product(_SPACE, range(256)),
    ]
).__contains__  # first and last byte of a line
_FIRST, _FIRST_AND_LAST, _WITHOUT_END = itemgetter(slice(1)), itemgetter(0, -2), itemgetter(slice(-1))
_IS_OBJECT = bytes(byte == ord("{") for byte in range(256))
_IS_NO_OBJECT = bytes(byte != ord("{") for byte in range(256))
_NO_NUMBER = re.compile(rb"[-0-9][0-9.eE+-]*+[ \t\r]*+[^\n]").match  # but a time, as many logs begin with one


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
        return _with_text(batch.heads, constant, middle, body)
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


def _with_text(heads: Sequence[bytes] | None, constant: bytes, middle: bytes, body: bytes) -> bytes:
    """The same for a body of which some line is not JSON, or is JSON with white space around it.

    By parts, so that what is made on the way stays in the cache.
    """
    openings = None if heads is None else list(heads)
    file, done, at = BytesIO(body), [], 0
    while lines := file.readlines(_PART):  # a `split` takes four times as long
        own = None if openings is None else openings[at : at + len(lines)]
        done.append(_part(own, constant, middle, lines))
        at += len(lines)
    return b"".join(done)


def _part(heads: Sequence[bytes] | None, constant: bytes, middle: bytes, lines: list[bytes]) -> bytes:
    text = _not_json(lines)
    strings = _as_one_string(b"".join(lines)) if len(text) == len(lines) else None
    if strings is None:
        return _line_by_line(heads or [constant] * len(lines), middle, list(map(_WITHOUT_END, lines)), text)
    middle += b',"body":'
    if heads is None:
        opening = constant + middle
        return opening + strings.replace(_DEL, b'"}\n' + opening + b'"') + b"}\n"
    parts: list[bytes] = [b""] * (2 * len(lines))
    parts[0::2] = heads
    parts[1::2] = BytesIO(middle + strings.replace(_DEL, b'"}\n' + middle + b'"') + b"}\n").readlines()
    return b"".join(parts)


def _line_by_line(heads: Sequence[bytes], middle: bytes, lines: list[bytes], text: Sequence[int]) -> bytes:
    middles = [middle + b',"body":'] * len(lines)
    for index, string in zip(text, _as_strings([lines[index] for index in text]), strict=True):
        if string is None:
            middles[index] = middle + b',"body_base64":'
            lines[index] = b'"' + b64encode(lines[index]) + b'"'
        else:
            lines[index] = string
    return _interleave(heads, middles, lines)


def _not_json(lines: Sequence[bytes]) -> Sequence[int]:
    """The indices of the lines that are not JSON. The lines have their ends."""
    firsts = b"".join(map(_FIRST, lines))
    objects = list(compress(lines, firsts.translate(_IS_OBJECT)))
    rest: Sequence[int] = range(len(lines))
    if objects and _json_values(b"".join(objects), len(objects)) is not None:
        rest = list(compress(rest, firsts.translate(_IS_NO_OBJECT)))
    json = {index for index in _candidates(lines, rest) if _is_json(lines[index][:-1])}
    return [index for index in rest if index not in json] if json else rest


def _candidates(lines: Sequence[bytes], indices: Sequence[int]) -> list[int]:
    """Those of the lines that may be JSON, by their ends; no other line is."""
    chosen = [lines[index] for index in indices]
    if min(map(len, chosen), default=0) < 2:
        chosen = [line if len(line) > 1 else b"x\n" for line in chosen]  # an empty line is text, too
    found = compress(indices, map(_MAY_BE_JSON, map(_FIRST_AND_LAST, chosen)))
    return [index for index in found if not _NO_NUMBER(lines[index])]


def _as_one_string(body: bytes) -> bytes | None:
    """All lines as JSON strings, with DEL between them instead of quotes and commas; None where that cannot be."""
    if _DEL in body:
        return None
    try:
        return orjson.dumps(body[:-1].decode().replace("\n", _SEPARATOR))
    except UnicodeDecodeError:
        return None


def _as_strings(lines: Sequence[bytes]) -> Sequence[bytes | None]:
    """Each line as a JSON string; None where it is not UTF-8. One call encodes them all where it can."""
    if not lines:
        return []
    strings = _as_one_string(b"\n".join(lines) + b"\n")
    if strings is None:
        return [_as_string(line) for line in lines]
    return strings.replace(_DEL, b'"' + _DEL + b'"').split(_DEL)


def _as_string(line: bytes) -> bytes | None:
    try:
        return orjson.dumps(line.decode())
    except UnicodeDecodeError:
        return None


def _interleave(heads: Sequence[bytes], middles: Sequence[bytes], bodies: Sequence[Value]) -> bytes:
    parts: list[Value] = [b"}\n"] * (4 * len(bodies))
    parts[0::4] = heads
    parts[1::4] = middles
    parts[2::4] = bodies
    return b"".join(parts)
