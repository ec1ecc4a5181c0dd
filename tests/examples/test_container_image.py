"""What can be checked of the image without building it: its recipe refers to what is there."""

import fnmatch
import re
import shlex
import tomllib
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()
IGNORE = [line for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())


def test_lock_files_named_in_the_recipe_exist() -> None:
    named = set(re.findall(r"-r (\S+)", DOCKERFILE))
    assert "requirements/run.lock" in named
    assert all((CHECKOUT / name).is_file() for name in named)
    assert all(_sent(name) for name in named)


def test_nothing_is_installed_without_hashes_but_the_wheel_itself() -> None:
    installs = [part for part in re.split(r"&&|\nRUN", _joined(DOCKERFILE)) if " install " in part and "/pip" in part]
    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes --only-binary :all:" in install or "--no-deps --no-index /wheels/*.whl" in install


def test_the_context_holds_what_the_wheel_is_built_from() -> None:
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert all((CHECKOUT / package / "__init__.py").is_file() for package in packages)
    files = [f"{package}/__init__.py" for package in packages]
    files += ["pyproject.toml", PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]]
    assert [file for file in files if not _sent(file)] == []


def test_the_context_holds_no_more() -> None:
    kept_out = [".git/config", ".run/planted.json", ".venv/bin/python", "tests/x.py", "examples/shop/app.py"]
    assert [file for file in [*kept_out, "store.key", "collector/__pycache__/x.pyc"] if _sent(file)] == []


def test_it_runs_as_a_numbered_user_other_than_root_and_writes_in_one_place() -> None:
    last = _joined(DOCKERFILE).rpartition("\nFROM ")[2]
    instructions = dict(line.split(" ", 1) for line in last.splitlines() if re.match(r"[A-Z]+ ", line))
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", instructions["USER"])
    assert instructions["WORKDIR"] == instructions["VOLUME"] == "/var/lib/sluicegate"
    assert "SLUICEGATE_HOME=/var/lib/sluicegate" in shlex.split(instructions["ENV"])
    assert instructions["ENTRYPOINT"] == '["sluicegate"]'
    assert "gcc" not in last
    assert "apt-get" not in last


def _joined(recipe: str) -> str:
    """One instruction a line."""
    return re.sub(r"\s*\\\n\s*", " ", recipe)


def _sent(path: str) -> bool:
    """Whether `path` is a part of the build context: the last line of .dockerignore that matches decides."""
    sent = True
    for line in IGNORE:
        pattern = line.removeprefix("!").replace("**/", "*")
        if any(fnmatch.fnmatchcase(str(part), pattern) for part in (Path(path), *Path(path).parents)):
            sent = line.startswith("!")
    return sent
