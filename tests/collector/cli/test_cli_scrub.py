"""`scrub`: a filter that streams, tells what it did, and never lets anything through it should not."""

import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collector.cli.conftest import COMMAND, Run

DIRTY = b"user jane@example.com paid\nnothing here\ncard 4111111111111111 used\n"
CLEAN = b"user [REDACTED:email] paid\nnothing here\ncard [REDACTED:payment_card] used\n"


def test_stdin_to_stdout(sluicegate: Run) -> None:
    done = sluicegate("scrub", input=DIRTY)
    assert (done.returncode, done.stdout, done.stderr) == (0, CLEAN, b"")


def test_valid_json_stays_valid_and_numbers_keep_their_spelling(sluicegate: Run) -> None:
    line = b'{"a":{"Email":"x@y.io"},"n":1.10,"card":4111111111111111}\n'
    out = sluicegate("scrub", input=line).stdout
    assert b'"n":1.10' in out
    assert b"x@y.io" not in out
    assert b"4111" not in out
    json.loads(out)


def test_files_follow_one_another_and_a_last_line_needs_no_end(sluicegate: Run, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(DIRTY)
    (tmp_path / "b").write_bytes(b"jane@example.com")
    done = sluicegate("scrub", "a", "-", "b", input=b"from stdin\n")
    assert done.stdout == CLEAN + b"from stdin\n[REDACTED:email]"


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"a\r\nb\r\n", b"\xff\xfe\0\n", b"\xef\xbb\xbf{}\n", b"{" * 20_000 + b"\n", b"no end"]
)
def test_clean_bytes_pass_as_they_are(data: bytes, sluicegate: Run) -> None:
    done = sluicegate("scrub", input=data)
    assert (done.returncode, done.stdout) == (0, data)


def test_a_file_that_cannot_be_read_does_not_keep_the_others_from_it(sluicegate: Run, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(DIRTY)
    done = sluicegate("scrub", "none", "/", "a")
    assert done.returncode == 1
    assert done.stdout == CLEAN
    assert done.stderr.decode().splitlines() == ["sluicegate: none: No such file or directory", "/: Is a directory"]


def test_a_policy_of_ones_own(sluicegate: Run, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("keys: [{names: [colour]}]\n")
    done = sluicegate("scrub", "--policy", "p.yaml", input=b'{"colour":"red","mail":"jane@example.com"}\n')
    assert done.stdout == b'{"mail":"jane@example.com"}\n'


def test_a_policy_that_is_wrong(sluicegate: Run, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("kees: []\n")
    done = sluicegate("scrub", "--policy", "p.yaml", input=DIRTY)
    assert (done.returncode, done.stdout) == (78, b"")
    assert done.stderr.startswith(b"p.yaml:1: kees: is not a known key; did you mean ")


class TestReport:
    def test_to_a_file(self, sluicegate: Run, tmp_path: Path) -> None:
        done = sluicegate("scrub", "--report", "r.json", input=DIRTY)
        assert done.stdout == CLEAN
        report = json.loads((tmp_path / "r.json").read_bytes())
        assert report["records"] == 3
        assert (report["bytes_in"], report["bytes_out"]) == (len(DIRTY), len(CLEAN))
        assert report["findings"] == [
            {"rule": "email", "action": "replace", "count": 1},
            {"rule": "payment_card", "action": "replace", "count": 1},
        ]
        assert report["withheld"] == []
        assert len(report["policy"]) == 16

    def test_a_dash_means_stderr_beside_data(self, sluicegate: Run) -> None:
        done = sluicegate("scrub", "--report", "-", input=DIRTY)
        assert done.stdout == CLEAN
        assert json.loads(done.stderr)["records"] == 3

    def test_that_cannot_be_written(self, sluicegate: Run) -> None:
        done = sluicegate("scrub", "--report", "no/where", input=DIRTY)
        assert done.returncode == 1
        assert done.stdout == CLEAN
        assert b"no/where: No such file or directory" in done.stderr


class TestObserve:
    def test_tells_and_writes_no_data(self, sluicegate: Run) -> None:
        done = sluicegate("scrub", "--observe", input=DIRTY)
        assert done.returncode == 1
        assert b"2 findings in 3 records" in done.stdout
        assert b"jane" not in done.stdout
        assert b"nothing here" not in done.stdout

    def test_ends_with_0_where_nothing_is_found(self, sluicegate: Run) -> None:
        assert sluicegate("scrub", "--observe", input=b"nothing here\n").returncode == 0

    def test_reports_as_json_to_stdout(self, sluicegate: Run) -> None:
        done = sluicegate("scrub", "--observe", "--report", "-", input=DIRTY)
        assert len(json.loads(done.stdout)["findings"]) == 2
        assert done.stderr == b""

    def test_not_with_diff(self, sluicegate: Run) -> None:
        assert sluicegate("scrub", "--observe", "--diff").returncode == 2


class TestDiff:
    def test_shows_changed_lines_before_and_after(self, sluicegate: Run) -> None:
        assert sluicegate("scrub", "--diff", input=DIRTY).stdout.decode().splitlines() == [
            "- 1: user jane@example.com paid",
            "+ 1: user [REDACTED:email] paid",
            "- 3: card 4111111111111111 used",
            "+ 3: card [REDACTED:payment_card] used",
        ]

    @pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
    def test_in_colour_unless_not_wanted(self, no_color: str, coloured: bool, sluicegate: Run) -> None:
        terminal = {"FORCE_COLOR": "1", "TERM": "xterm-256color", "NO_COLOR": no_color}
        out = sluicegate("scrub", "--diff", input=DIRTY, env=terminal).stdout
        assert bool(re.search(rb"\x1b\[[0-9;]*3[12]m", out)) is coloured

    def test_a_record_cannot_steer_the_terminal(self, sluicegate: Run) -> None:
        out = sluicegate("scrub", "--diff", input=b"\x1b]0;x\x07 jane@example.com \xff\n").stdout
        assert b"\x1b" not in out
        assert b"\x07" not in out
        assert rb"\x1b]0;x\x07 " in out


@pytest.fixture
def streaming(environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(
        [COMMAND, "scrub"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        yield process
        process.kill()


def say(process: "subprocess.Popen[bytes]", data: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(data)
    process.stdin.flush()


def hear(process: "subprocess.Popen[bytes]") -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


class TestStreaming:
    def test_a_line_comes_out_before_the_next_goes_in(self, streaming: "subprocess.Popen[bytes]") -> None:
        for _ in range(3):
            say(streaming, b"mail jane@example.com\n")
            assert hear(streaming) == b"mail [REDACTED:email]\n"

    def test_on_a_terminal_too(self, environment: dict[str, str]) -> None:
        ours, theirs = pty.openpty()
        with subprocess.Popen([COMMAND, "scrub"], stdin=theirs, stdout=subprocess.PIPE, env=environment) as process:
            os.close(theirs)
            os.write(ours, b"mail jane@example.com\n")
            assert hear(process) == b"mail [REDACTED:email]\n"
            os.write(ours, b"\x04")  # Ctrl-D
            assert process.wait() == 0
        os.close(ours)

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_a_signal_ends_it_cleanly(
        self, number: signal.Signals, code: int, streaming: "subprocess.Popen[bytes]"
    ) -> None:
        say(streaming, b"one\ntwo is not whole")
        assert hear(streaming) == b"one\n"
        streaming.send_signal(number)
        out, err = streaming.communicate()
        assert (streaming.returncode, out, err) == (code, b"", b"")

    def test_a_reader_that_goes_away_ends_it_quietly(self, environment: dict[str, str]) -> None:
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = subprocess.run(
            [COMMAND, "scrub"], input=DIRTY, stdout=write_end, stderr=subprocess.PIPE, env=environment, check=False
        )
        os.close(write_end)
        assert (done.returncode, done.stderr) == (141, b"")

    def test_a_full_disk_is_told(self, environment: dict[str, str]) -> None:
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [COMMAND, "scrub"], input=DIRTY, stdout=full, stderr=subprocess.PIPE, env=environment, check=False
            )
        assert done.returncode == 1
        assert b"No space left on device" in done.stderr


def test_a_line_of_100_mb_takes_little_memory(environment: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "long"
    piece = b"words and more words, " * 4096
    with path.open("wb") as file:
        for _ in range(100_000_000 // len(piece)):
            file.write(piece)
        file.write(b" jane@example.com \nnext\n")
    code = f"""
import os, resource, subprocess, sys
with open({str(path)!r}, "rb") as file, open({str(tmp_path / "out")!r}, "wb") as out:
    subprocess.run([{COMMAND!r}, "scrub"], stdin=file, stdout=out, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""
    done = subprocess.run(["python3", "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert int(done.stdout) < 200  # MiB
    out = (tmp_path / "out").read_bytes()
    assert out == path.read_bytes().replace(b"jane@example.com", b"[REDACTED:email]")
