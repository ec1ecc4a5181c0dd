"""Keys are listed by their ids, made once, and rotated without losing the old ones."""

import stat
from pathlib import Path

import pytest

from exporters.keys import load_keys
from exporters.local import LocalOptions, LocalStore
from tests.collector.cli.conftest import Run
from tests.exporters.segments import segment


def test_a_new_key_file_is_made_once_and_never_shows_its_keys(sluicegate: Run, tmp_path: Path) -> None:
    done = sluicegate("keys", "new", "prod.key")
    (key,) = load_keys(tmp_path / "prod.key")
    assert (done.returncode, done.stderr) == (0, b"")
    assert key.id.encode() in done.stdout
    again = sluicegate("keys", "new", "prod.key")
    assert again.returncode == 1
    assert b"is there already" in again.stderr
    listed = sluicegate("keys", "list", "prod.key")
    assert key.id.encode() in listed.stdout
    assert key.secret.hex().encode() not in done.stdout + again.stderr + listed.stdout
    assert load_keys(tmp_path / "prod.key") == (key,)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o440])
def test_rotating_puts_a_new_key_in_front(sluicegate: Run, tmp_path: Path, mode: int) -> None:
    path = tmp_path / "prod.key"
    sluicegate("keys", "new", path)
    path.chmod(mode)
    link = tmp_path / "link.key"
    link.symlink_to(path)
    keys = load_keys(path)
    for _ in range(3):
        assert sluicegate("keys", "rotate", link).returncode == 0
        assert load_keys(path)[1:] == keys
        keys = load_keys(path)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert [line.split()[:2] for line in sluicegate("keys", "list", path).stdout.decode().splitlines()[1:]] == [
        [keys[0].id, "seals,"],
        *([key.id, "opens"] for key in keys[1:]),
    ]
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_what_was_stored_before_stays_readable(sluicegate: Run, tmp_path: Path) -> None:
    exporter = LocalStore("local", LocalOptions(path=tmp_path / "store"))
    first, second = segment(tmp_path), segment(tmp_path)
    exporter.export(first.segment)
    assert sluicegate("keys", "rotate", "store.key").returncode == 0
    exporter.export(second.segment)
    done = sluicegate("read", "store")
    assert (done.returncode, sorted(done.stdout.splitlines())) == (0, sorted((first.lines + second.lines).splitlines()))
    new, old = load_keys(tmp_path / "store.key")
    for key, lines in ((new, second.lines), (old, first.lines)):
        only = tmp_path / f"{key.id}.key"
        only.write_text(f"sluicegate-key-1 {key.id} {key.secret.hex()}\n")
        only.chmod(0o600)
        alone = sluicegate("read", "store", "--key", only)
        assert (alone.returncode, alone.stdout) == (1, lines)
        assert (old if key == new else new).id.encode() in alone.stderr
    both = sluicegate("read", "store", "--key", f"{new.id}.key", "--key", f"{old.id}.key")
    assert both.returncode == 0


@pytest.mark.parametrize("content", ["", "nonsense\n"])
def test_a_file_that_holds_no_keys_is_left_alone(sluicegate: Run, tmp_path: Path, content: str) -> None:
    path = tmp_path / "prod.key"
    path.write_text(content)
    path.chmod(0o600)
    assert sluicegate("keys", "rotate", path).returncode == 1
    assert path.read_text() == content


def test_all_exporters_of_a_configuration_are_listed(sluicegate: Run, tmp_path: Path) -> None:
    sluicegate("keys", "new", "here.key")
    sluicegate("keys", "new", "there.key")
    arn = "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000"
    (tmp_path / "gate.yaml").write_text(f"""\
sources: {{app: {{type: file, include: [/var/log/app/*.log]}}}}
exporters:
  here: {{type: local, path: {tmp_path}/here}}
  there: {{type: s3, bucket: logs, key_file: {tmp_path}/there.key}}
  plain: {{type: s3, bucket: logs2}}
  cloud: {{type: s3, bucket: logs3, seal_kms_key: "{arn}"}}
""")
    shown = sluicegate("keys", "list", "--config", "gate.yaml").stdout.decode().splitlines()[1:]
    assert [(line.split()[0], line.split()[3]) for line in shown] == [
        (load_keys(tmp_path / "here.key")[0].id, "here"),
        (load_keys(tmp_path / "there.key")[0].id, "there"),
        (arn, "cloud"),
    ]
