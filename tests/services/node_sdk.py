"""The OpenTelemetry SDK for Node as a client: from npm, versions and digests pinned in `node_client/`, kept under
`.services`."""

import fcntl
import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.services.server import Unavailable

_SOURCE = Path(__file__).with_name("node_client")
_KEPT = Path(__file__).parents[2] / ".services"
_INSTALL_SECONDS = 300.0


@dataclass(frozen=True)
class NodeSdk:
    """The client's folder."""

    folder: Path

    @classmethod
    def installed(cls) -> Self:
        """Install it if it is not there yet. Raises Unavailable."""
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(_SOURCE.iterdir()))).hexdigest()[:16]
        folder = _KEPT / f"node-client-{digest}"
        if shutil.which("node") is None or shutil.which("npm") is None:
            raise Unavailable("the OpenTelemetry SDK for Node needs node and npm")
        _KEPT.mkdir(exist_ok=True)
        with (_KEPT / "node-client.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may want it
            if not folder.exists():
                _install(folder)
        return cls(folder)

    def send(self, protocol: str, endpoint: str, compression: str, *, count: int) -> None:
        """Send so many spans, named `span 0`, `span 1` …; fails if an export did."""
        command = ["node", "send.js", protocol, endpoint, compression, str(count)]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr


def _install(folder: Path) -> None:
    partial = folder.with_suffix(".part")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(_SOURCE, partial)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(
            command, cwd=partial, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"the OpenTelemetry SDK for Node was not installed in {_INSTALL_SECONDS:.0f} s") from None
    if done.returncode:
        raise Unavailable(f"the OpenTelemetry SDK for Node cannot be installed: {done.stderr[-2000:]}")
    partial.rename(folder)
