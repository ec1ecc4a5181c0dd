"""A real server as a child process of the tests: started when it is ready, stopped with its data."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NoReturn

import pytest

START_SECONDS = 120.0  # a safety net for a busy machine, no measure of anything
STOP_SECONDS = 5.0
_LOG_TAIL = 4000


class Unavailable(Exception):
    """A server cannot be started here; the message says what is missing."""


def unavailable(error: Unavailable) -> NoReturn:
    """Fail in CI, where everything must be there; skip elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(str(error))
    pytest.skip(str(error))


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on at the moment, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Server:
    """One process. `ready` is asked again and again until it says yes, or the process has ended."""

    def __init__(
        self,
        command: Sequence[str | Path],
        directory: Path,
        *,
        ready: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._command = [str(part) for part in command]
        self._directory = directory
        self._ready = ready
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self.log = directory / "log"

    def start(self) -> None:
        """Start it and wait until it is ready. Raises Unavailable with the end of its log."""
        self._directory.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            try:
                self._process = subprocess.Popen(
                    self._command,
                    cwd=self._directory,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C is for the tests: they stop their servers
                )
            except OSError as error:
                raise Unavailable(f"{self._command[0]}: {error.strerror}") from error
        deadline = time.monotonic() + START_SECONDS
        while not self._ready():
            try:
                status: object = self._process.wait(0.05)
            except subprocess.TimeoutExpired:
                if time.monotonic() < deadline:
                    continue
                status = "not ready in time"
            self.kill()
            raise Unavailable(f"{self._command[0]}: {status}\n{self.log.read_text(errors='replace')[-_LOG_TAIL:]}")

    def stop(self) -> None:
        """Ask it to end; a server that takes long is killed. Stopping twice is fine."""
        self._signal(signal.SIGTERM)
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End it as a crash would."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Let it hang: connections are accepted by the kernel, and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, number)
