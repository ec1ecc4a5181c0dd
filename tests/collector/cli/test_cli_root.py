"""The command itself: help, version, exit codes, and what never comes to light."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from collector.cli.app import app
from collector.cli.exits import MEANING, CommandError, Exit, told, unforeseen
from tests.collector.cli.conftest import Run

COMMANDS = [
    (),
    ("run",),
    ("scrub",),
    ("read",),
    ("config",),
    ("config", "check"),
    ("config", "schema"),
    ("config", "show"),
    ("policy",),
    ("policy", "check"),
    ("policy", "explain"),
    ("policy", "schema"),
    ("policy", "show"),
    ("policy", "bench"),
    ("policy", "diff"),
    ("policy", "suggest"),
    ("policy", "test"),
    ("quarantine",),
    ("quarantine", "list"),
    ("quarantine", "show"),
    ("quarantine", "release"),
]


def test_version(sluicegate: Run) -> None:
    done = sluicegate("--version")
    assert done.returncode == 0
    assert re.fullmatch(rb"sluicegate \d+\.\d+\.\d+\S*\n", done.stdout)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(command: tuple[str, ...]) -> None:
    found = get_command(app)
    for name in command:
        found = found.commands[name]  # type: ignore[attr-defined]
    assert found.help
    is_group = hasattr(found, "commands")
    assert (is_group and command) or "$ sluicegate" in (found.epilog or "")
    for parameter in found.params:
        assert getattr(parameter, "help", None), parameter.name


def test_help_loads_nothing_heavy() -> None:
    code = """
import sys
from typer.testing import CliRunner
from collector.cli.app import app
assert CliRunner().invoke(app, ["--help"]).exit_code == 0
heavy = {"boto3", "botocore", "hyperscan", "aws_encryption_sdk", "cryptography", "pydantic", "ruamel.yaml", "scrubbers"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    "arguments", [("scrubb",), ("scrub", "--nope"), ("config", "check"), ("run", "a", "--config", "b")]
)
def test_a_wrong_command_line_ends_with_2(arguments: tuple[str, ...], sluicegate: Run) -> None:
    done = sluicegate(*arguments)
    assert (done.returncode, done.stdout) == (Exit.USAGE, b"")
    assert b"Usage: sluicegate" in done.stderr


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (CommandError("a b"), Exit.FAILED, "sluicegate: a b\n"),
        (CommandError("a b", Exit.CONFIG), Exit.CONFIG, "sluicegate: a b\n"),
        (PermissionError(13, "Permission denied", "/x"), Exit.FAILED, "sluicegate: /x: Permission denied\n"),
        (OSError(28, "No space left on device"), Exit.FAILED, "sluicegate: input or output: No space left on device\n"),
        (BrokenPipeError(), Exit.BROKEN_PIPE, ""),
        (KeyboardInterrupt(), Exit.INTERRUPTED, ""),
    ],
)
def test_how_errors_end(error: BaseException, code: Exit, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ending, told():
        raise error
    assert ending.value.exit_code == code
    assert capsys.readouterr().err == text


def test_every_exit_code_is_explained() -> None:
    assert set(MEANING) == set(Exit)


def test_an_unforeseen_error_names_places_and_no_data() -> None:
    try:
        raise ValueError("card 4111111111111111")
    except ValueError as error:
        message = unforeseen(error)
    assert re.fullmatch(r"sluicegate: unforeseen ValueError at test_cli_root\.py:\d+", message)


def test_an_unforeseen_error_ends_with_70(tmp_path: Path) -> None:
    code = """
import sys
from collector.cli import app
app.config.app.command("explode")(lambda: {}["secret"])
sys.argv = ["sluicegate", "config", "explode"]
app.main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == Exit.BUG
    assert "unforeseen KeyError" in done.stderr
    assert "secret" not in done.stderr


CONFIG = """\
node: ${UNSET}
policy: policy.yaml
sources:
  app: {type: file, includes: [a]}
"""
POLICY = """\
keys:
  - names: [a..b]
hash: {key: "${file:none}"}
"""


def test_config_check_tells_all_that_is_wrong_in_it_and_in_its_policy(tmp_path: Path, sluicegate: Run) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "gate.yaml").write_text(CONFIG)
    (folder / "policy.yaml").write_text(POLICY)
    wanted = [
        "etc/gate.yaml:1: node: the environment variable UNSET is not set; set it, or write ${UNSET:-default}",
        "etc/gate.yaml:4: sources.app.include: is missing; add it, with a list (lines below it that begin with `- `)",
        "etc/gate.yaml:4: sources.app.includes: is not a known key; did you mean include or exclude?",
        "etc/policy.yaml:2: keys[0].names[0]: is not a key name; write letters, digits, `_`, `-`, or `*` for any run "
        "of them, with `.` between the segments of a path",
        "etc/policy.yaml:3: hash.key: etc/none cannot be read: No such file or directory; make it readable or name "
        "another file",
    ]
    for command in (("config", "check"), ("run", "--config")):
        done = sluicegate(*command, "etc/gate.yaml")
        assert (done.returncode, done.stdout) == (Exit.CONFIG, b"")
        assert done.stderr.decode().splitlines() == wanted
    (folder / "gate.yaml").write_text("policy: policy.yaml\nsources: {app: {type: stdin}}\n")
    assert sluicegate("config", "check", "etc/gate.yaml").stderr.decode().splitlines() == wanted[3:]
    (folder / "gate.yaml").write_text("policy: [policy.yaml]\nsources: {app: {type: stdin}}\n")
    done = sluicegate("config", "check", "etc/gate.yaml")
    assert done.stderr == b"etc/gate.yaml:1: policy: holds a list; write text\n"
