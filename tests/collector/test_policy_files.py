"""The files of the policy: which are watched, and when they count as changed."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.policy_files import PolicyFiles
from settings import SettingsError


def nothing() -> None:
    pass


def noticed(files: PolicyFiles, *steps: Callable[[], object]) -> int:
    """After how many looks a change is told, while these steps happen between them; 0: it is not."""
    coming = iter((nothing, *steps, nothing, nothing, nothing))
    looks = 0

    async def sleep(_seconds: float) -> None:
        nonlocal looks
        looks += 1
        next(coming)()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("collector.policy_files.asyncio.sleep", sleep)
        try:
            asyncio.run(files.changed())
        except RuntimeError:  # the steps are over
            return 0
    return looks


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    (tmp_path / "base.yaml").write_text("keys: [{names: [email]}]\n")
    (tmp_path / "p.yaml").write_text("extends: base.yaml\n")
    return tmp_path / "p.yaml"


def test_a_change_of_any_file_is_told_once(policy: Path) -> None:
    files = PolicyFiles(policy)
    files.load()
    for changed in (policy, policy.with_name("base.yaml")):
        assert noticed(files, lambda file=changed: file.write_text(file.read_text() + "# more\n"))
    assert not noticed(files)


def test_a_file_that_is_swapped_by_a_link_above_it_is_told(tmp_path: Path) -> None:
    """As a ConfigMap does it."""
    for number, names in ((1, "email"), (2, "email, phone")):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "p.yaml").write_text(f"keys: [{{names: [{names}]}}]\n")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "p.yaml").symlink_to("..data/p.yaml")
    files = PolicyFiles(tmp_path / "p.yaml")
    before = files.load()

    def swap() -> None:
        (tmp_path / "new").symlink_to("..2")
        (tmp_path / "new").replace(tmp_path / "..data")

    assert noticed(files, swap)
    assert files.load() != before


def test_what_was_loaded_meanwhile_is_no_change(policy: Path) -> None:
    files = PolicyFiles(policy)
    files.load()

    def load_it() -> None:
        policy.write_text("keys: [{names: [alpha]}]\n")
        files.load()

    assert not noticed(files, load_it)


def test_files_are_watched_though_the_last_one_could_not_be_used(policy: Path) -> None:
    files = PolicyFiles(policy)
    files.load()
    base = policy.with_name("base.yaml")
    base.write_text("keys: 7\n")
    with pytest.raises(SettingsError):
        files.load()
    assert noticed(files, lambda: base.write_text("keys: []\n"))
    files.load()
    assert noticed(files, base.unlink)
    assert noticed(files, lambda: base.write_text("keys: []\n"))


def test_a_file_that_is_still_being_written_is_left_alone(policy: Path) -> None:
    files = PolicyFiles(policy)
    files.load()

    def write() -> None:
        policy.write_text(policy.read_text() + "# line\n")

    assert noticed(files, write, write, write) == 5  # each look but the last finds another file


def test_the_default_policy_is_not_watched() -> None:
    files = PolicyFiles(None)
    assert files.load().keys
    assert not noticed(files)
