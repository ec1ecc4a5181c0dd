"""The OpenTelemetry SDK for Node (npm, pinned in `node_client/`) as a client."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.services.npm import installed

_SOURCE = Path(__file__).with_name("node_client")


@dataclass(frozen=True)
class NodeSdk:
    """The client's folder."""

    folder: Path

    @classmethod
    def installed(cls) -> Self:
        """Install it if it is not there yet. Raises Unavailable."""
        return cls(installed(_SOURCE, "the OpenTelemetry SDK for Node"))

    def send(self, protocol: str, endpoint: str, compression: str, *, count: int) -> None:
        """Send so many spans, named `span 0`, `span 1` …; fails if an export did."""
        command = ["node", "send.js", protocol, endpoint, compression, str(count)]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
