"""Records nobody could scrub: durable with their position, unreadable without the key, gone in time."""

import logging
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.batch import Batch, Format, Origin, Position
from collector.quarantine import DAY, Quarantine, QuarantineError, QuarantineFull, load_key
from collector.spool import Spool, SpoolFull, recover
from tests.otlp import span_names, spans

SECRET = b"jane.doe@example.org 4111111111111111"
BODY = b"fine\n" + SECRET + b"\nfine too\n\xff\x00\r\n"


@dataclass(frozen=True)
class Unhandled:
    index: int
    reason: str = "too_deep"


def batch(body: bytes = BODY, *, at: int | None = 1, format_: Format = "lines") -> Batch:
    positions = () if at is None else (Position("app", "file", 1, b"%d" % at),)
    return Batch("logs", format_, Origin("app"), body, body.count(b"\n"), 0, 0, positions)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    with recover(tmp_path / "spool", node="n", exporters=["store"]):
        yield tmp_path / "spool"


@pytest.fixture
def spool(directory: Path) -> Iterator[Spool]:
    spool = Spool.open(directory, node="n", worker=0)
    yield spool
    spool.close()


@pytest.fixture
def quarantine(directory: Path, tmp_path: Path) -> Iterator[Quarantine]:
    quarantine = Quarantine.open(directory, tmp_path / "keys" / "quarantine.key")
    yield quarantine
    quarantine.close()


def put(spool: Spool, quarantine: Quarantine, of: Batch, unhandled: Sequence[Unhandled]) -> None:
    spool.advance(of.positions, quarantined=quarantine.seal(of, unhandled))
    spool.commit()


def test_a_record_comes_back_as_it_came(spool: Spool, quarantine: Quarantine) -> None:
    put(spool, quarantine, batch(), [Unhandled(1), Unhandled(3, "invalid")])
    entries = quarantine.list()
    assert {quarantine.show(entry.id).content for entry in entries} == {SECRET, b"\xff\x00\r"}
    assert {entry.reason for entry in entries} == {"too_deep", "invalid"}
    assert {(entry.source, entry.signal) for entry in entries} == {("app", "logs")}


def test_of_a_request_all_is_kept(spool: Spool, quarantine: Quarantine) -> None:
    put(spool, quarantine, batch(b"\n\x12\x0a\n", format_="otlp"), [Unhandled(0)])
    (entry,) = quarantine.list()
    assert quarantine.show(entry.id).content == b"\n\x12\x0a\n"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(records=st.lists(st.binary(max_size=50).map(lambda raw: raw.replace(b"\n", b"")), min_size=1, max_size=5))
def test_any_bytes_come_back(spool: Spool, quarantine: Quarantine, records: list[bytes]) -> None:
    quarantine.release([entry.id for entry in quarantine.list()])
    of = batch(b"".join(record + b"\n" for record in records), at=None)
    put(spool, quarantine, of, [Unhandled(index) for index in range(len(records))])
    assert sorted(quarantine.show(entry.id).content for entry in quarantine.list()) == sorted(records)


def test_a_record_is_there_with_its_position_or_not_at_all(
    directory: Path, spool: Spool, quarantine: Quarantine
) -> None:
    spool.advance(batch().positions, quarantined=quarantine.seal(batch(), [Unhandled(1)]))
    assert quarantine.list() == []
    assert spool.positions("app") == {}
    spool.commit()
    assert len(quarantine.list()) == 1
    assert spool.positions("app") == {"file": batch().positions[0]}


def test_a_batch_that_is_read_again_is_not_stored_twice(spool: Spool, quarantine: Quarantine) -> None:
    for _ in range(2):
        put(spool, quarantine, batch(), [Unhandled(1), Unhandled(3)])
    assert len(quarantine.list()) == 2
    put(spool, quarantine, batch(at=2), [Unhandled(1)])
    assert len(quarantine.list()) == 3


def test_without_positions_every_record_is_one_of_its_own(spool: Spool, quarantine: Quarantine) -> None:
    for _ in range(2):
        put(spool, quarantine, batch(at=None), [Unhandled(1)])
    assert len(quarantine.list()) == 2


def test_nothing_readable_is_on_disk(directory: Path, spool: Spool, quarantine: Quarantine) -> None:
    put(spool, quarantine, batch(), [Unhandled(1)])
    for path in directory.rglob("*"):
        if path.is_file():
            assert b"jane" not in path.read_bytes()
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_contents_are_in_no_message(spool: Spool, quarantine: Quarantine, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        put(spool, quarantine, batch(), [Unhandled(1)])
        (entry,) = quarantine.list()
        quarantine.show(entry.id)
    assert "jane" not in caplog.text
    assert "jane" not in repr(quarantine.list()) + repr(quarantine.seal(batch(at=9), [Unhandled(1)]))


def test_another_key_does_not_open_it(directory: Path, spool: Spool, quarantine: Quarantine, tmp_path: Path) -> None:
    put(spool, quarantine, batch(), [Unhandled(1)])
    (entry,) = quarantine.list()
    other = Quarantine.open(directory, tmp_path / "keys" / "quarantine.key")
    assert other.show(entry.id).content == SECRET
    other.close()
    (tmp_path / "other.key").write_bytes(bytes(32))
    (tmp_path / "other.key").chmod(0o600)
    other = Quarantine.open(directory, tmp_path / "other.key")
    with pytest.raises(QuarantineError, match="another key"):
        other.show(entry.id)
    other.close()


@pytest.mark.parametrize(
    "change",
    [
        "reason = 'x'",
        "time = time + 1",
        "source = 'other'",
        "sealed = x'00'",
        "sealed = x''",
        "sealed = substr(sealed, 2)",
    ],
)
def test_a_row_that_was_changed_is_not_opened(
    directory: Path, spool: Spool, quarantine: Quarantine, change: str
) -> None:
    put(spool, quarantine, batch(), [Unhandled(1)])
    (entry,) = quarantine.list()
    connection = sqlite3.connect(directory / "ledger.sqlite")
    connection.execute(f"UPDATE quarantine SET {change}")  # noqa: S608
    connection.commit()
    connection.close()
    with pytest.raises(QuarantineError, match="damaged"):
        quarantine.show(entry.id)


def test_released_records_are_gone(spool: Spool, quarantine: Quarantine) -> None:
    put(spool, quarantine, batch(), [Unhandled(1), Unhandled(3)])
    first, second = quarantine.list()
    assert quarantine.release([first.id, "no such id"]) == 1
    assert quarantine.list() == [second]
    with pytest.raises(QuarantineError, match="no record"):
        quarantine.show(first.id)


def test_records_expire(spool: Spool, quarantine: Quarantine) -> None:
    put(spool, quarantine, batch(), [Unhandled(1)])
    (entry,) = quarantine.list()
    assert quarantine.expire(entry.time + 7 * DAY) == 0
    assert quarantine.expire(entry.time + 7 * DAY + 1) == 1
    assert quarantine.list() == []


def test_a_full_quarantine_is_waited_for(directory: Path, spool: Spool, tmp_path: Path) -> None:
    quarantine = Quarantine.open(directory, tmp_path / "key", max_bytes=1_000)
    put(spool, quarantine, batch(b"x" * 2_000 + b"\n"), [Unhandled(0)])  # one batch always fits
    with pytest.raises(QuarantineFull) as caught:
        quarantine.seal(batch(at=2), [Unhandled(1)])
    assert isinstance(caught.value, SpoolFull)
    assert quarantine.seal(batch(at=2), []) == []
    quarantine.release([entry.id for entry in quarantine.list()])
    assert len(quarantine.seal(batch(at=2), [Unhandled(1)])) == 1
    quarantine.close()


def test_a_lost_key_is_not_replaced_while_records_need_it(
    directory: Path, spool: Spool, quarantine: Quarantine, tmp_path: Path
) -> None:
    put(spool, quarantine, batch(), [Unhandled(1)])
    key = tmp_path / "keys" / "quarantine.key"
    key.unlink()
    with pytest.raises(QuarantineError, match="missing"):
        Quarantine.open(directory, key)
    assert not key.exists()


def test_the_key_file_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "key"
    key = load_key(path)
    assert len(key) == 32
    assert load_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["key"]


def test_a_key_file_that_will_not_do_is_refused(directory: Path, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(bytes(32))
    path.chmod(0o644)
    with pytest.raises(QuarantineError, match="chmod 600"):
        load_key(path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(QuarantineError, match="5 bytes, not 32"):
        Quarantine.open(directory, path)
    with pytest.raises(QuarantineError, match="directory"):
        load_key(tmp_path)


def test_records_of_a_request_are_kept_as_a_request_for_each_reason(spool: Spool, quarantine: Quarantine) -> None:
    body = spans(["a", "b", "c", "d"])
    request = Batch("traces", "otlp", Origin("otlp"), body, 4, 0, 0)
    put(spool, quarantine, request, [Unhandled(0), Unhandled(2, "invalid"), Unhandled(3)])
    found = {entry.reason: quarantine.show(entry.id) for entry in quarantine.list()}
    assert {reason: span_names(shown.content) for reason, shown in found.items()} == {
        "too_deep": ["a", "d"],
        "invalid": ["c"],
    }
    assert {(shown.signal, shown.format) for shown in found.values()} == {("traces", "otlp")}
    assert quarantine.release([entry.id for entry in quarantine.list()]) == 2
    assert quarantine.list() == []
