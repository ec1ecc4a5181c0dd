"""Each destination gets each segment; a file goes when all have it; the books say who has what."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from spooling import NODE, append, deliveries, files, open_spool, prepare, sealed

from collector.spool import Amount, Balance, Dropped, Ledger, Spool, SpoolRefused, recover
from collector.spool.delivery import drop_oldest


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Three sealed segments of one record each, for two exporters."""
    directory = tmp_path / "spool"
    with prepare(directory, ["store", "mirror"]):
        spool = open_spool(directory)
        for number in range(3):
            append(spool, "a", [number], hour=number)
        spool.close()
    return directory


def balance(directory: Path, destination: str) -> Balance:
    ledger = Ledger.open(directory)
    (found,) = [balance for balance in ledger.balance() if balance.destination == destination]
    ledger.close()
    assert found.holds
    return found


def test_a_file_goes_when_every_exporter_has_it(directory: Path) -> None:
    with deliveries(directory) as shipper:
        first, *_ = shipper.sealed("store")
        shipper.delivered(first, "store", 100)
        assert first.path.exists()
        assert first not in shipper.sealed("store")
        assert shipper.sealed("mirror")[0] == first
        shipper.delivered(first, "mirror", 100)
        assert not first.path.exists()
        assert len(shipper.sealed("mirror")) == 2
    assert balance(directory, "store").delivered == balance(directory, "mirror").delivered == Amount(1, 7)


def test_what_is_said_twice_counts_once(directory: Path) -> None:
    with deliveries(directory) as shipper:
        first, *_ = shipper.sealed("store")
        for _ in range(2):
            shipper.delivered(first, "store", 100)
            assert balance(directory, "store").delivered == Amount(1, 7)
        for _ in range(2):
            shipper.delivered(first, "mirror", 100)  # the second time the segment is gone
            assert balance(directory, "mirror").delivered == Amount(1, 7)


def test_a_rejected_segment_is_kept_and_does_not_hold_up_the_others(directory: Path) -> None:
    with deliveries(directory) as shipper:
        first, *others = shipper.sealed("store")
        shipper.rejected(first, "store", "entity too large")
        assert shipper.sealed("store") == others
        assert shipper.set_aside("store") == [(first, "entity too large")]
        for segment in [first, *others]:
            shipper.delivered(segment, "mirror", 1)
        for segment in others:
            shipper.delivered(segment, "store", 1)
        assert [path.name for path in files(directory)] == [first.path.name]
        assert balance(directory, "store").dropped == {"rejected": Amount(1, 7)}
        assert balance(directory, "mirror").dropped == {}


def test_a_rejected_segment_can_be_put_back(directory: Path) -> None:
    with deliveries(directory) as shipper:
        first, *_ = shipper.sealed("store")
        shipper.rejected(first, "store", "entity too large")
        assert shipper.put_back("store") == 1
        assert shipper.sealed("store")[0] == first
        shipper.delivered(first, "store", 1)
        assert balance(directory, "store").delivered == Amount(1, 7)


def test_an_exporter_that_is_taken_out_is_not_waited_for(directory: Path) -> None:
    with deliveries(directory) as shipper:
        first, *_ = shipper.sealed("store")
        shipper.delivered(first, "store", 1)
    with prepare(directory, ["store"]):
        assert not first.path.exists()
        assert len(sealed(directory)) == 2
    with prepare(directory, ["store", "mirror"]):
        assert balance(directory, "mirror").dropped == {"not_configured": Amount(1, 7)}
        assert balance(directory, "mirror").pending == Amount(2, 14)


def test_a_new_exporter_gets_what_is_still_there_and_says_what_it_missed(directory: Path) -> None:
    with deliveries(directory) as shipper:
        first, *_ = shipper.sealed("store")
        shipper.delivered(first, "store", 1)
        shipper.delivered(first, "mirror", 1)
    for _ in range(2):
        with prepare(directory, ["store", "mirror", "archive"]), deliveries(directory) as shipper:
            assert len(shipper.sealed("archive")) == 2
            assert balance(directory, "archive").dropped == {"not_configured": Amount(1, 7)}


def test_a_segment_rejected_by_an_exporter_that_is_taken_out_goes(directory: Path) -> None:
    with deliveries(directory) as shipper:
        first, *_ = shipper.sealed("store")
        shipper.rejected(first, "mirror", "no")
        shipper.delivered(first, "store", 1)
        assert first.path.exists()
    with prepare(directory, ["store"]):
        assert not first.path.exists()
    with prepare(directory, ["store", "mirror"]):
        assert balance(directory, "mirror").dropped == {"rejected": Amount(1, 7)}


def test_a_renamed_node_does_not_rename_objects(directory: Path) -> None:
    names = [segment.name for segment in sealed(directory)]
    assert all(f"/{NODE}-" in name for name in names)
    with recover(directory, node="renamed", exporters=["store", "mirror"]):
        Spool.open(directory, node="renamed", worker=0).close()
    assert [segment.name for segment in sealed(directory)] == names


def test_the_list_is_bounded(directory: Path) -> None:
    with deliveries(directory) as shipper:
        assert shipper.sealed("store", limit=2) == shipper.sealed("store")[:2]


def test_one_process_ships(directory: Path) -> None:
    with deliveries(directory), pytest.raises(SpoolRefused, match=r"shipper\.lock"), deliveries(directory):
        pass


def test_the_oldest_are_dropped_until_there_is_room(directory: Path) -> None:
    with deliveries(directory) as shipper:
        first, second, third = shipper.sealed("store")
        shipper.delivered(first, "mirror", 1)
        ledger = Ledger.open(directory)
        dropped = drop_oldest(ledger, directory, first.bytes + 1, "overflow")
        assert dropped == [
            Dropped("app", "logs", "store", 2, 14),
            Dropped("app", "logs", "mirror", 1, 7),
        ]
        assert files(directory) == [third.path]
        assert drop_oldest(ledger, directory, 0, "overflow") == []
        assert drop_oldest(ledger, directory, 1 << 40, "overflow") != []
        assert drop_oldest(ledger, directory, 1 << 40, "overflow") == []
        ledger.close()
        for _ in range(2):
            shipper.delivered(second, "store", 1)  # it was on its way
        assert not shipper.rejected(third, "store", "its file is gone")
        assert shipper.sealed("store") == shipper.set_aside("store") == []
    assert balance(directory, "mirror").delivered == Amount(1, 7)
    assert balance(directory, "mirror").dropped == {"overflow": Amount(2, 14)}
    assert balance(directory, "store").delivered == Amount(1, 7)
    assert balance(directory, "store").dropped == {"overflow": Amount(2, 14)}


def test_what_was_set_aside_is_dropped_for_room_too(directory: Path) -> None:
    with deliveries(directory) as shipper:
        for segment in shipper.sealed("store"):
            shipper.rejected(segment, "store", "entity too large")
            shipper.delivered(segment, "mirror", 1)
    ledger = Ledger.open(directory)
    drop_oldest(ledger, directory, 1 << 40, "overflow")
    ledger.close()
    assert files(directory) == []
    assert balance(directory, "store").dropped == {"rejected": Amount(3, 21)}
    assert balance(directory, "mirror").delivered == Amount(3, 21)
