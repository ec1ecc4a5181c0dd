"""What could not be scrubbed is listed without contents, shown on demand, and let go."""

from pathlib import Path
from typing import NamedTuple

import pytest

from collector.batch import Batch, Origin, Position
from collector.quarantine import Quarantine, part
from collector.spool import Ledger, recover
from collector.spool.ledger import Staged
from exporters.otlp_json import readable
from tests.collector.cli.conftest import Run
from tests.otlp import spans


class Unhandled(NamedTuple):
    index: int
    reason: str


NOON = 1_795_521_600_000_000_000


@pytest.fixture
def ids(gate_home: Path) -> list[str]:
    """A spool with two records in quarantine."""
    position = Position("app", "1-2", 0, b"7")
    batch = Batch("logs", "lines", Origin("app"), b"secret one\nfine\nsecret two\n", 3, NOON, NOON, (position,))
    return _put(gate_home, batch, Unhandled(0, "too_deep"), Unhandled(2, "too_deep"))


def _put(gate_home: Path, batch: Batch, *unhandled: Unhandled) -> list[str]:
    spool = gate_home / "spool"
    recover(spool, node="n", exporters=["local"]).close()
    quarantine = Quarantine.open(spool, gate_home / "quarantine.key")
    rows = quarantine.seal(batch, unhandled)
    ledger = Ledger.open(spool)
    staged = Staged()
    staged.quarantined.extend(rows)
    ledger.write(staged)
    ledger.close()
    quarantine.close()
    return [row.id for row in rows]


def test_list_shows_no_contents(ids: list[str], sluicegate: Run) -> None:
    done = sluicegate("quarantine", "list")
    assert (done.returncode, done.stderr) == (0, b"")
    header, *lines = done.stdout.decode().splitlines()
    assert header.split() == ["id", "time", "source", "signal", "reason", "bytes"]
    assert sorted(line.split()[0] for line in lines) == sorted(ids)
    assert all(line.split()[2:5] == ["app", "logs", "too_deep"] for line in lines)
    assert b"secret" not in done.stdout


def test_show_gives_the_record_as_it_came(ids: list[str], sluicegate: Run) -> None:
    assert sluicegate("quarantine", "show", ids[1]).stdout == b"secret two\n"


def test_release_lets_records_go(ids: list[str], sluicegate: Run) -> None:
    assert sluicegate("quarantine", "release", ids[0], "--yes").stdout == b"1 record deleted\n"
    done = sluicegate("quarantine", "release", ids[0], "--yes")
    assert (done.returncode, done.stdout) == (1, b"0 records deleted\n")
    assert done.stderr == b"sluicegate: 1 was not in quarantine\n"
    assert len(sluicegate("quarantine", "list").stdout.splitlines()) == 2
    assert sluicegate("quarantine", "release", "--all", "--yes").returncode == 0
    assert len(sluicegate("quarantine", "list").stdout.splitlines()) == 1


def test_release_asks_first(ids: list[str], sluicegate: Run) -> None:
    done = sluicegate("quarantine", "release", "--all", input=b"n\n")
    assert done.returncode == 1
    assert b"nothing was deleted" in done.stderr
    assert len(sluicegate("quarantine", "list").stdout.splitlines()) == 3


@pytest.mark.parametrize("arguments", [("show", "0" * 32), ("release", "0" * 32, "--yes")])
def test_an_unknown_record(arguments: tuple[str, ...], ids: list[str], sluicegate: Run) -> None:
    assert sluicegate("quarantine", *arguments).returncode == 1


@pytest.mark.parametrize("arguments", [(), ("--all", "0" * 32)])
def test_release_wants_ids_or_all(arguments: tuple[str, ...], sluicegate: Run) -> None:
    assert sluicegate("quarantine", "release", *arguments).returncode == 2


def test_without_a_spool(sluicegate: Run, gate_home: Path) -> None:
    done = sluicegate("quarantine", "list")
    assert done.returncode == 1
    assert b"is not a spool" in done.stderr
    assert not gate_home.exists()


def test_with_another_key(ids: list[str], sluicegate: Run, gate_home: Path) -> None:
    (gate_home / "quarantine.key").unlink()
    done = sluicegate("quarantine", "list")
    assert done.returncode == 1
    assert b"quarantine.key is missing" in done.stderr


@pytest.mark.parametrize("whole", [True, False], ids=["OTLP", "what only was to be OTLP"])
def test_what_came_by_otlp_is_shown_as_a_line_of_json_if_it_can_be(
    whole: bool, gate_home: Path, sluicegate: Run
) -> None:
    body = spans(["fine", "secret"]) if whole else b"\x0a\x05abc"
    batch = Batch("traces", "otlp", Origin("otlp"), body, 2, NOON, NOON)
    (id_,) = _put(gate_home, batch, Unhandled(1, "too_deep"))
    shown = sluicegate("quarantine", "show", id_)
    assert shown.returncode == 0
    assert shown.stdout == (readable("traces", part(batch, {1})) if whole else body)
