"""`sluicegate status`: the ledger's figures, for people and for programs."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Run = Callable[..., "CompletedProcess[bytes]"]


@pytest.fixture
def home(sluicegate: Run, tmp_path: Path) -> Path:
    """The home of a gate that took in three records, one of them unscrubbable."""
    (tmp_path / "app.log").write_bytes(b'{"a":1}\n{"email":"canary@example.com"}\nplain\n')
    assert sluicegate("run", "--once", str(tmp_path / "app.log")).returncode == 0
    return tmp_path


def test_the_figures_as_a_table(sluicegate: Run, home: Path) -> None:
    shown = sluicegate("status")
    assert shown.returncode == 0, shown.stderr
    words = shown.stdout.decode().split("\n")[2].split()
    assert words[2:] == ["3", "3", "0", "0", "0"]


def test_the_figures_as_json(sluicegate: Run, home: Path) -> None:
    shown = json.loads(sluicegate("status", "--json").stdout)
    [balance] = shown["balances"]
    assert balance["holds"]
    assert balance["read"]["records"] == balance["delivered"]["records"] == 3
    assert balance["read"]["bytes"] == (home / "app.log").stat().st_size
    assert balance["pending"] == {"records": 0, "bytes": 0}
    assert shown["spool"]["sealed_segments"] == shown["spool"]["bytes"] == 0


def test_a_ledger_that_does_not_balance_is_told(sluicegate: Run, home: Path) -> None:
    [ledger] = home.rglob("ledger.sqlite")
    with closing(sqlite3.connect(ledger)) as connection, connection:
        connection.execute("UPDATE count SET records = records + 1 WHERE outcome = 'read'")
    shown = sluicegate("status")
    assert shown.returncode == 1
    assert b"does not balance" in shown.stderr


def test_no_spool(sluicegate: Run) -> None:
    shown = sluicegate("status")
    assert shown.returncode == 1
    assert b"is not a spool" in shown.stderr
    assert shown.stdout == b""
