"""`policy explain`: a line of one's own is shown, a line of a file is not."""

from pathlib import Path

import pytest

from tests.collector.cli.conftest import Run

LINE = "user=jane@example.com card 4111111111111112"


def table(out: bytes) -> list[list[str]]:
    return [line.split() for line in out.decode().splitlines()]


def test_a_line_of_ones_own(sluicegate: Run) -> None:
    done = sluicegate("policy", "explain", LINE)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "line 1, 43 bytes: 1 finding"
    assert lines[1:3] == [f"- {LINE}", "+ user=[REDACTED:email] card 4111111111111112"]
    assert [lines[4].split()[at] for at in (0, 1, 3, 4, 5, 6)] == [
        "email", "replace", "2", "5–21", "jane@example.com", "[REDACTED:email]"
    ]  # fmt: skip
    assert lines[5] == "  not found:"
    assert lines[6].split()[:3] == ["payment_card", "27–43", "4111111111111112"]
    assert "check digits" in lines[6]


@pytest.mark.parametrize("arguments", [(), ("-",)])
def test_of_lines_from_stdin_no_value_is_shown(arguments: tuple[str, ...], sluicegate: Run) -> None:
    given = f"{LINE}\npassword=hunter2\n4111111111111111\n".encode()
    policy = ("--policy", "p.yaml")
    done = sluicegate("policy", "explain", *policy, *arguments, input=given)
    assert done.returncode == 78  # no such file
    done = sluicegate("policy", "explain", *arguments, input=given)
    assert done.returncode == 0
    assert done.stdout.count(b"line ") == 3
    for value in (b"jane", b"example", b"hunter2", b"4111"):
        assert value not in done.stdout
    assert b"xxxx@xxxxxxx.xxx" in done.stdout


def test_a_mask_shows_nothing_of_a_value_from_stdin(sluicegate: Run, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("patterns: [{detector: payment_card, action: mask, keep_last: 8}]\n")
    done = sluicegate("policy", "explain", "--policy", "p.yaml", input=b"4111111111111111\n")
    assert b"(a part of it stays)" in done.stdout
    assert b"1111" not in done.stdout


def test_why_not(sluicegate: Run) -> None:
    done = sluicegate("policy", "explain", "--why", "password", "--why", "email", "passwords of root@localhost")
    said = done.stdout.decode().splitlines()
    assert "  about it:" in said
    assert any(line.split()[0] == "key:password" and "longer words" in line for line in said if line.strip())
    assert any("root@localhost" in line and "it has not the form" in line for line in said)


def test_where_the_line_comes_from(sluicegate: Run, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("patterns: [{detector: email, scope: {resource: {team: [a]}}}]\n")
    options = ("--policy", "p.yaml", "--resource")
    assert b"1 finding\n" in sluicegate("policy", "explain", *options, "team=a", "a@b.io").stdout
    elsewhere = sluicegate("policy", "explain", *options, "team=b", "a@b.io").stdout
    assert b"0 findings" in elsewhere
    assert b"`scope` leaves this place out" in elsewhere
    assert sluicegate("policy", "explain", *options, "team", "a@b.io").returncode == 2


def test_a_record_that_is_withheld(sluicegate: Run) -> None:
    done = sluicegate("policy", "explain", "jane%252525252525252540example.com")
    assert done.returncode == 0
    assert b"the record is withheld: encoded too deep" in done.stdout


def test_a_line_cannot_steer_the_terminal(sluicegate: Run) -> None:
    out = sluicegate("policy", "explain", "\x1b]0;x\x07 a@b.io").stdout
    assert b"\x1b" not in out
    assert b"\x07" not in out
