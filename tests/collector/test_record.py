"""The stored record: valid JSON always, the body as it came, JSON verbatim wherever it is JSON."""

import json
from base64 import b64decode
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collector.batch import Batch, Origin
from collector.record import MAX_DEPTH, envelope, rfc3339

RESOURCE = b'{"service.name":"shop","source":"files"}'
TIME = 1_795_491_742_000_000_005


def stored(body: bytes, heads: list[bytes] | None = None) -> bytes:
    batch = Batch("logs", "lines", Origin("files"), body, body.count(b"\n"), TIME, TIME, (), heads)
    return envelope(batch, body, resource=RESOURCE)


def head(index: int) -> bytes:
    return b'{"time":"2026-11-24T04:00:00.%09dZ","stream":"stdout"' % index


def refuse(constant: str) -> None:
    raise ValueError(constant)


def is_json(line: bytes) -> bool:
    """The oracle: the standard library's parser, with what it takes too easily refused."""
    try:
        value = json.loads(line.decode(), parse_constant=refuse, parse_int=str, parse_float=str)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError):
        return False
    return True


def check(line: bytes, record: bytes, opening: bytes) -> None:
    """The stored record of one line is valid JSON and gives the line back, byte for byte."""
    opening += b',"resource":' + RESOURCE
    assert record.startswith(opening)
    assert record.endswith(b"}")
    assert is_json(record)
    key, body = record[len(opening) + 1 : -1].split(b":", 1)
    if key == b'"body_base64"':
        assert b64decode(json.loads(body)) == line
        with pytest.raises(UnicodeDecodeError):
            line.decode()
    elif is_json(line):
        assert (key, body) == (b'"body"', line)
    else:
        assert key == b'"body"'
        assert json.loads(body).encode() == line


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=10)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
json_lines = st.builds(
    lambda value, ascii_, spaced: json.dumps(
        value, ensure_ascii=ascii_, separators=(", ", ": ") if spaced else (",", ":")
    ).encode(),
    values,
    st.booleans(),
    st.booleans(),
)
# Pieces that are nearly JSON when put together: whatever fools `decode_lines` is among these.
nearly_json = [b"{", b"}", b"[", b"]", b",", b":", b'"', b'"a"', b"\\", b"1", b"-", b"0", b".", b"e9", b"true", b"NaN"]
times = [b"2026-09-21T10:00:00Z", b"2026-09-21 10:00:00", b"1669852800", b"-1.5E+3", b"tame", b"fine", b"nil"]
odd = [b" ", b"\t", b"\r", b"\x00", b"\x7f", b"\xff", b"\xc3", b"\xc3\xa9", b"\xef\xbb\xbf", b"\\ud83d", b"\\u00e9"]
pieces = st.sampled_from(
    [*nearly_json, *times, *odd, b"1e999", b"{}", b"[]", b"text", b"\xed\xa0\x80", b"\xe2\x80\xa8"]
)
garbage = st.lists(pieces, max_size=8).map(b"".join) | st.binary(max_size=20).map(lambda raw: raw.replace(b"\n", b""))
lines = st.one_of(json_lines, json_lines.map(lambda line: line + b"\r"), garbage, st.text(max_size=20).map(str.encode))
lines = lines.map(lambda line: line.replace(b"\n", b""))
blocks = st.one_of(
    st.lists(json_lines, min_size=1, max_size=8),
    st.lists(garbage, min_size=1, max_size=4),
    st.lists(lines, min_size=1, max_size=8),
)


@given(blocks, st.booleans())
@example([b"1 2", b""], False)  # as many values as lines, but not one each
@example([b"[1", b",2]", b"3 4 5"], False)
@example([b"[1", b"2]"], True)
@example([b"", b"", b""], False)
@example([b'{"a":"\xff"}'], False)
@example([b"a\x7fb", b"c"], False)
@example([b"a", b"", b"b"], True)
@example([b"12 ", b"2026-09-21 5"], True)
@example([b"a", b"\xff"], True)
def test_every_line_becomes_valid_json_and_keeps_its_bytes(block: list[bytes], with_heads: bool) -> None:
    heads = [head(index) for index in range(len(block))] if with_heads else None
    records = stored(b"".join(line + b"\n" for line in block), heads)
    assert records.endswith(b"\n")
    records_ = records[:-1].split(b"\n")
    constant = b'{"time":"' + rfc3339(TIME) + b'"'
    for index, (line, record) in enumerate(zip(block, records_, strict=True)):
        check(line, record, heads[index] if heads else constant)


@given(blocks)
def test_a_line_is_stored_the_same_whatever_stands_beside_it(block: list[bytes]) -> None:
    """The block's fast path and the lines' own path agree."""
    alone = b"".join(stored(line + b"\n") for line in block)
    assert stored(b"".join(line + b"\n" for line in block)) == alone


@pytest.mark.parametrize("with_heads", [False, True])
@pytest.mark.parametrize(
    "kinds", [[b"text %d"], [b"text %d", b'{"n":%d}'], [b"%d"], [b"a\x7f%d", b"b%d"], [b"%d \xff", b"c%d"]]
)
def test_a_large_body_is_stored_like_its_lines(kinds: list[bytes], with_heads: bool) -> None:
    block = [kinds[number % len(kinds)] % number + b"." * (number % 90) * (len(kinds) > 1) for number in range(5000)]
    heads = [head(number) for number in range(len(block))]
    alone = [stored(line + b"\n", [heads[at]] if with_heads else None) for at, line in enumerate(block)]
    assert stored(b"".join(line + b"\n" for line in block), heads if with_heads else None) == b"".join(alone)


@pytest.mark.parametrize(
    ("line", "body"),
    [
        (b'{"n":1.10,"big":123456789012345678901234567890}', b'{"n":1.10,"big":123456789012345678901234567890}'),
        (b'{"a":1,"a":2}', b'{"a":1,"a":2}'),
        (b'{ "a" : 1 }\r', b'{ "a" : 1 }\r'),
        (b'{"a":1}{"b":2}', b'"{\\"a\\":1}{\\"b\\":2}"'),
        (b'\xef\xbb\xbf{"a":1}', b'"\xef\xbb\xbf{\\"a\\":1}"'),
        (b"plain \x00 text\r", b'"plain \\u0000 text\\r"'),
        (b"", b'""'),
        (b"[INFO] started]", b'"[INFO] started]"'),
        (b"1e999", b"1e999"),
        (b"NaN", b'"NaN"'),
    ],
)
def test_what_is_json_stays_and_what_is_not_becomes_a_string(line: bytes, body: bytes) -> None:
    record = stored(line + b"\n")
    assert record == b'{"time":"2026-11-24T03:42:22.000000005Z","resource":' + RESOURCE + b',"body":' + body + b"}\n"


def test_text_that_is_not_utf8_is_stored_in_base64_and_its_neighbours_are_not() -> None:
    first, second, third = stored(b'ok\n\xff\xfe\n{"a":1}\n').splitlines()
    assert orjson.loads(first)["body"] == "ok"
    assert b64decode(orjson.loads(second)["body_base64"]) == b"\xff\xfe"
    assert "body" not in orjson.loads(second)
    assert orjson.loads(third)["body"] == {"a": 1}


@pytest.mark.parametrize("depth", [100, MAX_DEPTH, 900, 1023, 1024, 1025, 10_000])
@pytest.mark.parametrize("neighbour", [b'{"a":1}', b"text"])
def test_deep_nesting_is_stored_so_that_readers_can_still_read_it(depth: int, neighbour: bytes) -> None:
    line = b"[" * depth + b"]" * depth
    record = stored(neighbour + b"\n" + line + b"\n").splitlines()[1]
    body = orjson.loads(record)["body"]
    assert body == line.decode() or line in record


def test_many_members_are_not_deep() -> None:
    line = orjson.dumps([{"index": index} for index in range(2_000)])
    assert b'"body":' + line + b"}\n" in stored(line + b"\n" + line + b"\n")


@given(st.integers(min_value=0, max_value=(1 << 63) - 1))
def test_times_have_nanoseconds(time: int) -> None:
    text = rfc3339(time).decode()
    moment, fraction = text.removesuffix("Z").split(".")
    assert len(fraction) == 9
    seconds = int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp())
    assert seconds * 1_000_000_000 + int(fraction) == time


def test_nothing_left_by_the_scrubber_is_nothing_stored() -> None:
    assert stored(b"") == b""


def test_a_body_that_breaks_the_contract_is_refused() -> None:
    with pytest.raises(ValueError, match="no end"):
        stored(b"cut")
    with pytest.raises(ValueError, match="2 records, 1 heads"):
        stored(b"one\ntwo\n", [head(0)])
