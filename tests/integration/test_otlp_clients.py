"""Clients as people run them, with the gate between them and a collector: nothing is missing but what is personal."""

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from examples.shop import config, traffic
from examples.shop.people import people
from examples.shop.planted import found
from tests.otlp import REQUESTS, span_names
from tests.services.node_sdk import NodeSdk
from tests.services.otlp_server import GrpcServer
from tests.services.server import Unavailable, free_ports, unavailable

CHECKOUT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


@contextmanager
def between(folder: Path, collector: GrpcServer) -> Iterator[tuple[str, str, dict[str, str]]]:
    """A gate with the example's configuration: where it takes gRPC and HTTP, and its environment."""
    grpc_port, http_port = free_ports(2)
    environment = {
        "PATH": os.environ["PATH"],
        "SLUICEGATE_HOME": str(folder / "home"),
        "SLUICEGATE_LISTEN": "127.0.0.1:0",
        "OTLP_GRPC_LISTEN": f"127.0.0.1:{grpc_port}",
        "OTLP_HTTP_LISTEN": f"127.0.0.1:{http_port}",
        "COLLECTOR_ENDPOINT": collector.endpoint,
    }
    log = folder / "log"
    with log.open("wb") as out:
        command = [BIN / "sluicegate", "run", "--config", CHECKOUT / "examples/configs/otlp-to-collector.yaml"]
        gate = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + 60
        while "GateStarted" not in log.read_text():
            assert gate.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"http://127.0.0.1:{grpc_port}", f"http://127.0.0.1:{http_port}", environment
    finally:
        gate.send_signal(signal.SIGTERM)
        code = gate.wait()
    assert code == 0, log.read_text()


@pytest.fixture
def collector() -> Iterator[GrpcServer]:
    server = GrpcServer()
    yield server
    server.close()


def test_an_instrumented_app_is_scrubbed_on_its_way_to_a_collector(collector: GrpcServer, tmp_path: Path) -> None:
    made = config.make(seed=3)
    made.save(tmp_path / "config.json")
    with between(tmp_path, collector) as (grpc_endpoint, _, environment):
        # Through a shell: the tool takes `--log` for the beginning of one of its own options.
        command = [sys.executable, "-m", "examples.shop", tmp_path / "config.json", "--log", tmp_path / "shop.log"]
        shop = subprocess.Popen(
            [BIN / "opentelemetry-instrument", "sh", "-c", f"exec {shlex.join(map(str, command))}"],
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ
            | {
                "OTEL_SERVICE_NAME": "shop",
                "OTEL_EXPORTER_OTLP_ENDPOINT": grpc_endpoint,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_TRACES_EXPORTER": "otlp",
                "OTEL_LOGS_EXPORTER": "otlp",
                "OTEL_METRICS_EXPORTER": "otlp",
                "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": "true",
            },
        )
        try:
            assert shop.stdout is not None
            url = shop.stdout.readline().strip()
            planted = [*asyncio.run(traffic.play(url, people(seed=3, count=3), seed=3)), *made.planted]
        finally:
            shop.terminate()
            shop.communicate()
    by_signal = {what: [r.body for r in collector.requests if r.signal == what] for what in REQUESTS}
    names = span_names(*by_signal["traces"])
    assert {"GET /search", "POST /signup"} <= set(names)
    assert by_signal["logs"]
    text = "\n".join(repr(REQUESTS[what].FromString(body)) for what, bodies in by_signal.items() for body in bodies)
    assert not found(planted, text)
    assert not found(planted, b"".join(b for bodies in by_signal.values() for b in bodies).decode("latin-1"))
    assert "[REDACTED:" in text
    read = subprocess.run(
        [BIN / "sluicegate", "read", tmp_path / "home/store", "--signal", "traces"],
        env=environment,
        capture_output=True,
        check=True,
    ).stdout
    stored = [
        span["name"]
        for request in map(json.loads, read.splitlines())
        for group in request["resourceSpans"]
        for scope in group["scopeSpans"]
        for span in scope["spans"]
    ]
    assert sorted(stored) == sorted(names)


@pytest.mark.service
@pytest.mark.parametrize("protocol", ["grpc", "http-protobuf", "http-json"])
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_the_node_sdk_is_understood(protocol: str, compression: str, collector: GrpcServer, tmp_path: Path) -> None:
    try:
        node = NodeSdk.installed()
    except Unavailable as error:
        unavailable(error)
    with between(tmp_path, collector) as (grpc_endpoint, http_endpoint, _):
        endpoint = grpc_endpoint if protocol == "grpc" else f"{http_endpoint}/v1/traces"
        node.send(protocol, endpoint, compression, count=100)
    bodies = [request.body for request in collector.requests]
    assert sorted(span_names(*bodies)) == sorted(f"span {number}" for number in range(100))
    text = "\n".join(repr(REQUESTS["traces"].FromString(body)) for body in bodies)
    assert "canary" not in text
    assert '"checkout"' in text
    assert "[REDACTED:email]" in text
