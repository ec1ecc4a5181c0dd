import os
import pickle
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from exporters.browsing import LocalObjects
from exporters.exporter import Rejected, Retryable
from exporters.keys import KeyFileError, load_keys
from exporters.local import LocalOptions, LocalStore
from exporters.reading import Query, Reader
from tests.exporters.segments import NOON, SECOND, Made, chunk, segment


def store(path: Path, *, seal: bool = True) -> LocalStore:
    return LocalStore("local", LocalOptions(path=path, seal=seal))


def read(path: Path) -> bytes:
    reader = Reader(LocalObjects(path), load_keys(path.with_name(f"{path.name}.key")))
    lines = b"".join(block for _, block in reader.read(Query()))
    assert reader.failures == []
    return lines


def files(path: Path) -> list[Path]:
    return sorted(each.relative_to(path) for each in path.rglob("*") if each.is_file())


def test_a_segment_becomes_one_sealed_file_that_its_owner_alone_may_read(tmp_path: Path) -> None:
    made = segment(tmp_path)
    written = store(tmp_path / "store").export(made.segment)
    name = Path(f"standard/logs/dt=2026-11-24/hr=12/node-1-{made.segment.id}.ndjson.zst.enc")
    assert files(tmp_path / "store") == [name]
    path = tmp_path / "store" / name
    assert path.stat().st_size == written
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parents if tmp_path in each.parents} == {0o700}
    assert b"hello" not in path.read_bytes()
    assert read(tmp_path / "store") == made.lines


def test_unsealed_it_is_what_any_zstd_reads(tmp_path: Path) -> None:
    made = segment(tmp_path, chunk([NOON]), chunk([NOON + SECOND]))
    assert store(tmp_path / "store", seal=False).export(made.segment) == made.segment.bytes
    (name,) = files(tmp_path / "store")
    assert name.suffix == ".zst"
    with (tmp_path / "store" / name).open("rb") as file:
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        assert reader.read() == made.lines
    assert not (tmp_path / "store.key").exists()


def test_sending_twice_leaves_one_object(tmp_path: Path) -> None:
    made = segment(tmp_path)
    exporter = store(tmp_path / "store")
    exporter.export(made.segment)
    exporter.export(made.segment)
    assert len(files(tmp_path / "store")) == 1
    assert read(tmp_path / "store") == made.lines


def test_what_was_never_committed_is_not_sent(tmp_path: Path) -> None:
    made = segment(tmp_path)
    with made.segment.path.open("ab") as file:
        file.write(b"not committed")
    for seal in (True, False):
        store(tmp_path / f"store-{seal}", seal=seal).export(made.segment)
        reader = Reader(LocalObjects(tmp_path / f"store-{seal}"), load_keys(tmp_path / "store-True.key"))
        assert b"".join(block for _, block in reader.read(Query())) == made.lines
        assert reader.failures == []


@pytest.mark.parametrize("damage", ["gone", "short"])
def test_a_segment_that_is_not_whole_is_rejected(tmp_path: Path, damage: str) -> None:
    made = segment(tmp_path)
    made.segment.path.unlink() if damage == "gone" else os.truncate(made.segment.path, 10)
    with pytest.raises(Rejected, match=made.segment.id):
        store(tmp_path / "store").export(made.segment)
    assert files(tmp_path / "store") == []


@pytest.mark.parametrize("change", [{"retention": "../.."}, {"node": "../../../../../x"}, {"retention": "/etc"}])
def test_nothing_is_written_outside_of_the_store(tmp_path: Path, change: dict[str, str]) -> None:
    made = segment(tmp_path)
    with pytest.raises(Rejected, match="out of the store"):
        store(tmp_path / "a" / "b" / "store").export(replace(made.segment, **change))
    assert files(tmp_path / "a") == [Path("b/store.key")]


def test_a_place_that_cannot_be_written_is_told_and_retried(tmp_path: Path) -> None:
    made = segment(tmp_path)
    exporter = store(tmp_path / "store")
    (tmp_path / "store").write_text("a file where the directory should be")
    for attempt in (exporter.check, lambda: exporter.export(made.segment)):
        with pytest.raises(Retryable, match="local: cannot store in"):
            attempt()
    (tmp_path / "store").unlink()
    exporter.check()
    assert files(tmp_path / "store") == []
    exporter.export(made.segment)
    assert read(tmp_path / "store") == made.lines


_FULL = """
import resource, sys
from exporters.exporter import Retryable
from tests.exporters.test_local import store
from pathlib import Path
import pickle
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    store(Path(sys.argv[1])).export(pickle.loads(sys.stdin.buffer.read()))
except Retryable as error:
    print(error)
"""


def _big(directory: Path) -> Made:
    return segment(directory, *(chunk([NOON + number], text=os.urandom(100_000).hex()) for number in range(20)))


def test_a_write_that_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    """The kernel refuses to let the file grow, as it does on a full disk."""
    made = _big(tmp_path)
    (tmp_path / "store").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(tmp_path / "store")],
        input=pickle.dumps(made.segment),
        capture_output=True,
        check=True,
    )
    assert b"File too large" in done.stdout, done.stderr
    assert files(tmp_path / "store") == []
    store(tmp_path / "store").export(made.segment)
    assert read(tmp_path / "store") == made.lines


_LOOP = """
import pickle, sys
from pathlib import Path
from tests.exporters.test_local import store
exporter, segment = store(Path(sys.argv[1])), pickle.loads(sys.stdin.buffer.read())
print(flush=True)
while True:
    exporter.export(segment)
    print(flush=True)
"""


@pytest.mark.parametrize("exports", [0, 1, 2])
def test_killed_at_any_moment_an_object_is_whole_or_not_there(tmp_path: Path, exports: int) -> None:
    made = _big(tmp_path)
    (tmp_path / "store").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", _LOOP, str(tmp_path / "store")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(pickle.dumps(made.segment))
        process.stdin.close()
        for _ in range(exports + 1):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert read(tmp_path / "store") in ({made.lines} if exports else {made.lines, b""})
    store(tmp_path / "store").export(made.segment)
    assert len(files(tmp_path / "store")) == 1
    assert read(tmp_path / "store") == made.lines


def test_a_key_file_that_others_may_read_stops_the_start(tmp_path: Path) -> None:
    store(tmp_path / "store")
    (tmp_path / "store.key").chmod(0o644)
    with pytest.raises(KeyFileError, match="0600"):
        store(tmp_path / "store")


def test_memory_stays_small_however_large_a_segment_is(tmp_path: Path) -> None:
    made = segment(tmp_path)
    os.truncate(made.segment.path, 300 << 20)
    program = (
        "import pickle, resource, sys; from pathlib import Path; from tests.exporters.test_local import store;"
        "exporter = store(Path(sys.argv[1])); before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "exporter.export(pickle.loads(sys.stdin.buffer.read()));"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "store")],
        input=pickle.dumps(replace(made.segment, bytes=300 << 20)),
        capture_output=True,
        check=True,
    )
    grown = int(done.stdout) * (1 if sys.platform == "darwin" else 1024)
    assert grown < 32 << 20
