"""A real OpenTelemetry Collector, built from Go modules (versions pinned in `otelcol/`) and kept under `.services`.

It takes OTLP over gRPC and HTTP and appends each signal to a file, length-delimited: one write per request, before it
answers, so that what it has confirmed is in the file however it ends.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from exporters.requests import requests
from tests.services.certificates import Pair
from tests.services.server import Server, Unavailable, free_ports

_SOURCE = Path(__file__).with_name("otelcol")
_KEPT = Path(__file__).parents[2] / ".services"
_BUILD_SECONDS = 1200.0  # two minutes on two idle cores, and as much again for the modules


def program() -> Path:
    """The Collector's program, built if it is not there yet. Raises Unavailable."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(_SOURCE.iterdir()))).hexdigest()[:16]
    built = _KEPT / f"otelcol-{digest}"
    if built.exists():
        return built
    if shutil.which("go") is None:
        raise Unavailable("the OpenTelemetry Collector is missing: it is built with Go, so install that")
    _KEPT.mkdir(exist_ok=True)
    with (_KEPT / "otelcol.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may want it
        if not built.exists():
            _build(built)
    return built


def _build(to: Path) -> None:
    partial = to.with_suffix(".part")
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false"}
    command = ["go", "build", "-ldflags=-s -w", "-o", str(partial), "."]
    try:
        done = subprocess.run(
            command, cwd=_SOURCE, env=environment, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"the OpenTelemetry Collector was not built in {_BUILD_SECONDS:.0f} seconds") from None
    if done.returncode:
        raise Unavailable(f"the OpenTelemetry Collector cannot be built: {done.stderr[-2000:]}")
    partial.rename(to)


class OtelCollector:
    """One Collector on free ports of 127.0.0.1; what it took lies in `directory`, also after a restart."""

    def __init__(self, directory: Path, *, pair: Pair | None = None, client_ca: Path | None = None) -> None:
        self._directory = directory
        self._ports = free_ports(2)
        scheme = "https" if pair else "http"
        self.grpc, self.http = (f"{scheme}://127.0.0.1:{port}" for port in self._ports)
        self._config = directory / "config.json"
        self._tls: dict[str, Any] = {}
        if pair:
            self._tls = {"tls": {"cert_file": str(pair.certificate), "key_file": str(pair.key)}}
            if client_ca:
                self._tls["tls"]["client_ca_file"] = str(client_ca)
        self.server = Server(
            [program(), "--config", f"file:{self._config}"],
            directory,
            ready=self._is_ready,
        )

    def start(self) -> None:
        """Start it, with the files of before if there are any. Raises Unavailable."""
        self._directory.mkdir(parents=True, exist_ok=True)
        grpc, http = (f"127.0.0.1:{port}" for port in self._ports)
        protocols = {"grpc": {"endpoint": grpc, **self._tls}, "http": {"endpoint": http, **self._tls}}
        signals = ("logs", "traces", "metrics")
        # With rotation it writes without a buffer, and goes on in the file that is there.
        form = {"format": "proto", "rotation": {"max_megabytes": 1000}}
        settings = {
            "receivers": {"otlp": {"protocols": protocols}},
            "exporters": {
                f"file/{signal}": {"path": str(self.file(signal)), **form} for signal in signals
            },
            "service": {
                "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "warn"}},
                "pipelines": {
                    signal: {"receivers": ["otlp"], "exporters": [f"file/{signal}"]} for signal in signals
                },
            },
        }  # fmt: skip
        self._config.write_text(json.dumps(settings))
        self.server.start()

    def endpoint(self, protocol: str) -> str:
        return self.grpc if protocol == "grpc" else self.http

    def file(self, signal: str) -> Path:
        return self._directory / f"{signal}.binpb"

    def took(self, signal: str) -> list[bytes]:
        """The requests it has confirmed, as it writes them."""
        path = self.file(signal)
        return list(requests(path.read_bytes())) if path.exists() else []

    def _is_ready(self) -> bool:
        url = f"http://127.0.0.1:{self._ports[1]}/v1/traces"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return True
        except urllib.error.HTTPError as error:
            with error:
                return True  # 405, or 400 where it speaks TLS
        except OSError:
            return False
