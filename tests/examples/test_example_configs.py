"""Every configuration in examples/configs passes the check that a person would run on it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CONFIGS = sorted((Path(__file__).resolve().parents[2] / "examples" / "configs").glob("*.yaml"))
ENVIRONMENT = {"NODE_NAME": "node-1", "S3_BUCKET": "telemetry"}


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_it_is_valid(config: Path) -> None:
    checked = _check(config, ENVIRONMENT)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_it_says_what_it_needs_from_the_environment(config: Path) -> None:
    required = set(re.findall(r"\$\{(\w+)\}", config.read_text()))
    checked = _check(config, {})
    assert checked.returncode == (78 if required else 0)
    assert all(f"{name} is not set" in checked.stderr for name in required)


def _check(config: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    command = [Path(sys.executable).with_name("sluicegate"), "config", "check", config]
    path = {"PATH": os.environ["PATH"]}
    return subprocess.run(command, env=path | environment, capture_output=True, text=True, check=False)
