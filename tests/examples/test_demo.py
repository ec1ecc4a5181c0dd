"""`make run`, whole: it proves what it says, in words and commands that hold."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from examples.demo import Pair, pairs, spans_after, spans_before
from examples.shop.planted import Planted, found, load

T = TypeVar("T")

CHECKOUT = Path(__file__).resolve().parents[2]
DEMO = [sys.executable, "-m", "examples.demo", "--folder"]
# Shown on purpose, before and after; nothing else that is printed may hold a planted value.
SHOWN_BEFORE = re.compile(r"^  − .*$", re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "run"


@pytest.fixture(scope="module")
def played(folder: Path) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"NO_COLOR": "1", "COLUMNS": "80"}
    return subprocess.run([*DEMO, folder], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def planted(played: "subprocess.CompletedProcess[str]", folder: Path) -> list[Planted]:
    assert played.returncode == 0, played.stderr
    return load(folder / "planted.json")


@pytest.fixture(scope="module")
def commands(played: "subprocess.CompletedProcess[str]") -> dict[str, str]:
    """The commands that it prints, by what it says of them."""
    return dict(re.findall(r"^  # (.*)\n  (.*)$", played.stdout, re.MULTILINE))


def test_it_plants_hundreds_of_values_and_says_so(
    played: "subprocess.CompletedProcess[str]", planted: list[Planted], folder: Path
) -> None:
    assert len(found(planted, (folder / "shop.log").read_text())) == len(planted) > 200
    in_spans = len(found(planted, (folder / "spans.jsonl").read_text()))
    assert in_spans > 50
    assert f"{len(planted)} planted values in the log, {in_spans} in the spans, 0 in the store" in played.stdout


def test_no_planted_value_is_in_what_is_read_back(planted: list[Planted], commands: dict[str, str]) -> None:
    records = _shell(commands["the records in them, one JSON object a line"].partition(" | ")[0])
    logs = [line for line in map(json.loads, records.splitlines()) if "resource" in line]
    assert len(logs) > 500
    assert all(line["resource"]["log.file.name"] == "shop.log" for line in logs)
    assert not found(planted, records)


def test_all_spans_of_the_shop_are_stored(
    played: "subprocess.CompletedProcess[str]", commands: dict[str, str], folder: Path
) -> None:
    told = spans_before((folder / "spans.jsonl").read_bytes())
    records = _shell(commands["the records in them, one JSON object a line"].partition(" | ")[0])
    stored = spans_after(b"\n".join(line for line in records.encode().splitlines() if b'"resourceSpans"' in line[:20]))
    assert stored.keys() == told.keys()
    assert f"{len(told)} of the shop's {len(told)} spans received and stored" in played.stdout


def test_no_planted_value_is_in_any_file_of_the_gate(planted: list[Planted], folder: Path) -> None:
    files = [path for place in ("store", "home") for path in (folder / place).rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".enc", ".sqlite"}
    assert not found(planted, "\n".join(path.read_bytes().decode("latin-1") for path in files))


def test_no_planted_value_is_printed_but_in_the_lines_shown_before(
    played: "subprocess.CompletedProcess[str]", planted: list[Planted]
) -> None:
    before = SHOWN_BEFORE.findall(played.stdout)
    assert len(before) == 4
    assert all(found(planted, line) for line in before)
    assert not found(planted, SHOWN_BEFORE.sub("", played.stdout))
    assert not found(planted, played.stderr)


def test_each_line_shown_after_is_the_one_before_without_what_is_personal(
    played: "subprocess.CompletedProcess[str]",
) -> None:
    shown = re.findall(r"^  − (.*)\n  \+ (.*)$", played.stdout, re.MULTILINE)
    assert len(shown) == 4
    for before, after in shown:
        parts = [re.escape(part) for part in re.split(r"\[REDACTED:[a-z_0-9]+\]", after)]
        assert re.fullmatch(".+".join(parts), before), (before, after)


def test_nothing_it_prints_steers_a_terminal(played: "subprocess.CompletedProcess[str]") -> None:
    assert "\x1b" not in played.stdout + played.stderr


def test_the_commands_it_prints_work_when_they_are_copied(planted: list[Planted], commands: dict[str, str]) -> None:
    assert re.fullmatch(r"( *\d+ \S+\.(ndjson|otlp)\.zst\.enc\n){2,}", _shell(commands["the objects"]))
    assert _shell(commands["the records in them, one JSON object a line"]).count("\n") == 5
    assert int(_shell(commands["lines of the log with a planted value in them"])) > 100
    assert _shell(commands["and of the stored records: 0"]) == "0\n"
    assert _shell(commands["files of store and spool with a planted value in them: none"]) == ""
    assert len(commands) == 5


def test_lines_are_paired_by_their_time_where_records_are_missing() -> None:
    """Those in quarantine are not stored; a time that stands in two lines tells nothing."""
    times = [f"179560000000000000{n}" for n in range(4)]
    before = "".join(f"ts={time} n={n}\n" for n, time in enumerate([*times, times[3]])).encode()
    stored = f'{{"time":"x","body":"ts={times[0]} n=[R]"}}\n{{"time":"x","body":{{"ts": {times[2]},"n": 1.10}}}}\n'
    assert list(pairs(before, stored.encode())) == [
        Pair(f"ts={times[0]} n=0".encode(), f"ts={times[0]} n=[R]".encode()),
        Pair(f"ts={times[2]} n=2".encode(), f'{{"ts": {times[2]},"n": 1.10}}'.encode()),
    ]


@pytest.mark.parametrize("how", ["SIGINT to all, as Ctrl-C does", "SIGTERM to it alone"])
def test_serving_goes_on_until_it_is_told_to_end(how: str, tmp_path: Path) -> None:
    log = tmp_path / "out"
    with log.open("wb") as out:
        demo = subprocess.Popen(
            [*DEMO, tmp_path / "run", "--serve"],
            cwd=CHECKOUT,
            stdout=out,
            stderr=out,
            env=os.environ | {"NO_COLOR": "1"},
            start_new_session=True,
        )
        try:
            metrics = _eventually(lambda: re.findall(r"http://\S+/metrics", log.read_text()))[0]
            _eventually(lambda: list((tmp_path / "run/store").rglob("*.enc")))  # it stores while it runs
            assert "sluicegate_findings_total" in urllib.request.urlopen(metrics, timeout=30).read().decode()
        finally:
            if "all" in how:
                os.killpg(demo.pid, signal.SIGINT)
            else:
                demo.terminate()
            code = demo.wait()
    told = log.read_text()
    assert (code, told.count("Traceback")) == (0, 0), told
    assert told.rstrip().endswith("what was read is sealed and stored")
    left = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False).stdout
    assert left == ""


def _shell(command: str) -> str:
    """The output of a command as a person runs it: found nothing (1) is an answer too."""
    ran = subprocess.run(command, shell=True, cwd=CHECKOUT, capture_output=True, text=True, check=False)  # noqa: S602
    assert ran.returncode in {0, 1}
    assert ran.stderr == ""
    return ran.stdout


def _eventually(what: Callable[[], T]) -> T:
    """The first answer that is not empty; other processes give no event to wait for."""
    until = time.monotonic() + 60
    while not (answer := what()):
        assert time.monotonic() < until
        time.sleep(0.05)
    return answer
