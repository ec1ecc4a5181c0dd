"""The command as a person runs it: in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

COMMAND = str(Path(sys.executable).with_name("sluicegate"))

Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def gate_home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def environment(gate_home: Path) -> dict[str, str]:
    """No colours, a fixed width, a home of its own."""
    quiet = {"NO_COLOR": "1", "COLUMNS": "120", "TERM": "dumb", "SLUICEGATE_HOME": str(gate_home)}
    return {name: value for name, value in os.environ.items() if not name.startswith(("FORCE_", "AWS_"))} | quiet


@pytest.fixture
def sluicegate(environment: dict[str, str], tmp_path: Path) -> Run:
    """Run the command to its end: `sluicegate("scrub", "-", input=b"…")`."""

    def run(*arguments: str | Path, input: bytes = b"", **options: Any) -> subprocess.CompletedProcess[bytes]:  # noqa: A002
        env = environment | options.pop("env", {})
        return subprocess.run(
            [COMMAND, *map(str, arguments)],
            input=input,
            capture_output=True,
            env=env,
            cwd=tmp_path,
            check=False,
            **options,
        )

    return run
