"""A start finds whatever a crash, a broken disk or a careless hand has left, and makes the most of it."""

import fcntl
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from spooling import (
    INPUT_BYTES,
    SOURCE,
    append,
    counted,
    deliveries,
    die,
    files,
    open_spool,
    position,
    position_of,
    prepare,
    read_segment,
    sealed,
    spooled,
)

from collector.spool import Amount, Balance, Ledger, SealedRecord, SpoolRefused, recover
from collector.spool.lock import refuse_network
from exporters.chunk import read_chunks


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A spool that was killed: records 0 to 9 of `a` committed in two segments, three more written only."""
    directory = tmp_path / "spool"
    with prepare(directory):
        spool = open_spool(directory)
        for number in range(10):
            append(spool, "a", [number], hour=number % 2)
            spool.commit()
        append(spool, "a", range(10, 13), hour=0)
        die(spool)
    return directory


def balances(directory: Path) -> list[Balance]:
    ledger = Ledger.open(directory)
    try:
        return ledger.balance()
    finally:
        ledger.close()


def lose_ledger(directory: Path) -> None:
    for path in directory.glob("ledger.sqlite*"):
        path.unlink()


def following(directory: Path, key: str) -> int:
    spool = open_spool(directory)
    try:
        return position_of(spool, key)
    finally:
        spool.close()


def chunk_ends(path: Path) -> list[int]:
    with path.open("rb") as file:
        return [file.tell() for _ in read_chunks(file)]


def test_a_torn_tail_is_cut_and_what_was_open_is_sealed(directory: Path) -> None:
    with files(directory)[1].open("ab") as file:
        file.write(b"\x50\x2a\x4d\x18 torn")
    with prepare(directory) as found:
        assert (found.sealed, found.damaged, found.rebuilt) == (2, [], "")
        assert found.cut_bytes > 9
        assert sorted(spooled(directory)) == [("a", number) for number in range(10)]
        assert [len(read_segment(segment)) for segment in sealed(directory)] == [5, 5]
        assert following(directory, "a") == 10


def test_a_file_nothing_was_ever_committed_to_goes(directory: Path) -> None:
    with prepare(directory):
        spool = open_spool(directory)
        append(spool, "a", [10], hour=7)
        die(spool)
        assert len(files(directory)) == 3
    with prepare(directory):
        assert len(files(directory)) == 2


def test_a_second_start_finds_nothing_to_do(directory: Path) -> None:
    prepare(directory).close()
    with prepare(directory) as found:
        assert (found.sealed, found.cut_bytes, found.damaged, found.rebuilt) == (0, 0, [], "")


def test_a_second_gate_is_refused(directory: Path) -> None:
    script = "import sys; from spooling import prepare; from pathlib import Path; prepare(Path(sys.argv[1]))"
    with prepare(directory):
        with pytest.raises(SpoolRefused, match=rf"process {os.getpid()} holds gate\.lock"):
            prepare(directory)
        second = subprocess.run(
            [sys.executable, "-c", script, directory],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "SpoolRefused" in second.stderr
    prepare(directory).close()


def test_a_worker_that_outlived_its_gate_keeps_a_new_one_out(directory: Path) -> None:
    with prepare(directory):
        spool = open_spool(directory, worker=3)
    with pytest.raises(SpoolRefused, match=r"worker-3\.lock"):
        prepare(directory)
    append(spool, "b", [0])
    spool.close()
    with prepare(directory):
        assert ("b", 0) in spooled(directory)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_number_of_workers_may_change(directory: Path, workers: int) -> None:
    with prepare(directory):
        spools = [open_spool(directory, worker) for worker in range(3)]
        for worker, spool in enumerate(spools):
            append(spool, f"key-{worker}", range(worker + 1))
            spool.commit()
            die(spool)
    with prepare(directory):
        spools = [open_spool(directory, worker) for worker in range(workers)]
        assert [position_of(spools[-1], f"key-{worker}") for worker in range(3)] == [1, 2, 3]
        for spool in spools:
            spool.close()
        assert len(spooled(directory)) == 10 + 6
        assert len(sealed(directory)) == 2 + 3


def test_a_lost_ledger_is_rebuilt_from_the_chunks(directory: Path) -> None:
    """What was written but not committed comes back too, and its position with it: still once."""
    lose_ledger(directory)
    with prepare(directory) as found:
        assert (found.rebuilt, found.damaged) == ("lost", [])
        assert sorted(spooled(directory)) == [("a", number) for number in range(13)]
        assert following(directory, "a") == 13
        first, second = sealed(directory)
        assert (first.records, first.retention, first.signal, first.format) == (8, "standard", "logs", "lines")
        assert first.policy == "0123456789abcdef"
        assert read_segment(second) == [("a", number) for number in range(1, 10, 2)]
        (balance,) = balances(directory)
        assert balance.read == balance.pending == Amount(13, 13 * INPUT_BYTES)


def test_a_rebuilt_ledger_takes_the_position_written_last_not_the_one_that_sorts_last(tmp_path: Path) -> None:
    directory = tmp_path / "spool"
    with prepare(directory):
        spool = open_spool(directory)
        append(spool, "a", [8], hour=5)
        append(spool, "a", [9], hour=1)  # behind it stands 10, which as text sorts before 9
        spool.close()
    lose_ledger(directory)
    with prepare(directory):
        assert following(directory, "a") == 10


def test_a_rebuilt_ledger_takes_the_highest_epoch(tmp_path: Path) -> None:
    directory = tmp_path / "spool"
    with prepare(directory):
        spool = open_spool(directory)
        append(spool, "a", range(50))
        append(spool, "a", [0])
        spool._staged.positions[SOURCE, "a"] = position("a", 1, epoch=2)
        spool.close()
        assert following(directory, "a") == 1
    lose_ledger(directory)
    with prepare(directory):
        assert following(directory, "a") == 1


def test_a_ledger_of_no_bytes_counts_as_lost(directory: Path) -> None:
    lose_ledger(directory)
    (directory / "ledger.sqlite").touch()
    with prepare(directory) as found:
        assert found.rebuilt == "lost"
        assert len(spooled(directory)) == 13


@pytest.mark.parametrize("damage", ["header", "middle", "all"])
def test_a_damaged_ledger_is_set_aside_and_rebuilt(directory: Path, damage: str) -> None:
    path = directory / "ledger.sqlite"
    size = path.stat().st_size
    with path.open("r+b") as file:
        start, length = {"header": (0, 100), "middle": (4096, 3 * 4096), "all": (0, size)}[damage]
        file.seek(start)
        file.write(b"\xa5" * length)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    with prepare(directory) as found:
        assert found.rebuilt.startswith("damaged")
        assert sorted(spooled(directory)) == [("a", number) for number in range(13)]
        assert following(directory, "a") == 13
        assert len(list(directory.glob("ledger.sqlite.damaged-*"))) == 1
    with prepare(directory) as found:
        assert found.rebuilt == ""


def test_the_quarantine_survives_a_damaged_ledger(tmp_path: Path) -> None:
    directory = tmp_path / "spool"
    record = SealedRecord("00" * 16, 1, SOURCE, "logs", "too_deep", b"\x00ciphertext\xff")
    with prepare(directory):
        spool = open_spool(directory)
        spool.advance([position("a", 1)], quarantined=[record])
        for number in range(1, 400):
            spool.advance([position(f"file-{number}" * 10, number)])
        spool.close()
    connection = sqlite3.connect(directory / "ledger.sqlite")
    (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'position'").fetchone()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with (directory / "ledger.sqlite").open("r+b") as file:
        file.seek(4096 * (root - 1))
        file.write(b"\xa5" * 4096)
    with prepare(directory) as found:
        assert found.rebuilt.startswith("damaged")
        ledger = Ledger.open(directory)
        assert ledger.read("SELECT * FROM quarantine") == [tuple(record)]
        assert ledger.usage("quarantine") == len(record.sealed)
        ledger.close()


def test_a_newer_ledger_is_refused_and_left_alone(directory: Path) -> None:
    connection = sqlite3.connect(directory / "ledger.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(SpoolRefused, match="version 99"):
        prepare(directory)
    assert len(files(directory)) == 2


def test_a_segment_that_lost_bytes_keeps_its_intact_chunks_and_the_rest_is_accounted_for(directory: Path) -> None:
    prepare(directory, ["store", "mirror"]).close()
    first, second = files(directory)
    ends = chunk_ends(first)
    with deliveries(directory) as shipper:
        shipper.delivered(shipper.sealed("mirror")[0], "mirror", 1)
    os.truncate(first, ends[2] - 1)
    with prepare(directory, ["store", "mirror"]) as found:
        (damage,) = found.damaged
        assert (damage.file, damage.lost) == (first.name, Amount(3, 3 * INPUT_BYTES))
        assert sorted(spooled(directory)) == sorted(("a", n) for n in [0, 2, *range(1, 10, 2)])
        assert [segment.records for segment in sealed(directory)] == [2, 5]
        for balance in balances(directory):
            assert balance.holds
            assert balance.dropped == ({"damaged": Amount(3, 21)} if balance.destination == "store" else {})
        assert (first.with_name(first.name + ".damaged")).stat().st_size == ends[2] - 1 - ends[1]
    assert second.exists()


def test_a_segment_that_has_gone_is_accounted_for(directory: Path) -> None:
    files(directory)[0].unlink()
    with prepare(directory) as found:
        assert found.damaged[0].lost == Amount(5, 35)
        assert sorted(spooled(directory)) == [("a", number) for number in range(1, 10, 2)]
        (balance,) = balances(directory)
        assert balance.holds
        assert balance.dropped == {"damaged": Amount(5, 35)}


def test_without_a_ledger_a_damaged_segment_is_cut_behind_its_last_intact_chunk(directory: Path) -> None:
    lose_ledger(directory)
    first = files(directory)[0]
    ends = chunk_ends(first)
    data = bytearray(first.read_bytes())
    data[ends[1] + 3] ^= 0xFF
    data[-1] ^= 0xFF
    first.write_bytes(data)
    with prepare(directory) as found:
        (damage,) = found.damaged
        assert damage.file == first.name
        assert first.with_name(first.name + ".damaged").read_bytes() == data[ends[1] :]
        assert sorted(spooled(directory)) == sorted(("a", n) for n in [0, 2, *range(1, 10, 2)])


def test_a_flipped_bit_in_the_records_is_noticed(directory: Path) -> None:
    lose_ledger(directory)
    first = files(directory)[0]
    end = chunk_ends(first)[0]
    data = bytearray(first.read_bytes())
    data[end - 6] ^= 0x01
    first.write_bytes(data)
    with prepare(directory) as found:
        assert len(found.damaged) == 1
        assert not any(number % 2 == 0 for _, number in spooled(directory))


def test_a_rebuild_that_is_interrupted_begins_again(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lose_ledger(directory)

    def power_cut(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("collector.spool.recovery.sync_directory", power_cut)
        patch.setattr("collector.spool.recovery.put", lambda *_: power_cut(directory))
        with pytest.raises(KeyboardInterrupt):
            prepare(directory)
    with prepare(directory) as found:
        assert found.rebuilt == "lost"
        assert len(spooled(directory)) == 13


def test_delivered_segments_whose_file_is_still_there_are_not_sent_again(directory: Path) -> None:
    with prepare(directory), deliveries(directory) as shipper:
        segment = shipper.sealed("store")[0]
        data = segment.path.read_bytes()
        shipper.delivered(segment, "store", segment.bytes)
        segment.path.write_bytes(data)  # as if the process had died before it removed the file
    with prepare(directory):
        assert not segment.path.exists()
        assert len(sealed(directory)) == 1


def test_a_spool_without_an_exporter_would_only_fill_up(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="exporter"):
        recover(tmp_path, node="n", exporters=[])


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpoolRefused, match="file"):
        prepare(tmp_path / "file" / "spool")


MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:31 / /srv/with\\040space rw - nfs4 server:/export rw
31 22 0:32 / /srv/local rw - tmpfs tmpfs rw
32 31 0:33 / /srv/local/s3 rw - fuse.s3fs s3fs rw
33 31 0:34 / /srv/over rw - nfs server:/x rw
34 31 0:35 / /srv/over rw shared:1 master:2 - xfs /dev/sdb rw
nonsense
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/spool", None),
        ("/srv/with space/spool", "nfs4"),
        ("/srv/with spaces", None),
        ("/srv/local/spool", None),
        ("/srv/local/s3/spool", "fuse.s3fs"),
        ("/srv/over/spool", None),
    ],
)
def test_network_file_systems_are_refused(tmp_path: Path, path: str, kind: str | None) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS)
    if kind is None:
        refuse_network(Path(path), table)
    else:
        with pytest.raises(SpoolRefused, match=kind):
            refuse_network(Path(path), table)
    refuse_network(Path(path), tmp_path / "no such table")


def test_the_lock_is_real(directory: Path) -> None:
    with prepare(directory), (directory / "locks" / "gate.lock").open() as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_counts_survive_a_start(directory: Path) -> None:
    with prepare(directory):
        spool = open_spool(directory)
        spool.advance([], counts=[counted("read", 2), counted("quarantined", 2, "too_deep")])
        spool.close()
    with prepare(directory):
        (balance,) = balances(directory)
        assert balance.read == Amount(12, 84)
        assert balance.quarantined == {"too_deep": Amount(2, 14)}
        assert balance.holds
