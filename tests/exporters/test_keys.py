import multiprocessing
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporters.keys import MAX_BYTES, Key, KeyFileError, load_keys, load_or_make_keys


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def entry(key: Key) -> str:
    return f"sluicegate-key-1 {key.id} {key.secret.hex()}\n"


def test_a_key_is_made_once_and_only_the_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "store.key"
    made = load_or_make_keys(path)
    assert len(made[0].secret) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_make_keys(path) == made == load_keys(path)
    assert [each.name for each in path.parent.iterdir()] == ["store.key"]


def _make(path: Path, barrier: "multiprocessing.synchronize.Barrier", queue: "multiprocessing.Queue[str]") -> None:
    barrier.wait()
    queue.put(load_or_make_keys(path)[0].id)


def test_processes_that_start_at_once_get_the_same_key(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(3), context.Queue()
    processes = [context.Process(target=_make, args=(tmp_path / "k", barrier, queue)) for _ in range(3)]
    for process in processes:
        process.start()
    ids = {queue.get() for _ in processes}
    for process in processes:
        process.join()
    assert len(ids) == 1


def test_the_first_key_seals_and_all_are_there(tmp_path: Path) -> None:
    new, old = Key.generate(), Key.generate()
    assert load_keys(write(tmp_path / "k", f"# ours\n\n{entry(new)}{entry(old)}")) == (new, old)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o666, 0o620])
def test_a_key_file_others_may_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(KeyFileError, match="0600"):
        load_keys(write(tmp_path / "k", entry(Key.generate()), mode))


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o440])
def test_a_mounted_secret_is_taken(tmp_path: Path, mode: int) -> None:
    load_keys(write(tmp_path / "k", entry(Key.generate()), mode))


def test_a_mistyped_key_is_noticed_and_not_shown(tmp_path: Path) -> None:
    key = Key.generate()
    text = entry(key)
    wrong = text[:-2] + ("0" if text[-2] != "0" else "1") + "\n"
    with pytest.raises(KeyFileError, match="line 1") as caught:
        load_keys(write(tmp_path / "k", wrong))
    assert key.secret.hex()[:20] not in str(caught.value)


@pytest.mark.parametrize("text", ["", "# nothing\n", "hello\n", "x" * (MAX_BYTES + 1), "sluicegate-key-2 a b\n"])
def test_a_file_without_keys_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(KeyFileError):
        load_keys(write(tmp_path / "k", text))


def test_what_cannot_be_read_or_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="No such file"):
        load_keys(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyFileError, match="cannot be made"):
        load_or_make_keys(tmp_path / "file" / "k")


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_garbage_is_refused(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "k"
    path.write_bytes(garbage)
    path.chmod(0o600)
    with pytest.raises(KeyFileError):
        load_keys(path)


def test_a_key_does_not_show_itself() -> None:
    key = Key.generate()
    assert key.secret.hex() not in f"{key!r} {key}"
    assert repr(key.secret) not in f"{key!r} {key}"
