"""`policy diff`: ends as diff does, and says what changes without showing a value."""

from pathlib import Path

import pytest

from tests.collector.cli.conftest import Run

LINES = b"mail jane@example.com\nnothing\n\ncall 415-234-1023 or jane@example.com\n"


@pytest.fixture(autouse=True)
def _policies(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text("patterns: [{detector: email}]\n")
    (tmp_path / "new.yaml").write_text("patterns: [{detector: email, action: mask}, {detector: phone}]\n")
    (tmp_path / "watch.yaml").write_text("mode: observe\npatterns: [{detector: email}]\n")
    (tmp_path / "app.log").write_bytes(LINES)


def test_what_changes(sluicegate: Run) -> None:
    done = sluicegate("policy", "diff", "old.yaml", "new.yaml", "app.log", "-", input=b"x@y.io\n")
    assert (done.returncode, done.stderr) == (1, b"")
    lines = [" ".join(line.split()) for line in done.stdout.decode().splitlines()]
    assert lines == [
        "5 records, 3 become something else",
        "rule action old new",
        "email mask 0 3 +3",
        "email replace 3 0 -3",
        "phone replace 0 1 +1",
        "",
        "what changes records masked first at",
        "email: replace → mask 3 ja************om app.log:1",
        "phone (replace): new 1 41********23 app.log:4",
    ]


def test_nothing_changes(sluicegate: Run) -> None:
    done = sluicegate("policy", "diff", "old.yaml", "old.yaml", "app.log")
    assert (done.returncode, done.stdout) == (0, b"4 records, 0 become something else\n")


def test_a_policy_that_only_observes(sluicegate: Run) -> None:
    done = sluicegate("policy", "diff", "watch.yaml", "old.yaml", "app.log")
    assert done.returncode == 1
    assert b"mode: observe \xe2\x86\x92 enforce" in done.stdout
    assert b" 0 become something else" in done.stdout


def test_presets_have_names(sluicegate: Run) -> None:
    assert sluicegate("policy", "diff", "default", "default", "app.log").returncode == 0


def test_trouble_ends_with_2(sluicegate: Run) -> None:
    done = sluicegate("policy", "diff", "old.yaml", "old.yaml", "none", "app.log")
    assert (done.returncode, done.stderr) == (2, b"sluicegate: none: No such file or directory\n")
    assert b"4 records" in done.stdout


def test_a_policy_that_is_wrong_ends_with_78(sluicegate: Run, tmp_path: Path) -> None:
    (tmp_path / "new.yaml").write_text("kees: []\n")
    assert sluicegate("policy", "diff", "old.yaml", "new.yaml", "app.log").returncode == 78
