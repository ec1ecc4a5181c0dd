"""`sluicegate reveal` and `sluicegate pseudonym`."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.collector.cli.conftest import COMMAND, Run

KEY, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2
POLICY = """\
keys:
  - names: [email, user.login]
    action: hash
  - names: [card_number]
    action: encrypt
patterns:
  - detector: email
    action: hash
hash:
  key: ${HASH_KEY}
  version: k2
  previous: [{key: an old key of theirs, version: k1, overlap: true}]
encrypt:
  key: ${ENCRYPT_KEY}
  version: k2
  previous: [{key: an old key of theirs that is long enough, version: k1}]
"""
RECORD = b'{"card_number":"4111 \\"1\\"","email":"Bob@x.io","n":1.10}\n'
KEYS = {"HASH_KEY": "a new key of theirs", "ENCRYPT_KEY": KEY}


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    return file


@pytest.fixture
def scrubbed(sluicegate: Run, policy: Path) -> bytes:
    return sluicegate("scrub", "--policy", policy, input=RECORD, env=KEYS).stdout


def test_a_stream_gets_its_values_back(sluicegate: Run, policy: Path, scrubbed: bytes) -> None:
    done = sluicegate("reveal", "--policy", policy, input=scrubbed * 3 + b"[AES: and so on", env=KEYS)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.splitlines()
    assert json.loads(lines[0])["card_number"] == '4111 "1"'
    assert lines[0] == lines[1] == lines[2]
    assert lines[3] == b"[AES: and so on"


def test_a_token_is_opened_with_the_key_alone(sluicegate: Run, tmp_path: Path, scrubbed: bytes) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    token = json.loads(scrubbed)["card_number"]
    done = sluicegate("reveal", "--key", tmp_path / "key", token, token)
    assert (done.returncode, done.stdout) == (0, b'4111 "1"\n' * 2)


def test_a_wrong_key_is_refused(sluicegate: Run, tmp_path: Path, policy: Path, scrubbed: bytes) -> None:
    (tmp_path / "key").write_text(OTHER)
    token = json.loads(scrubbed)["card_number"]
    for wrong in (
        sluicegate("reveal", "--key", tmp_path / "key", token),
        sluicegate("reveal", "--policy", policy, input=scrubbed, env={**KEYS, "ENCRYPT_KEY": OTHER}),
    ):
        assert wrong.returncode == 1
        assert wrong.stderr.startswith(b"sluicegate: 1 token was not opened: the key is not the one that made it")
        assert b"4111" not in wrong.stdout
        assert token.encode() in wrong.stdout
        assert OTHER.encode() not in wrong.stdout + wrong.stderr


def test_a_token_of_an_unknown_version_is_told(sluicegate: Run, policy: Path, scrubbed: bytes) -> None:
    done = sluicegate("reveal", "--policy", policy, input=scrubbed.replace(b"/k2/x", b"/k7/x"), env=KEYS)
    assert (done.returncode, done.stdout) == (1, scrubbed.replace(b"/k2/x", b"/k7/x"))
    assert b"1 token was not opened: the policy has no key of its version" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, b"give --policy or --key"),
        (["--policy", "policy.yaml", "--key", "key"], 2, b"give --policy or --key"),
        (["--key", "nowhere"], 1, b"nowhere: No such file"),
        (["--key", "empty"], 78, b"empty does not hold a key"),
        (["--policy", "none.yaml"], 78, b"none.yaml has no `encrypt` key"),
        (["--key", "key", "hunter2"], 1, b"there is no token in what was given"),
    ],
)
def test_what_is_needed_is_told(
    sluicegate: Run, tmp_path: Path, arguments: list[str], code: int, message: bytes
) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "none.yaml").write_text("keys: []\n")
    (tmp_path / "policy.yaml").write_text(POLICY)
    done = sluicegate("reveal", *arguments, env=KEYS)
    assert done.returncode == code
    assert message in done.stderr


def test_a_line_longer_than_memory_is_for_is_cut_beside_tokens(sluicegate: Run, policy: Path, scrubbed: bytes) -> None:
    token = json.loads(scrubbed)["card_number"].encode()
    line = (b"x" * 1013 + token) * 4000 + b"\n"
    done = sluicegate("reveal", "--policy", policy, input=line, env=KEYS)
    assert (done.returncode, done.stdout) == (0, (b"x" * 1013 + b'4111 "1"') * 4000 + b"\n")


def test_a_record_is_seen_as_it_comes(environment: dict[str, str], policy: Path, scrubbed: bytes) -> None:
    with subprocess.Popen(
        [COMMAND, "reveal", "--policy", policy], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment | KEYS
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(scrubbed)
        process.stdin.flush()
        assert b"4111" in process.stdout.readline()
        process.stdin.close()
        assert process.wait() == 0


def test_pseudonyms_find_what_was_written_under_either_key(sluicegate: Run, policy: Path, scrubbed: bytes) -> None:
    done = sluicegate("pseudonym", "--policy", policy, "bob@x.io", env=KEYS)
    searched = done.stdout.decode().split()
    held = json.loads(scrubbed)["email"]
    assert [each[:4] for each in searched] == ["k2/h", "k1/h"] * 2  # `email` and `user.login`
    assert [each in held for each in searched] == [True, True, False, False]
    from_stdin = sluicegate("pseudonym", "--policy", policy, "--rule", "email", input=b"BOB@x.io\n", env=KEYS)
    assert from_stdin.stdout.decode().split() == searched[:2]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--policy", "policy.yaml", "--rule", "card_number", "x"], 2, b"email"),
        (["--policy", "none.yaml", "x"], 78, b"none.yaml has no rule that hashes"),
    ],
)
def test_a_pseudonym_that_nobody_writes_is_refused(
    sluicegate: Run, tmp_path: Path, policy: Path, arguments: list[str], code: int, message: bytes
) -> None:
    (tmp_path / "none.yaml").write_text("keys: []\n")
    done = sluicegate("pseudonym", *arguments, env=KEYS)
    assert done.returncode == code
    assert message in done.stderr
    assert done.stdout == b""
