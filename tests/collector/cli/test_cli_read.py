"""What was stored is read back, whole or loudly not."""

import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector.cli.exits import CommandError
from collector.cli.resuming import Resumable
from exporters.chunk import ChunkHeader, encode
from exporters.local import LocalOptions, LocalStore
from exporters.otlp_json import readable
from exporters.requests import framed
from tests.collector.cli.conftest import COMMAND, Run
from tests.exporters.segments import HOUR, NOON, SECOND, chunk, segment
from tests.otlp import spans

Fill = Callable[..., dict[str, bytes]]


@pytest.fixture
def fill(tmp_path: Path, gate_home: Path) -> Fill:
    """Store three segments, at noon, one hour and two hours later; gives their lines by their pods."""

    def make(store: Path = gate_home / "store", **options: bool) -> dict[str, bytes]:
        exporter = LocalStore("local", LocalOptions(path=store, **options))
        lines = {}
        for hours, pod in enumerate(("web-1", "web-2", "db-1")):
            time = NOON + hours * HOUR
            made = segment(tmp_path, chunk([time, time + SECOND], pod=pod, source=pod[:-2]), first_time=time)
            exporter.export(made.segment)
            lines[pod] = made.lines
        return lines

    return make


def test_without_arguments_it_reads_the_default_store_with_the_key_beside_it(sluicegate: Run, fill: Fill) -> None:
    lines = fill()
    done = sluicegate("read")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == lines["web-1"] + lines["web-2"] + lines["db-1"]


def test_a_store_may_be_a_path_or_a_file_url(sluicegate: Run, fill: Fill, tmp_path: Path) -> None:
    lines = fill(tmp_path / "a store", seal=False)
    for location in ("a store", f"file://{tmp_path}/a%20store"):
        assert sluicegate("read", location).stdout == b"".join(lines.values())


@pytest.mark.parametrize(
    ("arguments", "pods"),
    [
        (["--origin", "k8s.pod.name=web-*"], ["web-1", "web-2"]),
        (["--origin", "source=db"], ["db-1"]),
        (["--origin", "k8s.pod.name=*-1", "--origin", "source=web"], ["web-1"]),
        (["--since", "2026-11-24T13:00"], ["web-2", "db-1"]),
        (["--until", "2026-11-24T13:00:00Z"], ["web-1"]),
        (["--since", "2026-11-24T15:00+02:00", "--until", "2026-11-24T14:00"], ["web-2"]),
        (["--signal", "logs"], ["web-1", "web-2", "db-1"]),
        (["--signal", "traces"], []),
    ],
)
def test_filters(arguments: list[str], pods: list[str], sluicegate: Run, fill: Fill) -> None:
    lines = fill()
    done = sluicegate("read", *arguments)
    assert done.returncode == 0
    assert done.stdout == b"".join(lines[pod] for pod in pods)


def test_since_may_be_how_long_ago(sluicegate: Run, tmp_path: Path) -> None:
    now = int(datetime.now(UTC).timestamp()) * SECOND
    exporter = LocalStore("local", LocalOptions(path=tmp_path / "store", seal=False))
    stored = {}
    for hours in (1, 30):
        time = now - hours * HOUR
        made = segment(tmp_path, chunk([time]), first_time=time)
        exporter.export(made.segment)
        stored[hours] = made.lines
    assert sluicegate("read", "store", "--since", "1h30m").stdout == stored[1]
    assert sluicegate("read", "store", "--until", "1d").stdout == stored[30]


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["--since", "yesterday"], b"--since"),
        (["--until", "1"], b"--until"),
        (["--origin", "web"], b"--origin"),
        (["--signal", "smoke"], b"--signal"),
        (["ftp://x/y"], b"STORE"),
        (["s3://"], b"STORE"),
        (["s3://b?endpoint=x"], b"STORE"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: list[str], option: bytes, sluicegate: Run) -> None:
    done = sluicegate("read", *arguments)
    assert done.returncode == 2
    assert option in done.stderr


def test_list_shows_sizes_and_keys(sluicegate: Run, fill: Fill, gate_home: Path) -> None:
    fill()
    done = sluicegate("read", "--list", "--until", "2026-11-24T13:00")
    (line,) = done.stdout.decode().splitlines()
    size, key = line.split()
    assert Path(key).stat().st_size == int(size)
    assert Path(key).is_relative_to(gate_home)


def test_a_damaged_object_is_told_and_the_others_are_read(sluicegate: Run, fill: Fill, gate_home: Path) -> None:
    lines = fill()
    first, *_ = sorted((gate_home / "store").rglob("*.enc"))
    content = bytearray(first.read_bytes())
    content[-20] ^= 1
    first.write_bytes(content)
    done = sluicegate("read")
    assert done.returncode == 1
    assert done.stdout == lines["web-2"] + lines["db-1"]
    assert first.name in done.stderr.decode()
    assert b"1 of what was wanted could not be read whole" in done.stderr


def test_without_the_key_nothing_is_read(sluicegate: Run, fill: Fill, gate_home: Path, tmp_path: Path) -> None:
    fill()
    key = (gate_home / "store.key").rename(tmp_path / "elsewhere.key")
    done = sluicegate("read")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"no key was given" in done.stderr
    assert sluicegate("read", "--key", key).stdout.count(b"\n") == 6


@pytest.mark.parametrize("key", ["none.key", "open.key"])
def test_a_key_file_that_cannot_be_used(key: str, sluicegate: Run, fill: Fill, tmp_path: Path) -> None:
    fill()
    (tmp_path / "open.key").write_text("x")
    (tmp_path / "open.key").chmod(0o644)
    done = sluicegate("read", "--key", key)
    assert done.returncode == 1
    assert key.encode() in done.stderr


def test_a_store_that_is_not_there(sluicegate: Run) -> None:
    done = sluicegate("read", "nowhere")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"nowhere" in done.stderr


class TestOutput:
    def test_to_a_file(self, sluicegate: Run, fill: Fill, tmp_path: Path) -> None:
        lines = fill()
        done = sluicegate("read", "--output", tmp_path / "out")
        assert (done.returncode, done.stdout) == (0, b"")
        assert (tmp_path / "out").read_bytes() == b"".join(lines.values())
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []

    def test_to_a_device(self, sluicegate: Run, fill: Fill) -> None:
        fill()
        assert sluicegate("read", "--output", "/dev/null").returncode == 0

    def test_to_a_folder_that_is_not_there(self, sluicegate: Run, fill: Fill) -> None:
        fill()
        done = sluicegate("read", "--output", "no/where")
        assert done.returncode == 1
        assert b"No such file" in done.stderr

    def test_to_a_reader_that_went_away(self, fill: Fill, environment: dict[str, str]) -> None:
        fill()
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = subprocess.run([COMMAND, "read"], stdout=write_end, stderr=subprocess.PIPE, env=environment, check=False)
        os.close(write_end)
        assert (done.returncode, done.stderr) == (141, b"")


def test_what_came_by_otlp_is_read_as_json_lines_or_as_it_is_stored(
    sluicegate: Run, tmp_path: Path, gate_home: Path
) -> None:
    first, second = spans(["a", "b"]), spans(["c"], service="bank")
    stored = framed(first) + framed(second)
    header = ChunkHeader(
        signal="traces", format="otlp", source="otlp", records=3, first_time=NOON, last_time=NOON + SECOND, policy="f"
    )
    made = segment(
        tmp_path,
        (encode(header, stored), stored),
        records=header.records,
        signal="traces",
        format="otlp",
        first_time=NOON,
    )
    LocalStore("local", LocalOptions(path=gate_home / "store")).export(made.segment)
    lines = [readable("traces", request) for request in (first, second)]
    assert sluicegate("read").stdout == b"".join(lines)
    assert sluicegate("read", "--origin", "service.name=bank").stdout == lines[1]
    assert sluicegate("read", "--origin", "source=files").stdout == b""
    assert sluicegate("read", "--signal", "traces", "--format", "proto").stdout == stored
    without_signal = sluicegate("read", "--format", "proto")
    assert without_signal.returncode == 2
    assert b"name the signal" in without_signal.stderr


def test_of_requests_that_json_cannot_show_there_is_word_and_the_rest_is_written(
    sluicegate: Run, tmp_path: Path, gate_home: Path
) -> None:
    stored = framed(spans(["a"])) + framed(b"\x0a\x02\x12\x01")
    header = ChunkHeader(
        signal="traces", format="otlp", source="otlp", records=2, first_time=NOON, last_time=NOON, policy="f"
    )
    made = segment(
        tmp_path,
        (encode(header, stored), stored),
        records=header.records,
        signal="traces",
        format="otlp",
        first_time=NOON,
    )
    LocalStore("local", LocalOptions(path=gate_home / "store")).export(made.segment)
    done = sluicegate("read")
    assert (done.returncode, done.stdout) == (1, readable("traces", spans(["a"])))
    assert b"1 requests cannot be shown" in done.stderr


def test_grep_and_limit_choose_lines(sluicegate: Run, tmp_path: Path) -> None:
    exporter = LocalStore("local", LocalOptions(path=tmp_path / "store", seal=False))
    for hour in range(3):
        time = NOON + hour * HOUR
        chunks = [chunk([time + n], text=f"{'odd' if n % 2 else 'even'} {hour}-{n}") for n in range(4)]
        exporter.export(segment(tmp_path, *chunks, first_time=time).segment)

    def bodies(*arguments: str) -> list[str]:
        done = sluicegate("read", "store", "--format", "body", *arguments)
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout.decode().splitlines()

    assert bodies("--grep", "odd") == [f"odd {hour}-{n}" for hour in range(3) for n in (1, 3)]
    assert bodies("--grep", r"[12]-0\b") == ["even 1-0", "even 2-0"]
    assert bodies("--limit", "3") == ["even 0-0", "odd 0-1", "even 0-2"]
    assert bodies("--grep", "odd", "--limit", "3", "--since", "2026-11-24T13:00") == ["odd 1-1", "odd 1-3", "odd 2-1"]
    nothing = sluicegate("read", "store", "--grep", "nowhere")
    assert (nothing.returncode, nothing.stdout) == (0, b"")
    assert b"nothing stored there matches" in nothing.stderr
    assert sluicegate("read", "store", "--grep", "(").returncode == 2


def test_the_body_is_the_record_as_it_came(sluicegate: Run, tmp_path: Path) -> None:
    came = [b'{"a": 1.10, "b":"\\u00e9"}', b'plain \xc3\xa9 "quoted" \\back', b"\xff\x00 bytes", b"", b"[1, 2]", b"12"]
    (tmp_path / "app.log").write_bytes(b"".join(line + b"\n" for line in came))
    assert sluicegate("run", "--once", "app.log").returncode == 0
    assert sluicegate("read", "--format", "body").stdout.split(b"\n")[:-1] == came


class TestResuming:
    """An output file that could not be finished is gone on with by the same command."""

    def test_what_is_damaged_for_good_does_not_hold_up_the_rest(
        self, sluicegate: Run, fill: Fill, gate_home: Path, tmp_path: Path
    ) -> None:
        lines = fill()
        _, second, _ = sorted((gate_home / "store").rglob("*.enc"))
        out = tmp_path / "out"
        whole = lines["web-1"] + lines["web-2"] + lines["db-1"]

        content = second.read_bytes()
        second.write_bytes(content[:-30])
        done = sluicegate("read", "--output", out)
        assert done.returncode == 1  # cut off for good: told, and the file is there without it
        assert b"could not be read whole" in done.stderr
        assert out.read_bytes().endswith(lines["db-1"])
        second.write_bytes(content)
        assert sluicegate("read", "--output", out).returncode == 0
        assert out.read_bytes() == whole

    def test_after_a_kill_it_goes_on_where_the_journal_says(self, tmp_path: Path) -> None:
        path = tmp_path / "out"
        asked = {"store": "s"}
        with Resumable(path, asked, {"since": 1}) as file:
            file.write(b"one\n")
            file.note("a")
            file.write(b"broken\n")
            file.note("b", "b: cut off")
            file.write(b"tw")
            file.finished = False
        assert not path.exists()
        with Resumable(path, asked, {"since": 2}) as file:
            assert (file.done, file.problems, file.settled) == ({"a", "b"}, ["b: cut off"], {"since": 1})
            file.write(b"two\n")
        assert path.read_bytes() == b"one\nbroken\ntwo\n"
        assert [each.name for each in tmp_path.iterdir()] == ["out"]

    def test_another_question_begins_anew(self, tmp_path: Path) -> None:
        path = tmp_path / "out"
        for question in ("a", "b"):
            with Resumable(path, {"grep": question}, {}) as file:
                assert file.done == set()
                file.write(question.encode())
                file.note("x")
                file.finished = False
        with Resumable(path, {"grep": "b"}, {}) as file:
            assert file.done == {"x"}
        assert path.read_bytes() == b"b"

    @pytest.mark.parametrize(
        "journal", [b"", b"garbage\n", b'[{"q": 1}, {}]\n[999, "x", ""]\n', b'[{"q": 1}, {}]\n[0, "x']
    )
    def test_a_journal_that_does_not_fit_claims_nothing(self, tmp_path: Path, journal: bytes) -> None:
        (tmp_path / ".out.journal").write_bytes(journal)
        (tmp_path / ".out.part").write_bytes(b"old")
        with Resumable(tmp_path / "out", {"q": 1}, {}) as file:
            assert file.done == set()
            file.write(b"new!")
        assert (tmp_path / "out").read_bytes() == b"new!"

    def test_two_at_once_are_refused(self, tmp_path: Path) -> None:
        with Resumable(tmp_path / "out", {}, {}), pytest.raises(CommandError, match="another command"):
            Resumable(tmp_path / "out", {}, {}).__enter__()

    def test_where_nothing_was_had_nothing_is_left(self, sluicegate: Run, tmp_path: Path) -> None:
        done = sluicegate("read", "none", "--output", "out")
        assert done.returncode == 1
        assert b"give the same command again" in done.stderr
        assert list(tmp_path.iterdir()) == []
