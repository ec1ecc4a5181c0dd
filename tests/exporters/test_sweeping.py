"""What is old enough goes from a local store, and nothing else."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from exporters.browsing import LocalObjects, StoreError
from exporters.local import LocalOptions, LocalStore
from exporters.sweeping import Sweeper, Swept
from tests.exporters.segments import NOON, segment

DAY = 86_400
NOW = NOON / 1e9 + 1000 * DAY
CLASSES = {"short": timedelta(days=7), "standard": timedelta(days=30)}


class Store:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "store"
        self.exporter = LocalStore("local", LocalOptions(path=self.path, seal=False))

    def put(self, days: float, retention: str = "short", *, late: float = 0, stored: float | None = None) -> Path:
        """An object of a segment born so many days ago, with records that were `late` days older than that."""
        born = NOW - days * DAY
        made = segment(self.folder, retention=retention, born=born, first_time=int((born - late * DAY) * 1e9)).segment
        self.exporter.export(made)
        path = self.path / made.name
        time = NOW - (days if stored is None else stored) * DAY
        os.utime(path, (time, time))
        return path

    def sweep(self) -> Swept:
        return Sweeper(LocalObjects(self.path), CLASSES, lambda: NOW).sweep()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_each_class_has_its_time(store: Store) -> None:
    gone = [store.put(7), store.put(8), store.put(30, "standard"), store.put(500, "standard")]
    kept = [store.put(6.9), store.put(0), store.put(29.9, "standard"), store.put(500, "unknown")]
    size = sum(path.stat().st_size for path in gone)
    assert store.sweep() == Swept(4, size)
    assert [path for path in gone if path.exists()] == []
    assert [path for path in kept if not path.exists()] == []
    assert store.sweep() == Swept()


def test_late_records_are_kept_as_long_as_others(store: Store) -> None:
    late = store.put(6, late=100)
    assert store.sweep() == Swept()
    assert late.exists()


def test_a_copy_of_a_store_is_not_emptied(store: Store) -> None:
    copied = store.put(100, stored=1)
    assert store.sweep() == Swept()
    assert copied.exists()


def test_what_is_not_ours_stays(store: Store) -> None:
    gone = store.put(100)
    others = [gone.with_name(name) for name in ("notes.txt", f"{gone.name}.bak", f".{gone.name}.tmp", "a.ndjson.zst")]
    others.append(store.path / "short" / "readme")
    others.append(store.path / gone.name)
    for path in others:
        path.write_bytes(b"x")
        os.utime(path, (0, 0))
    assert store.sweep().objects == 1
    assert [path for path in others if not path.exists()] == []


def test_empty_folders_go_and_the_store_stays(store: Store) -> None:
    store.put(100)
    kept = store.put(1)
    store.sweep()
    assert [path.name for path in store.path.iterdir()] == ["short"]
    assert sorted(path for path in store.path.rglob("dt=*")) == [kept.parents[1]]
    os.utime(kept, (0, 0))
    Sweeper(LocalObjects(store.path), CLASSES, lambda: NOW + 100 * DAY).sweep()
    assert list(store.path.iterdir()) == []


def test_a_store_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not there"):
        Sweeper(LocalObjects(tmp_path / "none"), CLASSES).sweep()
