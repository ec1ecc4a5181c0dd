"""Retention classes in a real bucket: `sluicegate retention`, the check at the gate's start, and the sweeper."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exporters.browsing import S3Objects
from exporters.s3 import S3Store
from exporters.s3_options import S3Options
from exporters.sweeping import Sweeper
from tests.exporters.segments import segment
from tests.integration.gating import COMMAND, Gate
from tests.services.seaweedfs import ACCESS_KEY, READER, SECRET_KEY, SeaweedFS

pytestmark = pytest.mark.service

DAY = 86_400
THEIRS: list[dict[str, Any]] = [
    {"ID": "backups", "Status": "Enabled", "Filter": {"Prefix": "backups/"}, "Expiration": {"Days": 3}},
    {
        "ID": "tagged",
        "Status": "Disabled",
        "Filter": {"And": {"Prefix": "p/", "Tags": [{"Key": "a", "Value": "b"}]}},
        "Expiration": {"Days": 7},
    },
    {"ID": "old", "Status": "Enabled", "Prefix": "legacy/", "Expiration": {"Days": 9}},
    {"ID": "versions", "Status": "Enabled", "Filter": {}, "NoncurrentVersionExpiration": {"NoncurrentDays": 3}},
]


@pytest.fixture
def connection(seaweedfs: SeaweedFS, bucket: str) -> dict[str, object]:
    return {
        "type": "s3",
        "bucket": bucket,
        "prefix": "gate/",
        "endpoint_url": seaweedfs.url,
        "path_style": True,
        "access_key_id": ACCESS_KEY,
        "secret_access_key": SECRET_KEY,
    }


@pytest.fixture
def configured(tmp_path: Path, connection: dict[str, object]) -> Callable[..., Path]:
    def write(classes: dict[str, str], **options: object) -> Path:
        path = tmp_path / "gate.yaml"
        content = {
            "sources": {"app": {"type": "file", "include": ["/var/log/app/*.log"]}},
            "exporters": {"s3": {**connection, **options}},
            "retention": {"classes": classes, "default": next(iter(classes))},
        }
        path.write_text(json.dumps(content))
        return path

    return write


def sluicegate(*arguments: str | Path, answer: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([COMMAND, *arguments], input=answer, capture_output=True, check=False)


def rules(server: SeaweedFS, bucket: str) -> list[dict[str, Any]]:
    client = server.client()
    try:
        return list(client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"])
    finally:
        client.close()


def test_rules_are_planned_written_and_checked_beside_those_of_others(
    seaweedfs: SeaweedFS,
    bucket: str,
    configured: Callable[..., Path],
) -> None:
    client = seaweedfs.client()
    client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": THEIRS})
    client.close()
    theirs = rules(seaweedfs, bucket)
    config = configured({"short": "7d", "audit": "400d"})

    assert sluicegate("retention", "check", "--config", config).returncode == 1
    shown = sluicegate("retention", "plan", "--config", config).stdout.decode()
    assert "+ gate/short/  expires after 7 days, old versions after 1 day, unfinished uploads after 7 days" in shown
    assert "4 rules of others stay as they are" in shown
    assert rules(seaweedfs, bucket) == theirs  # a plan writes nothing

    refused = sluicegate("retention", "apply", "--config", config, answer=b"n\n")
    assert (refused.returncode, rules(seaweedfs, bucket)) == (1, theirs)
    assert b"nothing was written" in refused.stderr

    done = sluicegate("retention", "apply", "--config", config, answer=b"y\n")
    assert done.returncode == 0, done.stderr
    after = rules(seaweedfs, bucket)
    assert after[:4] == theirs
    assert [(each["Filter"]["Prefix"], each["Expiration"]["Days"]) for each in after[4:]] == [
        ("gate/short/", 7),
        ("gate/audit/", 400),
    ]
    assert sluicegate("retention", "check", "--config", config).returncode == 0

    changed = configured({"short": "14d"})
    assert b"(now: expires after 7 days" in sluicegate("retention", "plan", "--config", changed).stdout
    assert sluicegate("retention", "apply", "--yes", "--prune", "--config", changed).returncode == 0
    assert rules(seaweedfs, bucket)[:4] == theirs
    assert [(each["Filter"]["Prefix"], each["Expiration"]["Days"]) for each in rules(seaweedfs, bucket)[4:]] == [
        ("gate/short/", 14)
    ]
    whole = json.loads(sluicegate("retention", "plan", "--json", "--config", changed).stdout)
    assert whole["Rules"] == rules(seaweedfs, bucket)


def test_a_refusal_says_which_rights_are_missing(
    configured: Callable[..., Path],
) -> None:
    config = configured({"short": "7d"}, access_key_id=READER[0], secret_access_key=READER[1])
    done = sluicegate("retention", "apply", "--yes", "--config", config)
    assert done.returncode == 1
    assert b"s3:PutLifecycleConfiguration" in done.stderr


def test_a_gate_refuses_or_warns_at_its_start(
    seaweedfs: SeaweedFS, bucket: str, connection: dict[str, object], make_gate: Callable[..., Gate]
) -> None:
    strict = make_gate("strict", exporters={"s3": {**connection, "lifecycle": "refuse"}})
    strict.start(up=False)
    assert strict.code() == 1
    (refusal,) = strict.events("GateRefused")
    assert "gate/standard/ has no rule" in refusal["message"]
    assert "sluicegate retention plan" in refusal["message"]

    lax = make_gate("lax", exporters={"s3": connection})
    lax.start()
    assert "gate/audit/ has no rule" in lax.event("RetentionMissing")["message"]
    lax.until(lambda: lax.metric("sluicegate_retention_kept", exporter="s3") == 0 or None, "the gauge")
    assert lax.stop() == 0

    lax.command("retention", "apply", "--yes")
    strict.start()
    strict.reaches(1, "sluicegate_retention_kept", exporter="s3")
    assert strict.stop() == 0
    assert strict.events("RetentionMissing") == []


def test_a_gate_that_is_to_refuse_starts_while_the_bucket_cannot_be_reached(
    connection: dict[str, object], make_gate: Callable[..., Gate]
) -> None:
    away = {**connection, "lifecycle": "refuse", "endpoint_url": "http://127.0.0.1:9"}
    gate = make_gate(exporters={"s3": away})
    gate.start()
    assert "cannot connect" in gate.event("RetentionUnknown")["message"]
    gate.kill()


def test_a_bucket_without_lifecycle_is_swept(
    seaweedfs: SeaweedFS, bucket: str, connection: dict[str, object], tmp_path: Path
) -> None:
    options = S3Options.model_validate(connection)
    exporter = S3Store("s3", options)
    now = time.time()
    old, young = (
        segment(tmp_path, born=now - days * DAY, first_time=int((now - days * DAY) * 1e9)).segment for days in (8, 6)
    )
    for each in (old, young):
        exporter.export(each)
    exporter.close()
    store = S3Objects(options)
    week = {"standard": timedelta(days=7)}
    # Stored a moment ago: kept, however old the segment is.
    assert Sweeper(store, week).sweep().objects == 0
    assert Sweeper(store, week, lambda: now + 6.5 * DAY).sweep().objects == 0
    assert Sweeper(store, week, lambda: now + 8 * DAY).sweep().objects == 2
    store.close()
    client = seaweedfs.client()
    assert client.list_objects_v2(Bucket=bucket).get("Contents", []) == []
    client.close()


def test_a_gate_sweeps_its_local_store(gate: Gate) -> None:
    day = datetime.now(UTC) - timedelta(days=40)
    folder = gate.store / "standard" / "logs" / f"dt={day:%Y-%m-%d}" / "hr=00"
    folder.mkdir(parents=True)
    born = int(day.timestamp() * 1e9)
    old = folder / f"node-{born:016x}{'0' * 16}.ndjson.zst.enc"
    old.write_bytes(b"x" * 10)
    os.utime(old, (day.timestamp(), day.timestamp()))
    gate.start()
    assert gate.event("Swept") == {"exporter": "store", "objects": 1, "bytes": 10}
    assert not old.exists()
    assert gate.stop() == 0
