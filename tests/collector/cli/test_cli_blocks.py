"""Bytes become bodies of whole records at once, in bounded memory, and nothing is lost or doubled on the way."""

import os
import re
import signal
import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.cli.blocks import BLOCK, Bodies, Stop, arriving, write
from collector.sources.framing.cut import LOOKAHEAD, Cut

LIMIT = 64 << 10
SECRET = re.compile(rb"secret-\d{8}")


def redact(body: bytes) -> bytes:
    return SECRET.sub(b"[gone]", body)


def bodies_of(data: bytes, *splits: int) -> tuple[list[bytes], Bodies]:
    bodies = Bodies(Cut(LIMIT, redact))
    edges = sorted({0, len(data), *(min(split, len(data)) for split in splits)})
    found = [body for a, b in pairwise(edges) for body in bodies.take(data[a:b])]
    return [*found, *bodies.end()], bodies


pieces = st.sampled_from(
    [
        b"line\n",
        b"\n",
        b"no end",
        b"a secret-12345678 b\n",
        b"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n",
        b"-----END RSA PRIVATE KEY-----\n",
        b"x " * LIMIT,
        b"-----BEGIN PRIVATE KEY-----\n" + b"A" * 64 + b"\n",
        (b"B" * 63 + b"\n") * 300,
    ]
)


@given(st.lists(pieces, max_size=8), st.lists(st.integers(0, 600_000), max_size=8))
def test_nothing_is_lost_or_doubled_however_the_bytes_arrive(parts: list[bytes], splits: list[int]) -> None:
    data = b"".join(parts)
    found, bodies = bodies_of(data, *splits)
    assert b"".join(found) == data
    assert bodies.withheld == 0


def test_a_whole_line_goes_on_at_once() -> None:
    bodies = Bodies(Cut(LIMIT, redact))
    assert list(bodies.take(b"one\ntw")) == [b"one\n"]
    assert list(bodies.take(b"o")) == []
    assert list(bodies.take(b"\n")) == [b"two\n"]


def test_an_open_private_key_waits_for_its_end() -> None:
    bodies = Bodies(Cut(LIMIT, redact))
    assert list(bodies.take(b"a\n-----BEGIN PRIVATE KEY-----\nAAAA\n")) == [b"a\n"]
    assert list(bodies.take(b"BBBB\n")) == []
    (key,) = bodies.take(b"-----END PRIVATE KEY-----\n")
    assert key.count(b"\n") == 4


def test_a_key_that_never_ends_is_not_waited_for_for_ever() -> None:
    bodies = Bodies(Cut(LIMIT, redact))
    assert list(bodies.take(b"-----BEGIN PRIVATE KEY-----\n")) == []
    line = b"A" * 64 + b"\n"
    held = [index for index in range(1000) if not list(bodies.take(line))]
    assert len(held) * len(line) <= 17 << 10


@given(st.integers(0, LIMIT * 3), st.lists(st.integers(0, LIMIT * 4), max_size=5))
def test_a_long_line_goes_on_in_pieces_that_hide_nothing(place: int, splits: list[int]) -> None:
    filler = (b"word " * LIMIT)[: LIMIT * 4]
    line = filler[:place] + b" secret-12345678 " + filler[place:] + b"\nnext\n"
    found, _ = bodies_of(line, *splits, *range(0, len(line), 4096))
    assert b"".join(found) == line
    assert b"secret-1" not in b"".join(map(redact, found))
    assert max(map(len, found)) <= LIMIT + LOOKAHEAD + 4096


class Places(Cut):
    """Gives these places, and then none."""

    def __init__(self, *places: int) -> None:
        super().__init__(LIMIT, redact)
        object.__setattr__(self, "_places", iter(places))

    def place(self, line: bytes) -> int:  # noqa: ARG002
        return next(self._places, 0)  # type: ignore[attr-defined,no-any-return]


def test_where_no_cut_is_safe_the_line_is_withheld() -> None:
    bodies = Bodies(Places())
    found = [
        body for data in (b"before\n", b"#" * LIMIT * 2, b"#" * LIMIT, b"##\nafter\n") for body in bodies.take(data)
    ]
    assert found == [b"before\n", b"after\n"]
    assert bodies.withheld == 1


def test_a_line_given_up_halfway_still_ends() -> None:
    bodies = Bodies(Places(LIMIT))
    found = [*bodies.take(b"a" * (LIMIT * 3)), *bodies.take(b"a\nnext\n")]
    assert found == [b"a" * LIMIT, b"\nnext\n"]
    assert bodies.withheld == 1


class TestArriving:
    def test_what_is_there_is_gathered_and_the_end_ends(self) -> None:
        read_end, write_end = os.pipe()
        data = b"x" * 3_000_000
        writer = threading.Thread(target=lambda: (write(write_end, data), os.close(write_end)))
        with Stop() as stop:
            writer.start()
            found = list(arriving(read_end, stop))
        writer.join()
        os.close(read_end)
        assert b"".join(found) == data
        assert max(map(len, found)) <= BLOCK

    def test_a_typed_line_arrives_alone(self) -> None:
        read_end, write_end = os.pipe()
        with Stop() as stop:
            blocks = arriving(read_end, stop)
            for line in (b"one\n", b"two\n"):
                os.write(write_end, line)
                assert next(blocks) == line
            os.close(write_end)
            assert list(blocks) == []
        os.close(read_end)

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_ends_the_waiting(self, number: signal.Signals) -> None:
        read_end, write_end = os.pipe()
        before = signal.getsignal(number)
        with Stop() as stop:
            blocks = arriving(read_end, stop)
            os.write(write_end, b"x")
            assert next(blocks) == b"x"
            threading.Thread(target=os.kill, args=(os.getpid(), number)).start()
            assert list(blocks) == []
            assert stop.signal is number
        assert signal.getsignal(number) is before
        os.close(read_end)
        os.close(write_end)

    def test_a_pipe_that_does_not_block_is_written_whole(self) -> None:
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        data = os.urandom(1_000_000)
        found: list[bytes] = []

        def drain() -> None:
            while chunk := os.read(read_end, 65536):
                found.append(chunk)

        reader = threading.Thread(target=drain)
        reader.start()
        write(write_end, data)
        os.close(write_end)
        reader.join()
        os.close(read_end)
        assert b"".join(found) == data
