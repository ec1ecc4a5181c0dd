"""The reference is what the code says, whole, and the same on every machine."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from pydantic import BaseModel

from collector import events, own_log, telemetry
from collector.cli.exits import Exit
from collector.config import Config
from docs.rendering.command_page import commands
from docs.rendering.settings_page import sections
from scrubbers import Policy
from scrubbers.detectors import DETECTORS

CHECKOUT = Path(__file__).resolve().parents[2]
REFERENCE = CHECKOUT / "docs" / "reference"


def test_what_is_committed_is_what_the_code_says() -> None:
    """Else: `make generate`."""
    checked = _check()
    assert checked.returncode == 0, checked.stdout


def test_nothing_in_it_depends_on_the_machine(tmp_path: Path) -> None:
    elsewhere = {"HOME": str(tmp_path), "SLUICEGATE_HOME": "/srv/gate", "COLUMNS": "40", "FORCE_COLOR": "1"}
    checked = _check(**elsewhere, TERM="xterm-256color", LC_ALL="C.UTF-8", TZ="Asia/Tokyo", PYTHONHASHSEED="7")
    assert checked.returncode == 0, checked.stdout
    text = "".join(path.read_text() for path in REFERENCE.rglob("*.*"))
    assert str(CHECKOUT) not in text
    assert "\x1b" not in text


@pytest.mark.parametrize(("name", "model"), [("configuration.md", Config), ("policy.md", Policy)])
def test_every_key_is_there(name: str, model: type[BaseModel]) -> None:
    """Counted anew, over the models that can be reached, whatever way the page takes to find them."""
    rows = re.findall(r"^\| `(\w+)` \|", _page(name), re.MULTILINE)
    wanted = [key for reached in _reached(model) for key in reached.model_fields]
    assert set(rows) == set(wanted)
    assert Counter(rows) >= Counter(wanted)  # what may stand in several places has a table for each


@pytest.mark.parametrize("model", [Config, Policy])
def test_every_key_says_what_it_is_for(model: type[Config] | type[Policy]) -> None:
    mute = [
        f"{section.path}.{key}"
        for section in sections(model)
        for key, field in section.model.model_fields.items()
        if not field.description and key != "type"
    ]
    assert mute == []


def test_every_command_and_option_is_there() -> None:
    page = _page("command-line.md")
    parts = dict(re.findall(r"^## `(sluicegate[a-z ]*)`\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    for path, command in commands():
        options = [option for each in command.params if each.param_type_name == "option" for option in each.opts]
        assert [option for option in options if f"`{option}" not in parts[path]] == []
        assert command.help


def test_every_command_shows_examples() -> None:
    assert [path for path, command in commands() if f"$ {path.split()[0]}" not in (command.epilog or "")] == []


def test_every_metric_is_there() -> None:
    metrics = [each for each in vars(telemetry).values() if isinstance(each, telemetry.Metric)]
    assert len(metrics) > 20
    page = _page("metrics.md")
    for metric in metrics:
        assert f"| `{metric.name}` | {metric.kind} |" in page
        assert metric.documentation


def test_every_event_is_there() -> None:
    page = _page("events.md")
    for event in vars(events).values():
        if isinstance(event, type) and issubclass(event, own_log.Event) and event is not own_log.Event:
            assert f"| `{event.__name__}` |" in page
            assert event.__doc__


def test_every_detector_is_there_with_its_examples() -> None:
    page = _page("detectors.md")
    for detector in DETECTORS.values():
        part = page.partition(f"## `{detector.name}`")[2].partition("\n## ")[0]
        assert detector.about in part
        assert part.count("\n- ") == len(detector.must) + len(detector.must_not)


def test_every_exit_code_is_there() -> None:
    page = _page("exit-codes.md")
    assert [code for code in Exit if f"| `{code.value}` |" not in page] == []


def _page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def _check(**environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "docs.generate", "--check"]
    env = os.environ | environment
    return subprocess.run(command, cwd=CHECKOUT, env=env, capture_output=True, text=True, check=False)


def _reached(model: type[BaseModel]) -> list[type[BaseModel]]:
    """By pydantic's own schema: each model once."""
    names = {model.__name__, *model.model_json_schema().get("$defs", {})}
    found: dict[str, type[BaseModel]] = {}
    waiting: list[type[BaseModel]] = [BaseModel]
    while waiting:
        for below in waiting.pop().__subclasses__():
            waiting.append(below)
            # Other tests have models, too, some of the same name.
            if below.__name__ in names and below.__module__.split(".")[0] in {"collector", "exporters", "scrubbers"}:
                found[below.__name__] = below
    return list(found.values())
