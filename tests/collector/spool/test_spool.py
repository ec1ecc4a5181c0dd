"""What is committed is there, with its position; what is not is not."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from spooling import (
    HOUR,
    NODE,
    SOURCE,
    append,
    counted,
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

from collector.spool import Amount, Ledger, Limits, Spool, SpoolRefused
from exporters.chunk import ChunkHeader


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    with prepare(tmp_path / "spool"):
        yield tmp_path / "spool"


@pytest.fixture
def spool(directory: Path) -> Iterator[Spool]:
    spool = open_spool(directory)
    yield spool
    die(spool)


def test_nothing_is_stored_before_the_commit_and_everything_with_it(directory: Path, spool: Spool) -> None:
    append(spool, "a", range(3))
    append(spool, "b", range(2))
    assert spool.staged_bytes > 0
    assert spooled(directory) == []
    assert spool.positions(SOURCE) == {}
    spool.commit()
    assert spool.staged_bytes == 0
    assert sorted(spooled(directory)) == [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)]
    assert spool.positions(SOURCE) == {"a": position("a", 3), "b": position("b", 2)}


def test_positions_of_a_batch_that_left_nothing_are_committed_too(directory: Path, spool: Spool) -> None:
    spool.advance([position("a", 5)], counts=[counted("read", 5), counted("dropped", 5, "filtered")])
    spool.commit()
    assert position_of(spool, "a") == 5
    assert files(directory) == []


def test_forgotten_keys_are_gone_unless_they_come_back(spool: Spool) -> None:
    spool.advance([position("a", 5), position("b", 5)])
    spool.commit()
    spool.forget(SOURCE, ["a", "b"])
    spool.advance([position("b", 6)])
    spool.commit()
    assert spool.positions(SOURCE) == {"b": position("b", 6)}


def test_positions_are_kept_per_source(spool: Spool) -> None:
    spool.advance([position("a", 5)])
    spool.commit()
    assert spool.positions("other") == {}


def test_a_full_segment_is_sealed_by_the_commit_that_filled_it(directory: Path) -> None:
    spool = open_spool(directory, limits=Limits(segment_bytes=2_000))
    append(spool, "a", range(1))
    spool.commit()
    assert sealed(directory) == []
    append(spool, "a", range(1, 20), padding=400)
    spool.commit()
    append(spool, "a", range(20, 21))
    spool.commit()
    (segment,) = sealed(directory)
    assert read_segment(segment) == [("a", number) for number in range(20)]
    die(spool)


def test_an_old_segment_is_sealed_when_it_is_due(directory: Path) -> None:
    now = 1000.0
    spool = open_spool(directory, limits=Limits(segment_age=60), clock=lambda: now)
    append(spool, "a", [0])
    spool.commit()
    now += 59.9
    append(spool, "a", [1])
    spool.seal_due()
    assert sealed(directory) == []
    now += 0.1
    spool.seal_due()
    assert [read_segment(segment) for segment in sealed(directory)] == [[("a", 0), ("a", 1)]]
    die(spool)


def test_closing_seals_everything(directory: Path) -> None:
    spool = open_spool(directory)
    append(spool, "a", [0])
    spool.close()
    assert [read_segment(segment) for segment in sealed(directory)] == [[("a", 0)]]


def test_a_segment_holds_one_hour_of_one_retention_class_and_policy(directory: Path) -> None:
    spool = open_spool(directory)
    append(spool, "a", [0], hour=1)
    append(spool, "a", [1], hour=2)
    append(spool, "a", [2], hour=1, retention="audit")
    append(spool, "a", [3], hour=1, policy="ffff")
    append(spool, "a", [4], hour=1)
    spool.close()
    segments = sealed(directory)
    assert [read_segment(segment) for segment in segments] == [[("a", 0), ("a", 4)], [("a", 1)], [("a", 2)], [("a", 3)]]
    assert [segment.retention for segment in segments] == ["standard", "standard", "audit", "standard"]
    assert segments[1].name.startswith(f"standard/logs/dt=1970-01-01/hr=02/{NODE}-")
    first = segments[0]
    assert (first.records, first.first_time, first.last_time) == (2, HOUR, HOUR + 1)


def test_late_records_do_not_open_segments_without_bound(directory: Path) -> None:
    spool = open_spool(directory, limits=Limits(open_segments=3))
    for hour in range(10):
        append(spool, "a", [hour], hour=hour)
        spool.commit()
    assert [read_segment(segment) for segment in sealed(directory)] == [[("a", hour)] for hour in range(7)]
    die(spool)


def test_segments_are_listed_in_order_of_birth_over_all_workers(directory: Path) -> None:
    spools = [open_spool(directory, worker) for worker in range(3)]
    for number in range(9):
        append(spools[number % 3], "abc"[number % 3], [number // 3], hour=number)
    for spool in reversed(spools):
        spool.close()
    assert [segment.first_time // HOUR for segment in sealed(directory)] == list(range(9))


def test_ids_grow_even_when_the_clock_was_set_back(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = [2_000_000_000_000_000_000, 1_000_000_000_000_000_000]
    for number, time in enumerate(times):
        monkeypatch.setattr("time.time_ns", lambda time=time: time)
        spool = open_spool(directory)
        append(spool, "a", [number])
        spool.close()
    assert [read_segment(segment) for segment in sealed(directory)] == [[("a", 0)], [("a", 1)]]


def test_only_the_owner_can_read_the_spool(directory: Path, spool: Spool) -> None:
    append(spool, "a", [0])
    spool.commit()
    for path in [directory, *directory.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_bytes_are_those_on_disk(directory: Path, spool: Spool) -> None:
    for number in range(5):
        append(spool, "a", [number], hour=number)
        assert spool.bytes() == sum(path.stat().st_size for path in files(directory))
    spool.commit()
    assert spool.bytes() == sum(path.stat().st_size for path in files(directory)) > 0


def test_what_is_not_committed_is_read_again_and_stored_once(directory: Path) -> None:
    spool = open_spool(directory)
    append(spool, "a", range(3))
    spool.commit()
    append(spool, "a", range(3, 6))
    append(spool, "b", range(1), hour=3)
    die(spool)
    spool = open_spool(directory)
    assert spool.recovered.cut_bytes > 0
    assert position_of(spool, "a") == 3
    append(spool, "a", range(3, 6))
    spool.close()
    assert spooled(directory) == [("a", number) for number in range(6)]


def test_the_balance_says_what_became_of_everything(directory: Path) -> None:
    spool = open_spool(directory)
    append(spool, "a", range(4))
    spool.advance([position("b", 3)], counts=[counted("read", 3), counted("quarantined", 2, "too_deep")])
    spool.advance([], counts=[counted("dropped", 1, "filtered")])
    spool.close()
    ledger = Ledger.open(directory)
    (balance,) = ledger.balance()
    ledger.close()
    assert (balance.origin, balance.destination) == (SOURCE, "store")
    assert balance.read == Amount(7, 49)
    assert balance.pending == Amount(4, 28)
    assert balance.delivered == Amount()
    assert balance.dropped == {"filtered": Amount(1, 7)}
    assert balance.quarantined == {"too_deep": Amount(2, 14)}
    assert balance.holds


def test_a_balance_with_records_unaccounted_for_does_not_hold(directory: Path, spool: Spool) -> None:
    spool.advance([position("a", 1)], counts=[counted("read", 1)])
    spool.commit()
    ledger = Ledger.open(directory)
    assert [balance.holds for balance in ledger.balance()] == [False]
    ledger.close()


@pytest.mark.parametrize(
    ("first", "last", "retention"),
    [(-1, 0, "r"), (0, HOUR, "r"), (5, 4, "r"), (1 << 63, 1 << 63, "r"), (0, 0, ""), (0, 0, "../r"), (0, 0, "r" * 101)],
)
def test_a_chunk_no_segment_can_hold_is_refused(spool: Spool, first: int, last: int, retention: str) -> None:
    header = ChunkHeader(
        signal="logs", format="lines", source="a", records=0, first_time=first, last_time=last, policy="p"
    )
    with pytest.raises(ValueError, match=r"hour|retention"):
        spool.append(header, b"", retention=retention)


def test_two_processes_cannot_be_the_same_worker(directory: Path, spool: Spool) -> None:
    with pytest.raises(SpoolRefused, match=r"worker-0\.lock"):
        open_spool(directory, worker=0)


def test_a_directory_that_recovery_has_not_seen_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpoolRefused):
        open_spool(tmp_path)


def test_an_empty_chunk_still_carries_its_positions(directory: Path, spool: Spool) -> None:
    header = ChunkHeader(signal="logs", format="lines", source=SOURCE, records=0, first_time=0, last_time=0, policy="p")
    spool.append(header, b"", retention="standard", positions=[position("a", 4)])
    spool.commit()
    assert position_of(spool, "a") == 4
    assert spooled(directory) == []
