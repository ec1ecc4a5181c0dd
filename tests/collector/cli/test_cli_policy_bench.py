"""`policy bench`: a table of costs, on one's own logs or on generated ones."""

import re
from pathlib import Path

import pytest

from tests.collector.cli.conftest import Run


@pytest.fixture(autouse=True)
def _policy(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("keys: [{names: [colour]}]\npatterns: [{detector: email}, {detector: ipv4}]\n")


def rows(out: bytes) -> dict[str, str]:
    """By rule: how many findings."""
    return {
        match[1]: match[2]
        for match in re.finditer(
            r"^(\S+(?: \(\d+ names\))?) +([\d,]+) +\d+\.\d{3} +\d+% *$", out.decode(), re.MULTILINE
        )
    }


def test_on_generated_logs(sluicegate: Run) -> None:
    done = sluicegate("policy", "bench", "--policy", "p.yaml", "--size", "1")
    assert (done.returncode, done.stderr) == (0, b"")
    first, second = done.stdout.decode().splitlines()[:2]
    assert re.fullmatch(r"[\d,]+ records, 1\.0 MB: [\d,]+ MB/s, \d+\.\d\d of zstd level 1 \([\d,]+ MB/s\)", first)
    assert second.endswith("on the reference path")
    assert set(rows(done.stdout)) == {"keys (1 names)", "email", "ipv4"}


def test_on_ones_own_logs(sluicegate: Run, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(b"mail a@b.io colour=red\nfrom 203.0.113.9\n" * 1000)
    done = sluicegate("policy", "bench", "--policy", "p.yaml", "app.log", "-", input=b"x@y.io")
    assert done.returncode == 0
    assert done.stdout.startswith(b"2,001 records")
    assert rows(done.stdout) == {"keys (1 names)": "1,000", "email": "1,001", "ipv4": "1,000"}


def test_reads_no_more_than_is_asked_for(sluicegate: Run, tmp_path: Path) -> None:
    with (tmp_path / "app.log").open("wb") as file:
        for _ in range(50):
            file.write(b"x" * 99 + b"\n" + b"y" * 104_857)
            file.write(b"\n")
    done = sluicegate("policy", "bench", "--policy", "p.yaml", "--size", "1", "app.log")
    assert float(re.findall(r"records, ([\d.]+) MB", done.stdout.decode())[0]) < 2.2


@pytest.mark.parametrize(("arguments", "said"), [(("none",), b"none: No such file"), (("-",), b"nothing to measure")])
def test_nothing_to_measure_with(arguments: tuple[str, ...], said: bytes, sluicegate: Run) -> None:
    done = sluicegate("policy", "bench", *arguments)
    assert (done.returncode, done.stdout) == (1, b"")
    assert said in done.stderr
