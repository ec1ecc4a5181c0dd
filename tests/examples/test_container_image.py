"""What can be checked of the image without building it: its recipe refers to what is there, and its steps work."""

import fnmatch
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()
IGNORE = [line for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
PACKAGES: list[str] = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
LINE = b'{"a":{"Email":"x@y.io"},"n":1.10,"card":4111111111111111}\n'
CLEAN = b'{"a":{},"n":1.10,"card":"[REDACTED:payment_card]"}\n'


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as the recipe builds it, from what is sent as its context and nothing else."""
    folder = tmp_path_factory.mktemp("image")
    context = folder / "context"
    for name in _files():
        if _sent(name):
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, context / name)
    build: list[str | Path] = [
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        folder,
        ".",
    ]
    subprocess.run([sys.executable, "-m", "pip", *build], cwd=context, check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """The wheel in an environment of its own that borrows the dependencies of this one, but not its checkout."""
    environment = _environment(wheel.parent / "installed", wheel)
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    return environment


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
    assert all((CHECKOUT / package / "__init__.py").is_file() for package in PACKAGES)
    files = [f"{package}/__init__.py" for package in PACKAGES]
    files += ["pyproject.toml", PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]]
    assert [file for file in files if not _sent(file)] == []


def test_the_context_holds_no_more() -> None:
    kept_out = [".git/config", ".run/planted.json", ".venv/bin/python", "tests/x.py", "examples/shop/app.py"]
    assert [file for file in [*kept_out, "store.key", "collector/__pycache__/x.pyc"] if _sent(file)] == []


def test_what_is_copied_is_there() -> None:
    copied = [line.split()[1:] for line in _joined(DOCKERFILE).splitlines() if line.startswith("COPY ")]
    from_context = [source for words in copied if not words[0].startswith("--from") for source in words[:-1]]
    assert "." in from_context
    assert all((CHECKOUT / source).exists() for source in from_context)
    stages = re.findall(r"^FROM \S+ AS (\S+)", DOCKERFILE, re.MULTILINE)
    assert {words[0].removeprefix("--from=") for words in copied if words[0].startswith("--from")} <= set(stages)


def test_the_wheel_holds_every_file_of_the_packages_and_no_more(wheel: Path) -> None:
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == {name for name in _files() if name.split("/")[0] in PACKAGES}
    assert held >= {
        "scrubbers/presets/default.yaml",
        *(f"{name}/py.typed" for name in ("collector", "scrubbers", "exporters")),
    }


def test_installed_it_works_from_any_folder_and_writes_nothing_beside_its_home(installed: Path, tmp_path: Path) -> None:
    before = _state(installed)
    _works(installed, tmp_path)
    assert _state(installed) == before
    assert {path.name for path in tmp_path.iterdir()} == {"home"}


@pytest.mark.slow
def test_the_lock_file_of_the_image_is_all_that_it_needs(wheel: Path, tmp_path: Path) -> None:
    """Its dependencies from the lock file alone; needs a package index."""
    requirements: list[str | Path] = [
        "--require-hashes",
        "--only-binary",
        ":all:",
        "-r",
        CHECKOUT / "requirements/run.lock",
    ]
    environment = _environment(tmp_path / "environment", wheel, requirements)
    (tmp_path / "elsewhere").mkdir()
    _works(environment, tmp_path / "elsewhere")


def test_it_runs_as_a_numbered_user_other_than_root_and_writes_in_one_place() -> None:
    last = _joined(DOCKERFILE).rpartition("\nFROM ")[2]
    instructions = dict(line.split(" ", 1) for line in last.splitlines() if re.match(r"[A-Z]+ ", line))
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", instructions["USER"])
    assert instructions["WORKDIR"] == instructions["VOLUME"] == "/var/lib/sluicegate"
    assert "SLUICEGATE_HOME=/var/lib/sluicegate" in shlex.split(instructions["ENV"])
    assert instructions["ENTRYPOINT"] == '["sluicegate"]'
    assert "gcc" not in last
    assert "apt-get" not in last


def _works(environment: Path, folder: Path) -> None:
    command = environment / "bin/sluicegate"
    outside = {"PATH": os.environ["PATH"], "SLUICEGATE_HOME": str(folder / "home"), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(*arguments: str, given: bytes = b"") -> bytes:
        done = subprocess.run(
            [command, *arguments], input=given, cwd=folder, env=outside, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("--version").decode() == f"sluicegate {PROJECT['project']['version']}\n"
    assert run("scrub", given=LINE) == CLEAN
    run("run", "-", given=LINE)
    assert CLEAN.strip() in run("read")


def _environment(folder: Path, wheel: Path, requirements: "list[str | Path] | None" = None) -> Path:
    venv.create(folder, with_pip=False, symlinks=True)
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--quiet",
        "--disable-pip-version-check",
        "--python",
        folder / "bin/python",
    ]
    if requirements:
        subprocess.run([*pip, "install", *requirements], check=True)
    subprocess.run([*pip, "install", "--no-deps", "--no-index", wheel], check=True)
    return folder


def _files() -> Iterator[str]:
    """Every file of a checkout that could become a part of the wheel, as paths in it."""
    for path in sorted(CHECKOUT.iterdir()):
        if path.is_file():
            yield path.name
    for top in (*PACKAGES, "requirements"):
        for path in sorted((CHECKOUT / top).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield str(path.relative_to(CHECKOUT))


def _state(folder: Path) -> set[tuple[str, int]]:
    return {(str(path), path.lstat().st_mtime_ns) for path in folder.rglob("*")}


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
