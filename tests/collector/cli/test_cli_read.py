"""What was stored is read back, whole or loudly not."""

import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

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
