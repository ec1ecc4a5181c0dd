"""Metrics are kept by several processes and served as one; the endpoints say what is so."""

import json
import os
import signal
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector import telemetry

EMITTER = """
import sys, os, signal
from pathlib import Path
from collector import events, telemetry
telemetry.share(Path(sys.argv[1]))
events.Received("app", "logs", records=int(sys.argv[2]), bytes=1000).emit()
telemetry.FILES_OPEN.set(2, source="app")
telemetry.EXPORT_DURATION.observe(0.2, exporter="s3")
if sys.argv[3:] == ["kill"]:
    os.kill(os.getpid(), signal.SIGKILL)
print(os.getpid())
"""


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "telemetry"
    telemetry.open_directory(path)
    telemetry.share(path)
    yield path
    telemetry.unshare()


def test_counts_of_all_processes_are_summed_even_of_the_killed(directory: Path) -> None:
    one = _emitter(directory, "3")
    assert one.returncode == 0
    killed = _emitter(directory, "4", "kill")
    assert killed.returncode == -signal.SIGKILL
    telemetry.RECORDS_RECEIVED.add(5, source="other", signal="logs")

    assert telemetry.total(telemetry.RECORDS_RECEIVED, source="app") == 7
    assert telemetry.total(telemetry.RECORDS_RECEIVED) == 12
    text = telemetry.exposition().decode()
    assert 'sluicegate_records_received_total{signal="logs",source="app"} 7.0' in text
    assert 'sluicegate_export_duration_seconds_bucket{exporter="s3",le="0.25"} 2.0' in text


def test_levels_are_of_the_living_counts_stay(directory: Path) -> None:
    pid = int(_emitter(directory, "3").stdout)
    telemetry.FILES_OPEN.set(1, source="app")
    assert telemetry.total(telemetry.FILES_OPEN, source="app") == 3
    telemetry.forget(pid)
    assert telemetry.total(telemetry.FILES_OPEN, source="app") == 1
    assert telemetry.total(telemetry.RECORDS_RECEIVED) == 3


def test_the_directory_is_private_and_starts_empty(directory: Path) -> None:
    (directory / "counter_1.db").write_bytes(b"left over")
    telemetry.open_directory(directory)
    assert list(directory.iterdir()) == []
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_every_metric_is_named_in_the_fields_style() -> None:
    names = [metric.name for metric in telemetry.METRICS]
    assert len(names) == len(set(names))
    for metric in telemetry.METRICS:
        assert metric.name.startswith("sluicegate_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.documentation.endswith(".")


def test_endpoints_say_what_is_so(directory: Path) -> None:
    state = [telemetry.Readiness(("spool is full",))]
    server = telemetry.Server("127.0.0.1", 0, lambda: state[0])
    try:
        telemetry.set_build_info()
        assert _get(server, "/healthz")[0] == 200
        status, body = _get(server, "/readyz")
        assert (status, json.loads(body)) == (503, {"status": "waiting", "reasons": ["spool is full"]})
        state[0] = telemetry.Readiness()
        assert _get(server, "/readyz")[0] == 200
        status, body = _get(server, "/metrics?x=1")
        assert status == 200
        assert b"sluicegate_build_info{" in body
        assert _get(server, "/etc/passwd")[0] == 404
    finally:
        server.close()


def _emitter(directory: Path, *args: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", EMITTER, str(directory), *args],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def _get(server: telemetry.Server, path: str) -> tuple[int, bytes]:
    host, port = server.address
    try:
        with urllib.request.urlopen(f"http://{host}:{port}{path}") as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
