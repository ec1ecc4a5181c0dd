"""`sluicegate retry`: what was refused is sent once the destination takes it."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

from tests.services.otlp_server import Answer, GrpcServer

Run = Callable[..., "CompletedProcess[bytes]"]


def test_what_was_refused_is_sent_again(sluicegate: Run, tmp_path: Path) -> None:
    server = GrpcServer()
    server.script.append(Answer(code="INVALID_ARGUMENT"))
    config = tmp_path / "gate.yaml"
    spool = {"directory": str(tmp_path / "spool")}
    sources = {"app": {"type": "file", "include": [str(tmp_path / "app.log")]}}
    exporters = {"otel": {"type": "otlp", "endpoint": server.endpoint}}
    config.write_text(json.dumps({"sources": sources, "exporters": exporters, "spool": spool, "workers": 1}))
    (tmp_path / "app.log").write_bytes(b"hello\n")
    try:
        refused = sluicegate("run", "--once", "--config", str(config))
        assert refused.returncode == 1, "what was refused is still there"
        assert server.bodies == []
        again = sluicegate("retry", "otel", "--config", str(config))
        assert again.stdout == b"1 segment put back\n", again.stderr
        assert sluicegate("run", "--once", "--config", str(config)).returncode == 0
        assert len(server.bodies) == 1
    finally:
        server.close()


def test_an_exporter_that_is_not_there(sluicegate: Run) -> None:
    asked = sluicegate("retry", "tempo")
    assert asked.returncode == 1
    assert b"tempo is not an exporter; there are local" in asked.stderr
