"""`policy suggest`: files of any size, stdin, Ctrl-C; and what comes out is a policy."""

import json
import os
import pty
import re
import signal
import subprocess
from pathlib import Path

from scrubbers import load_policy
from tests.collector.cli.conftest import COMMAND, Run

LINES = b'{"customer":{"birthPlace":"Ravensburg"},"email":"a@b.io"}\n{"customer":{"birthPlace":"Biberach"}}\nnothing\n'


def test_shows_what_is_left_and_rules_for_it(sluicegate: Run, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(LINES)
    done = sluicegate("policy", "suggest", "app.log")
    assert (done.returncode, done.stderr) == (0, b"")
    out = done.stdout.decode()
    assert out.startswith("3 records, 1 findings of the policy, 1 suggestions for what it leaves\n")
    assert re.search(r"likely +customer\.birthPlace +JSON +2 +66\.7% +Ra\*+g +sounds like birth", out)
    assert "\n      - birth_place # 2 values" in out
    assert "Ravensburg" not in out
    assert "Biberach" not in out


def test_the_proposal_goes_to_a_file_and_is_a_policy(sluicegate: Run, tmp_path: Path) -> None:
    done = sluicegate("policy", "suggest", "--output", "more.yaml", "-", input=LINES)
    assert done.returncode == 0
    assert b"version: 1" not in done.stdout
    proposed = load_policy(tmp_path / "more.yaml")
    assert proposed.keys[0].names == ("birth_place",)
    assert proposed.keys[1:] == load_policy().keys
    assert sluicegate("policy", "suggest", "--policy", "more.yaml", input=LINES).stdout.count(b"birth_place") == 0


def test_the_proposal_extends_the_policy_in_force(sluicegate: Run, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "my policy.yaml").write_text("keys: [{names: [colour]}]\n")
    options = ("--policy", "my policy.yaml", "--output", "below/more.yaml")
    assert sluicegate("policy", "suggest", *options, input=LINES).returncode == 0
    names = [rule.names for rule in load_policy(tmp_path / "below/more.yaml").keys]
    assert names == [("birth_place", "email"), ("colour",)]


def test_nothing_to_suggest(sluicegate: Run) -> None:
    done = sluicegate("policy", "suggest", input=b"all is well\n")
    assert (done.returncode, done.stdout) == (
        0,
        b"1 records, 0 findings of the policy, 0 suggestions for what it leaves\n",
    )


def test_a_file_that_cannot_be_read_does_not_keep_the_others_from_it(sluicegate: Run, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(LINES)
    done = sluicegate("policy", "suggest", "none", "/", "app.log")
    assert done.returncode == 1
    assert b"customer.birthPlace" in done.stdout
    assert done.stderr.decode().splitlines() == ["sluicegate: none: No such file or directory", "/: Is a directory"]


def test_a_proposal_that_cannot_be_written(sluicegate: Run) -> None:
    done = sluicegate("policy", "suggest", "--output", "no/where", input=LINES)
    assert done.returncode == 1
    assert b"no/where: No such file or directory" in done.stderr


def test_ctrl_c_tells_what_was_seen_so_far(environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [COMMAND, "policy", "suggest"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(LINES * 2000)  # more than a pipe holds: once it is written, most of it was read
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, err) == (130, b"")
    assert b"customer.birthPlace" in out


def test_a_reader_that_goes_away_ends_it_quietly(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(LINES)
    script = f"{COMMAND} policy suggest {tmp_path / 'app.log'} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, env=environment, check=True)
    assert done.stdout.strip() in (b"141", b"0")  # 0: it was faster
    assert done.stderr == b""


def test_a_bar_on_a_terminal_and_only_there(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(LINES * 20_000)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [COMMAND, "policy", "suggest", str(tmp_path / "app.log")], stdout=subprocess.PIPE, stderr=theirs,
        env=environment | {"TERM": "xterm"},
    ) as process:  # fmt: skip
        os.close(theirs)
        shown = b""
        while True:
            try:
                data = os.read(ours, 1 << 16)
            except OSError:
                break
            shown += data
        os.close(ours)
        out = process.stdout.read() if process.stdout else b""
    assert b"MB" in shown
    assert b"\x1b[3" not in shown  # NO_COLOR
    assert b"\x1b" not in out


def test_a_large_file_takes_little_memory(environment: dict[str, str], tmp_path: Path) -> None:
    """Flat: ten times as much, the same."""

    def peak(lines: int) -> int:
        path = tmp_path / f"{lines}"
        with path.open("w") as file:
            for number in range(lines):
                file.write(
                    json.dumps({"customer": {f"k{number}": "x", "ref": f"r{number}", "birthPlace": "Ulm"}}) + "\n"
                )
        code = (
            "import resource, subprocess, sys\n"
            f"subprocess.run([{COMMAND!r}, 'policy', 'suggest', {str(path)!r}], stdout=-3, check=True)\n"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        done = subprocess.run(["python3", "-c", code], capture_output=True, text=True, env=environment, check=True)
        return int(done.stdout)

    assert peak(60_000) < 1.15 * peak(6_000)
