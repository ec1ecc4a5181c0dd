"""From lines in an envelope to records: blocks at once equal line by line, pieces are joined, times cut by the hour."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.sources.framing import BEGIN, Cut, Run, detect, framer
from collector.sources.framing.cri import Cri
from collector.sources.framing.docker import Docker
from collector.sources.framing.stamp import nanoseconds, utc

CUT = Cut(1 << 20, bytes)
NOW = 1_800_000_000_000_000_000

STAMPS = st.one_of(
    st.builds(
        lambda minute, fraction: f"2026-09-21T10:{minute:02d}:59{fraction}Z",
        st.integers(0, 59),
        st.sampled_from([".000000001", ".123456789", ".12345678", ".1", "", ".999999999"]),
    ),
    st.sampled_from(
        [
            "2026-09-21T11:00:00.000000000Z",
            "2026-09-21T10:00:00.5+02:00",
            "2026-13-21T10:00:00.000000000Z",
            "2026-09-21T24:00:00.000000000Z",
            "2026-09-21T10:60:00.000000000Z",
            "2026-09-21T10:00:61.000000000Z",
            "20260-09-21T10:00:00.00000000Z",
            "2026-09-21T10:00:00.00000000xZ",
            "2026-09-21T10:00:00.Z",
            "nothing",
        ]
    ),
)
CONTENTS = st.sampled_from(
    ["", "x", '{"a":1}', "a b c", " stdout F ", 'é Z stdout F \\ "', "2026-09-21T10:00:00Z stdout F x", "}"]
)
GARBAGE = st.sampled_from(["", "}", "{", '{"log":"a\\n"', '"stream":"stdout","time":"2026-09-21T10:00:00Z"}', "x\r"])


@st.composite
def blocks(draw: st.DrawFn, line: st.SearchStrategy[bytes]) -> bytes:
    return b"".join(draw(st.lists(line, min_size=1, max_size=12)))


@st.composite
def cri_line(draw: st.DrawFn) -> bytes:
    if draw(st.integers(0, 19)) == 0:
        return draw(GARBAGE).encode() + b"\n"
    stream = draw(st.sampled_from(["stdout"] * 12 + ["stderr", "stdwho"]))
    tag = draw(st.sampled_from(["F"] * 12 + ["P", "F:x"]))
    return f"{draw(STAMPS)} {stream} {tag} {draw(CONTENTS)}\n".encode()


@st.composite
def docker_line(draw: st.DrawFn) -> bytes:
    if draw(st.integers(0, 19)) == 0:
        return draw(GARBAGE).encode() + b"\n"
    end = draw(st.sampled_from(["\n"] * 12 + ["", "\n\n"]))
    record: dict[str, Any] = {
        "log": draw(CONTENTS) + end,
        "stream": draw(st.sampled_from(["stdout"] * 12 + ["stderr", "stdwho"])),
        "time": draw(STAMPS),
    }
    extra = draw(st.integers(0, 30))
    if extra == 0:
        record["attrs"] = {"a": "b"}
    if extra == 1:
        record["log"] = 1
    separators = draw(st.sampled_from([(",", ":")] * 12 + [(", ", ": ")]))
    text = json.dumps(record, ensure_ascii=draw(st.booleans()), separators=separators)
    return text.encode() + draw(st.sampled_from([b"\n"] * 12 + [b" \n"]))


def said(runs: list[Run]) -> list[Any]:
    return [
        (run.body, run.records, list(run.heads or ()), run.first_time, run.last_time, run.end, run.state)
        for run in runs
    ]


@pytest.mark.parametrize(("form", "lines"), [(Cri, cri_line()), (Docker, docker_line())])
@given(data=st.data())
def test_a_block_at_once_is_what_its_lines_are(form: Any, lines: Any, data: st.DataObject) -> None:
    block = data.draw(blocks(lines))
    framed = form(read=lambda *_: b"", cut=CUT, now=NOW)
    at_once = framed.whole(block, 7)
    if at_once is not None:
        assert said([at_once]) == said(framed.lines(block, 7, BEGIN))


PIECES = [
    b"\n", b'"', b"\\", b"\\n", b"\\\\n", b"a\\nb", b"\\u000a", b"\\u007f", b"\x7f", b"\x7f\\n", b"\xc3", b"\xa9",
    b"\\ud83d", b"\\ude00", b"\0", b"e", b"Z", b"T", b"0", b" ", b"stdout", b" stderr ", b'"stderr"', b"Z stdout F ",
    b'{"log":"', b'\\n","stream":"stdout","time":"', b'Z"}\n',
    b"2026-09-21T10:07:00.123456789", b"2026-09-21T10:07:00.", b"2026-09-21T10:07:00",
]  # fmt: skip
DAMAGE = st.lists(
    st.tuples(st.integers(0, 1 << 20), st.sampled_from([0, 0, 0, 1, 8, 10, 30, 40]), st.sampled_from([b"", *PIECES])),
    max_size=4,
)


def clean_line(form: Any, second: int, digit: bytes, stream: bytes, content: bytes) -> bytes:
    time = b"2026-09-21T10:00:0%d.12345678%bZ" % (second, digit)
    if form is Cri:
        return b"%b %b F %b\n" % (time, stream, content)
    return b'{"log":"%b\\n","stream":"%b","time":"%b"}\n' % (content, stream, time)


@pytest.mark.parametrize("form", [Cri, Docker])
@given(data=st.data())
def test_a_damaged_block_at_once_is_what_its_lines_are(form: Any, data: st.DataObject) -> None:
    """Bytes taken out of a block that is whole, and such put in as it is made of, anywhere."""
    block = b""
    for second in range(data.draw(st.integers(1, 5))):
        digit = data.draw(st.sampled_from([b"9", b"9", b""]))
        stream = data.draw(st.sampled_from([b"stdout", b"stdout", b"stderr"]))
        content = data.draw(st.sampled_from([b"", b"x", b"a Z stdout F b", b'{\\"a\\":\\"\\\\n\\"}']))
        block += clean_line(form, second, digit, stream, content)
    framed = form(read=lambda *_: b"", cut=CUT, now=NOW)
    assert framed.whole(block, 7) is not None
    for at, size, piece in data.draw(DAMAGE):
        at %= len(block) + 1
        block = block[:at] + piece + block[at + size :]
    block = block.removesuffix(b"\n") + b"\n"
    at_once = framed.whole(block, 7)
    if at_once is not None:
        assert said([at_once]) == said(framed.lines(block, 7, BEGIN))


@pytest.mark.parametrize(
    "line",
    [
        b"2026-09-21T10:00:00.123456789Z stdout F %d x\n",
        b"2026-09-21T10:00:00.12345678Z stderr F %d x\n",
        b'{"log":"%d x\\n","stream":"stdout","time":"2026-09-21T10:00:00.123456789Z"}\n',
        b'{"log":"%d x\\n","stream":"stderr","time":"2026-09-21T10:00:00Z"}\n',
    ],
)
def test_whole_records_are_taken_by_the_block(line: bytes) -> None:
    block = b"".join(line % number for number in range(5000))
    form = Cri if line.startswith(b"2026") else Docker
    framed = form(read=lambda *_: b"", cut=CUT, now=NOW)
    run = framed.whole(block, 0)
    assert run is not None
    assert run.body == b"".join(b"%d x\n" % number for number in range(5000))
    assert said([run]) == said(framed.lines(block, 0, BEGIN))


@pytest.mark.parametrize(
    ("given_", "meant"),
    [
        (b"2026-09-21T10:00:00Z", b"2026-09-21T10:00:00.000000000"),
        (b"2026-09-21T10:00:00.5Z", b"2026-09-21T10:00:00.500000000"),
        (b"2026-09-21T10:00:00.5+02:00", b"2026-09-21T08:00:00.500000000"),
        (b"2026-09-21T23:30:00-02:00", b"2026-09-22T01:30:00.000000000"),
        (b"2026-02-30T10:00:00Z", None),
        (b"2026-09-21 10:00:00Z", None),
        (b"", None),
    ],
)
def test_times(given_: bytes, meant: bytes | None) -> None:
    assert utc(given_) == meant


def test_nanoseconds() -> None:
    assert nanoseconds(b"1970-01-01T00:00:01.000000002") == 1_000_000_002


@pytest.mark.parametrize(
    ("head", "form"),
    [
        (b"2016-10-06T00:17:09.669794202Z stdout F x\n", "cri"),
        (b"torn\n2016-10-06T00:17:09.669794202Z stdout P x\n", "cri"),
        (b'{"log":"x\\n","stream":"stdout","time":"2016-10-06T00:17:09Z"}\n', "docker"),
        (b'{"log":"x"}\n', "plain"),
        (b"x", None),
    ],
)
def test_the_format_is_found_out(head: bytes, form: str | None) -> None:
    assert detect(head) == form


def frame_all(form: Any, block: bytes) -> list[Run]:
    return framer(form, read=lambda start, size: block[start : start + size], cut=CUT, now=NOW).frame(block, 0, BEGIN)


def test_pieces_are_joined_per_stream() -> None:
    block = (
        b"2026-09-21T10:00:00Z stdout P one \n"
        b"2026-09-21T10:00:01Z stderr P two \n"
        b"2026-09-21T10:00:02Z stdout P and \n"
        b"2026-09-21T10:00:03Z stderr F end\n"
        b"2026-09-21T10:00:04Z stdout F end\n"
    )
    (run,) = frame_all("cri", block)
    assert run.body == b"two end\none and end\n"
    assert run.heads == [
        b'{"time":"2026-09-21T10:00:01.000000000Z","stream":"stderr"',
        b'{"time":"2026-09-21T10:00:00.000000000Z","stream":"stdout"',
    ]


def test_a_batch_ends_where_the_hour_does() -> None:
    block = b"".join(b"2026-09-21T%02d:59:59Z stdout F %d\n" % (hour, hour) for hour in (10, 10, 11, 12))
    runs = frame_all("cri", block)
    assert [(run.body, run.first_time == run.last_time) for run in runs] == [
        (b"10\n10\n", True),
        (b"11\n", True),
        (b"12\n", True),
    ]
