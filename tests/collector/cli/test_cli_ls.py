"""What is stored is listed by day: how much, and how long it is still kept."""

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exporters.local import LocalOptions, LocalStore
from tests.collector.cli.conftest import Run
from tests.exporters.segments import chunk, segment

DAY = 86_400
KINDS = pytest.mark.parametrize("seal", [True, False], ids=["sealed", "plain"])


def put(folder: Path, days: float, retention: str, records: int, *, seal: bool) -> int:
    """An object stored so many days ago; its size."""
    born = time.time() - days * DAY
    first = int(born) * 1_000_000_000
    made = segment(folder, chunk([first] * records), retention=retention, born=born, first_time=first).segment
    size = LocalStore("local", LocalOptions(path=folder / "store", seal=seal)).export(made)
    path = folder / "store" / (made.name + (".enc" if seal else ""))
    os.utime(path, (born, born))
    return size


@KINDS
def test_by_class_and_day(sluicegate: Run, tmp_path: Path, seal: bool) -> None:
    sizes = [put(tmp_path, 2.5, "short", count, seal=seal) for count in (3, 4)]
    put(tmp_path, 8, "short", 1, seal=seal)
    put(tmp_path, 2.5, "unknown", 2, seal=seal)
    done = sluicegate("ls", "store", "--records", "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    days = [f"{datetime.fromtimestamp(time.time() - days * DAY, UTC):%Y-%m-%d}" for days in (8, 2.5)]
    old, young, unknown = json.loads(done.stdout)
    assert (old["class"], old["signal"], old["day"], old["left"]) == ("short", "logs", days[0], 0)
    assert (young["day"], young["objects"], young["bytes"], young["records"]) == (days[1], 2, sum(sizes), 7)
    assert 4.4 * DAY < young["left"] <= 4.5 * DAY
    assert (unknown["class"], unknown["records"], unknown["left"]) == ("unknown", 2, None)

    shown = sluicegate("ls", "store").stdout.decode().splitlines()
    assert shown[0].split() == ["class", "signal", "day", "objects", "size", "left"]
    assert shown[1].split()[-1] == "due"
    assert shown[2].split()[-2] == "4d"
    assert shown[3].split()[-1] == "?"
    assert shown[4].split()[:2] == ["total", "4"]
    assert len(sluicegate("ls", "store", "--since", "5d").stdout.splitlines()) == 4


def test_classes_are_those_of_the_configuration(sluicegate: Run, tmp_path: Path) -> None:
    put(tmp_path, 2.5, "long", 1, seal=False)
    (tmp_path / "gate.yaml").write_text(
        "sources: {app: {type: stdin}}\nretention: {default: long, classes: {long: 1000d}}\n"
    )
    (day,) = json.loads(sluicegate("ls", "store", "--config", "gate.yaml", "--json").stdout)
    assert 997 * DAY < day["left"] < 998 * DAY


def test_what_cannot_be_counted_is_told(sluicegate: Run, tmp_path: Path) -> None:
    put(tmp_path, 1, "short", 1, seal=True)
    (path,) = (tmp_path / "store").rglob("*.enc")
    path.write_bytes(b"garbage")
    assert sluicegate("ls", "store").returncode == 0
    done = sluicegate("ls", "store", "--records")
    assert done.returncode == 1
    assert b"cannot be counted" in done.stderr


def test_a_store_that_is_not_there_is_told(sluicegate: Run) -> None:
    done = sluicegate("ls", "none")
    assert done.returncode == 1
    assert b"is not there" in done.stderr
