"""A disk that is full or fails costs time, never records."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path

import pytest
from spooling import (
    append,
    deliveries,
    die,
    files,
    open_spool,
    position_of,
    prepare,
    read_segment,
    sealed,
    spooled,
)

from collector.spool import Limits, Spool, SpoolError, SpoolFull


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=False, capture_output=True, text=True
    )
    if mount.returncode:
        pytest.skip(f"cannot mount: {mount.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    with prepare(tmp_path / "spool"):
        yield tmp_path / "spool"


def fill(spool: Spool, number: int) -> int:
    """Append and commit until there is no room; the number of the first record that found none."""
    while True:
        try:
            append(spool, "a", [number], hour=number % 5, padding=60_000)
            spool.commit()
        except SpoolFull:
            return number
        number += 1


def test_a_full_disk_takes_nothing_by_halves_and_goes_on_when_there_is_room(small_disk: Path) -> None:
    directory = small_disk / "spool"
    with prepare(directory):
        spool = open_spool(directory)
        full_at = fill(spool, 0)
        assert full_at > 5
        assert position_of(spool, "a") == full_at
        assert sum(path.stat().st_size for path in files(directory)) == spool.bytes()
        assert fill(spool, full_at) == full_at  # trying again changes nothing
        spool.close()
        assert sorted(spooled(directory)) == [("a", number) for number in range(full_at)]

        with deliveries(directory) as shipper:  # the shipper can make room on a full disk
            for segment in shipper.sealed("store"):
                shipper.delivered(segment, "store", 1)
        spool = open_spool(directory)
        assert fill(spool, full_at) > full_at
        die(spool)


def fill_up(path: Path) -> None:
    """Write until not a byte more fits."""
    with path.open("wb", buffering=0) as file, pytest.raises(OSError, match="space"):
        fill_file(file)


def fill_file(file: FileIO) -> None:
    while True:
        file.write(bytes(512))


def test_a_disk_that_others_have_filled_does_not_keep_the_shipper_from_making_room(small_disk: Path) -> None:
    directory = small_disk / "spool"
    with prepare(directory):
        spool = open_spool(directory, limits=Limits(segment_bytes=1))
        with deliveries(directory) as shipper:
            for number in range(12):
                append(spool, "a", [number], hour=number, padding=40_000)
                spool.commit()
            fill_up(small_disk / "somebody else")
            while waiting := shipper.sealed("store"):
                with suppress(SpoolFull):  # once: then the ledger has made room within itself
                    shipper.delivered(waiting[0], "store", 1)
        append(spool, "a", [12])
        spool.close()
        assert spooled(directory) == [("a", 12)]


LIMITED = """
import resource, sys
from pathlib import Path
from spooling import append, open_spool, position_of
from collector.spool import SpoolFull
spool = open_spool(Path(sys.argv[1]))
append(spool, "a", [0]); spool.commit()
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
try:
    append(spool, "a", [1], padding=400_000)
    print("no error")
except SpoolFull:
    size = sum(path.stat().st_size for path in Path(sys.argv[1], "segments").iterdir())
    print("full", position_of(spool, "a"), size == spool.bytes())
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
append(spool, "a", [1], padding=400_000)
spool.close()
"""


def test_a_file_size_limit_is_a_full_disk(directory: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, directory],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("full 1 True\n", "")
    assert spooled(directory) == [("a", 0), ("a", 1)]


def fail(error: int) -> object:
    def call(*_: object) -> int:
        raise OSError(error, os.strerror(error))

    return call


def test_everything_staged_is_undone_with_the_append_that_failed(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = open_spool(directory)
    append(spool, "a", range(2))
    spool.commit()
    append(spool, "a", [2])
    append(spool, "b", [0], hour=1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fail(errno.EIO))
        with pytest.raises(SpoolError):
            append(spool, "a", [3])
    assert spool.staged_bytes == 0
    spool.commit()
    assert position_of(spool, "a") == 2
    assert position_of(spool, "b") == 0
    append(spool, "a", [2, 3])
    append(spool, "b", [0], hour=1)
    spool.close()
    assert sorted(spooled(directory)) == [("a", 0), ("a", 1), ("a", 2), ("a", 3), ("b", 0)]


def test_a_file_whose_sync_failed_is_not_written_again_and_ships(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = open_spool(directory)
    append(spool, "a", [0])
    spool.commit()
    append(spool, "a", [1])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail(errno.EIO))
        with pytest.raises(SpoolError):
            spool.commit()
    append(spool, "a", [1])
    spool.commit()
    assert [read_segment(segment) for segment in sealed(directory)] == [[("a", 0)]]
    spool.close()
    assert [read_segment(segment) for segment in sealed(directory)] == [[("a", 0)], [("a", 1)]]


def test_a_directory_that_cannot_be_written_is_an_error_to_wait_for(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = open_spool(directory)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fail(errno.EROFS))
        with pytest.raises(SpoolError, match="Read-only") as caught:
            append(spool, "a", [0])
        assert not isinstance(caught.value, SpoolFull)
    append(spool, "a", [0])
    spool.close()
    assert spooled(directory) == [("a", 0)]


def test_a_commit_in_doubt_leaves_the_bytes_for_recovery_to_judge(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger's own sync failed: after a crash the commit may turn out to be there or not."""
    spool = open_spool(directory)
    append(spool, "a", [0])
    spool.commit()
    append(spool, "a", [1])
    (before,) = files(directory)
    size = before.stat().st_size

    def in_doubt(_: object) -> None:
        raise SpoolError("disk I/O error", in_doubt=True)

    with monkeypatch.context() as patch:
        patch.setattr(spool._ledger, "write", in_doubt)
        with pytest.raises(SpoolError):
            spool.commit()
    assert before.stat().st_size == size
    append(spool, "a", [1])
    spool.commit()
    die(spool)
    spool = open_spool(directory)
    assert before.stat().st_size < size
    assert spool.recovered.sealed == 2
    spool.close()
    assert spooled(directory) == [("a", 0), ("a", 1)]


def test_a_locked_ledger_is_waited_for(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.spool.ledger.BUSY_SECONDS", 0)
    spool, other = open_spool(directory, 0), open_spool(directory, 1)
    append(spool, "a", [0])
    with other._ledger.transaction(), pytest.raises(SpoolError, match="locked") as caught:
        spool.commit()
    assert not caught.value.in_doubt
    append(spool, "a", [0])
    spool.close()
    other.close()
    assert spooled(directory) == [("a", 0)]
