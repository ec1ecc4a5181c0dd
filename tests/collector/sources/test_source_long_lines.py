"""Lines above the limit: whole up to it, beyond it cut where no secret is divided, and never more memory than that."""

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from collector import telemetry
from collector.sources.framing import BEGIN, Cut, Line, Run, State, block, frame, framer
from collector.sources.framing.cut import LOOKAHEAD
from scrubbers import Scrubber, load_policy

LIMIT = 4096
NOW = 1_800_000_000_000_000_000

SECRETS = {
    "e-mail": "anna.smith7@mail.example.net",
    "card": "4111111111111111",
    "card in groups": "4111 1111 1111 1111",
    "bearer": "Authorization: Bearer abcdefGHIJKL0123456789mnopqrSTUVWX",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "github": "ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8",
    "key and value": "password=hunter2hunter2",
}
FILLERS = {
    "words": b"the quick brown fox jumps over it, again; ",
    "one token": b"k",
    "no boundary": "é".encode(),
    "digits": b"7 ",
}


@pytest.fixture(scope="module")
def redact() -> Callable[[bytes], bytes]:
    scrubber = Scrubber(load_policy())
    return lambda body: scrubber.scrub(body).body


def pieces(data: bytes, cut: Cut, form: Any = "plain") -> list[Run]:
    """Everything that is made of a closed input, as a source asks for it."""
    runs: list[Run] = []
    state, at = BEGIN, 0
    framed = framer(form, read=lambda start, size: data[start : start + size], cut=cut, now=NOW)

    def read(size: int) -> tuple[bytes, bool]:
        return data[at : at + size], at + size > len(data)

    while at < len(data):
        found, ended = block(read, state, cut)
        new = frame(framed, found, at, state, cut, NOW, ended=ended, closing=ended)
        assert new
        runs += new
        at, state = min(new[-1].end, len(data)), new[-1].state
    assert state == State(time=state.time)
    return runs


def secret_parts(secret: str) -> str:
    return secret.removeprefix("Authorization: Bearer ").removeprefix("password=")


@pytest.mark.parametrize("filler", FILLERS)
@pytest.mark.parametrize("name", SECRETS)
def test_a_cut_hides_nothing(redact: Callable[[bytes], bytes], name: str, filler: str) -> None:
    """The secret at every offset around the limit; what is left of the pieces, put together again, does not hold it."""
    secret, cut = SECRETS[name], Cut(LIMIT, redact)
    planted = f" {secret} ".encode()
    for start in range(LIMIT - len(planted) - 4, LIMIT + 5):
        before = FILLERS[filler] * (start // len(FILLERS[filler]) + 1)
        line = before[:start] + planted + FILLERS[filler] * 300
        runs = pieces(line + b"\n", cut)
        out = b"".join(redact(run.body).removesuffix(b"\n") for run in runs)
        assert secret_parts(secret).encode() not in out
        assert all(len(run.body) <= LIMIT + 1 for run in runs)
        dropped = sum(run.dropped for run in runs)
        assert dropped or b"".join(run.body.removesuffix(b"\n") for run in runs) == line


@pytest.mark.parametrize("name", ["e-mail", "card", "jwt", "key and value"])
def test_a_cut_within_json_hides_nothing(redact: Callable[[bytes], bytes], name: str) -> None:
    cut = Cut(LIMIT, redact)
    secret = secret_parts(SECRETS[name])
    for start in range(LIMIT - len(secret) - 20, LIMIT + 4, 3):
        record = {"pad": "x y" * (start // 3 - 20), "message": "it is", "password": secret, "rest": "z " * 2000}
        line = json.dumps(record).encode()
        out = b"".join(redact(run.body).removesuffix(b"\n") for run in pieces(line + b"\n", cut))
        assert secret.encode() not in out


@pytest.mark.parametrize("form", ["plain", "cri", "docker"])
@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT, LIMIT + 1, 3 * LIMIT, 3 * LIMIT + LOOKAHEAD])
def test_up_to_the_limit_whole_beyond_it_in_partial_records(form: str, size: int) -> None:
    content = (b"word " * (size // 5 + 1))[:size]
    line = {
        "plain": content,
        "cri": b"2026-09-21T10:00:00Z stdout F " + content,
        "docker": json.dumps(
            {"log": content.decode() + "\n", "stream": "stdout", "time": "2026-09-21T10:00:00Z"}
        ).encode(),
    }[form]
    cut = Cut(LIMIT if form == "plain" else LIMIT + 200, bytes)
    runs = pieces(line + b"\n", cut, form)
    told = content if len(line) <= cut.limit else line  # an envelope of that size is of no runtime: text
    assert b"".join(run.body.removesuffix(b"\n") for run in runs) == told
    if len(line) <= cut.limit:
        assert [run.pieces for run in runs] == [0]
    else:
        assert all(b'"partial":true' in head for run in runs if run.pieces for head in run.heads or ())
        assert sum(run.pieces for run in runs) > 1


def test_pieces_of_the_runtime_are_joined_at_any_length_and_cut_at_the_limit() -> None:
    parts = [b"2026-09-21T10:00:%02dZ stdout P %b\n" % (second, b"part%d " % second * 200) for second in range(40)]
    data = b"".join(parts) + b"2026-09-21T10:00:59Z stdout F end\n" + b"2026-09-21T10:01:00Z stdout F next\n"
    runs = pieces(data, Cut(LIMIT, bytes), "cri")
    records = [line for run in runs for line in run.body.split(b"\n")[:-1]]
    assert b"".join(records[:-1]) == b"".join(b"part%d " % second * 200 for second in range(40)) + b"end"
    assert records[-1] == b"next"
    assert all(len(record) <= LIMIT for record in records)


@pytest.mark.parametrize("length", [1000, 10_000, 15_000])
def test_a_private_key_is_never_divided(length: int) -> None:
    key = b"-----BEGIN PRIVATE KEY-----\n" + b"A" * 60 + b"\n"
    key += b"B" * 60 + b"\n"
    while len(key) < length:
        key += b"C" * 60 + b"\n"
    key += b"-----END PRIVATE KEY-----\n"
    cut = Cut(64 << 10, bytes)
    for start in range((64 << 10) - length - 30, (64 << 10) + 5, 997):
        data = (b"x" * 98 + b"\n") * (start // 99) + key + b"after\n" * 30_000
        bodies = [run.body for run in pieces(data, cut)]
        assert b"".join(bodies) == data
        assert sum(key in body for body in bodies) == 1


def test_a_line_of_one_secret_is_given_up_loudly_and_the_file_goes_on() -> None:
    def all_or_nothing(body: bytes) -> bytes:
        return b"".join(b"*" * (7 if b"secret" in line else 1) + b"\n" for line in body.split(b"\n")[:-1])

    line = b"secret" * (LIMIT // 2)
    runs = pieces(b"before\n" + line + b"\nafter\n", Cut(LIMIT, all_or_nothing))
    assert b"".join(run.body for run in runs) == b"before\nafter\n"
    assert sum(run.given_up for run in runs) == 1
    assert sum(run.dropped for run in runs) == len(line) + 1


def test_memory_for_a_line_of_100_mib(gate: Any, tmp_path: Path) -> None:
    with (tmp_path / "app.log").open("wb") as file:
        file.write(b"first\n")
        for _ in range(100):
            file.write(b"some words that may be cut " * 38_836)
        file.write(b"\nlast\n")
    running = gate(tmp_path / "app.log")
    tracemalloc.start()
    records = largest = total = 0
    ends: list[bytes] = []
    running.source.scan()
    while running.source.ready:
        for batch in running.source.turns():
            records += batch.records
            largest, total = max(largest, len(batch.body)), total + len(batch.body)
            ends = [*ends, batch.body][-1:]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    running.close()
    assert ends[0].endswith(b"last\n")
    assert total >= 100 * 27 * 38_836
    assert largest <= (1 << 20) + 1
    assert peak < 16 << 20


def test_cut_lines_are_counted(gate: Any, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"word " * 60_000 + b"\n")
    name = "sluicegate_lines_cut_total"
    labels = {"source": "files"}
    before = telemetry._registry.get_sample_value(name, labels) or 0
    running = gate(path, max_line_bytes="64KiB")
    assert len(running.read()) == 5
    assert (telemetry._registry.get_sample_value(name, labels) or 0) - before == 5
    running.close()


def test_a_kill_within_a_long_line_repeats_nothing(gate: Any, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    line = b"".join(b"word%07d " % number for number in range(40_000))
    path.write_bytes(b"before\n" + line + b"\nafter\n")
    running = gate(path, max_line_bytes="64KiB")
    running.step()
    total = len(running.pending)
    for keep in range(total):
        running.restart(keep=1)
        assert len(running.committed) == keep + 1
        running.step()
    running.commit()
    running.close()
    records = running.lines()
    assert records[0] == b"before"
    assert records[-1] == b"after"
    assert b"".join(records[1:-1]) == line


def test_states() -> None:
    """What is committed within a line says so."""
    run = pieces(b"word " * 2000 + b"\n", Cut(LIMIT, bytes))[0]
    assert run.state.line is Line.CUT
