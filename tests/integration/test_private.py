"""What the gate makes is its owner's alone, and secrets stand nowhere but where they were given."""

import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.pipeline import processes
from tests.integration.gating import COMMAND, Gate, records

DEEP = b"GET /?q=bob%" + b"25" * 40 + b"40example.com\n"
SECRET = "a-secret-of-the-store-0123456789"


def test_files_are_0600_and_folders_0700_whatever_the_umask(make_gate: Callable[..., Gate]) -> None:
    gate = make_gate(under=["sh", "-c", 'umask 0; exec "$@"', "sh"])
    (gate.inputs / "app.log").write_bytes(records(0, 100) + DEEP)
    gate.start()
    gate.reaches(1, "sluicegate_records_quarantined_total")
    gate.reaches(1, "sluicegate_export_objects_total")
    made = [gate.folder / name for name in ("spool", "store", "store.key", "quarantine.key")]
    made += [path for root in made for path in root.rglob("*")]
    assert {path.name for path in made} >= {"ledger.sqlite", "telemetry", "store.key", "quarantine.key", "segments"}
    assert len([path for path in made if path.suffix == ".enc"]) >= 1
    open_to_others = {
        str(path): oct(path.lstat().st_mode) for path in made if stat.S_IMODE(path.lstat().st_mode) & 0o077
    }
    assert open_to_others == {}
    assert gate.stop() == 0


def test_secrets_stand_in_no_process_list_log_metric_or_shown_configuration(make_gate: Callable[..., Gate]) -> None:
    away = {
        "type": "s3",
        "bucket": "logs",
        "endpoint_url": "http://127.0.0.1:9",
        "path_style": True,
        "access_key_id": "id",
        "secret_access_key": SECRET,
    }
    gate = make_gate(exporters={"away": away})
    (gate.inputs / "app.log").write_bytes(records(0, 10))
    gate.start()
    gate.event("ExportDelayed")
    key = (gate.folder / "quarantine.key").read_bytes()
    lines = b"".join(Path(f"/proc/{folder.name}/cmdline").read_bytes() for _, folder in processes(gate.pid("shipper")))
    lines += Path(f"/proc/{gate.pid('shipper')}/cmdline").read_bytes()
    gate.metric("sluicegate_export_up")
    shown = subprocess.run([COMMAND, "config", "show", gate.folder / "gate.yaml"], capture_output=True, check=True)
    assert b"secret_access_key" in shown.stdout
    gate.kill()
    told = b"\n".join([lines, shown.stdout, gate.log.read_bytes(), *(page.encode() for page in gate.told)])
    assert b"collector.process" in told
    for secret in (SECRET.encode(), key, key.hex().encode()):
        assert secret not in told


@pytest.mark.parametrize("url", ["https://user:secret@s3.example.com", "https://s3.example.com/a@b"])
def test_a_secret_has_no_place_in_an_address(tmp_path: Path, url: str) -> None:
    (tmp_path / "gate.yaml").write_text(
        f"sources: {{a: {{type: stdin}}}}\nexporters: {{s: {{type: s3, bucket: b, endpoint_url: '{url}'}}}}\n"
    )
    done = subprocess.run([COMMAND, "config", "check", tmp_path / "gate.yaml"], capture_output=True, check=False)
    assert done.returncode == 78
    assert b"endpoint_url" in done.stderr
    assert b"secret@" not in done.stderr
