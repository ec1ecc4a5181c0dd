import shutil
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporters.browsing import LocalObjects, LocationError, S3Objects, find_store
from exporters.chunk import ChunkHeader, decode, encode, read_chunks
from exporters.keys import Key, load_keys
from exporters.local import LocalOptions, LocalStore
from exporters.reading import Damaged, KeyNeeded, NotGenuine, Progress, Query, Reader, ReadError, Unreachable
from exporters.record_time import line_time, only_between
from tests.exporters.segments import HOUR, NOON, SECOND, Made, chunk, line, segment


@dataclass
class Store:
    """A local store of a test, and what was put into it."""

    path: Path

    def put(self, *chunks: tuple[bytes, bytes], seal: bool = True, **facts: object) -> Path:
        """The path of the new object."""
        made: Made = segment(self.path.parent, *chunks, **facts)  # type: ignore[arg-type]
        LocalStore("local", LocalOptions(path=self.path, seal=seal)).export(made.segment)
        return self.path / (made.segment.name + (".enc" if seal else ""))

    def reader(self, *, keys: bool = True) -> Reader:
        return Reader(LocalObjects(self.path), load_keys(self.path.with_name("store.key")) if keys else ())

    def read(self, **query: object) -> bytes:
        reader = self.reader()
        lines = b"".join(block for _, block in reader.read(Query(**query)))  # type: ignore[arg-type]
        assert reader.failures == []
        return lines

    def failure(self, *, keys: bool = True) -> ReadError:
        reader = self.reader(keys=keys)
        for _ in reader.read(Query()):
            pass
        (failure,) = reader.failures
        return failure


@pytest.fixture
def store(tmp_path: Path) -> Store:
    LocalStore("local", LocalOptions(path=tmp_path / "store"))  # makes the key
    return Store(tmp_path / "store")


def test_times_cut_to_the_nanosecond(store: Store) -> None:
    times = [NOON, NOON + 1, NOON + 2, NOON + 3]
    store.put(chunk(times))
    assert store.read() == b"".join(map(line, times))
    assert store.read(since=NOON + 1, until=NOON + 3) == line(NOON + 1) + line(NOON + 2)
    assert store.read(since=NOON + 3) == line(NOON + 3)
    assert store.read(until=NOON) == b""
    assert store.read(since=NOON + 2, until=NOON + 2) == b""


@given(
    st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=5), min_size=1, max_size=4),
    st.none() | st.integers(-10, 70),
    st.none() | st.integers(-10, 70),
)
def test_skipping_chunks_by_their_headers_changes_nothing(
    chunks: list[list[int]], since: int | None, until: int | None
) -> None:
    """The same as looking at every line."""
    query = Query(
        since=None if since is None else NOON + since * SECOND, until=None if until is None else NOON + until * SECOND
    )
    expected = b"".join(
        line(NOON + offset * SECOND)
        for each in chunks
        for offset in each
        if (since is None or offset >= since) and (until is None or offset < until)
    )
    found = b""
    for each in chunks:
        for header, frame in read_chunks(BytesIO(chunk([NOON + offset * SECOND for offset in each])[0])):
            if query.wants_chunk(header):
                found += query.records(header, decode(header, frame))
    assert found == expected


def test_partitions_out_of_question_are_not_even_listed(store: Store) -> None:
    listed: list[str] = []

    class Watched(LocalObjects):
        def list(self, place: str) -> object:  # type: ignore[override]
            listed.append(place.removeprefix(f"{store.path}/"))
            return super().list(place)

    for hours in (0, 1, 2, 24, 48):
        store.put(first_time=NOON + hours * HOUR)
    store.put(retention="audit")
    reader = Reader(Watched(store.path), load_keys(store.path.with_name("store.key")))
    query = Query(since=NOON + HOUR, until=NOON + 2 * HOUR, retention="standard", signal="logs")
    (block,) = reader.read(query)
    assert block[0].first_time == NOON + HOUR
    assert [place for place in listed if "dt=" in place] == [
        "standard/logs/dt=2026-11-24/",
        "standard/logs/dt=2026-11-24/hr=13/",
    ]


def test_retention_and_signal_choose(store: Store) -> None:
    store.put(chunk([NOON], text="one"))
    store.put(chunk([NOON], text="two"), retention="audit")
    assert store.read(retention="audit") == line(NOON, "two")
    assert store.read(retention="standard") == line(NOON, "one")
    assert store.read(signal="traces") == b""


def test_origin_chooses_without_decompressing(store: Store) -> None:
    broken, _ = chunk([NOON], pod="db-1", source="db")
    store.put(
        chunk([NOON], pod="web-1", text="one"),
        (broken[:-1] + bytes([broken[-1] ^ 1]), line(NOON)),  # its checksum is wrong: only decoding would tell
        chunk([NOON], pod="web-2", text="two"),
    )
    assert store.read(resource={"k8s.pod.name": "web-*"}) == line(NOON, "one") + line(NOON, "two")
    assert store.read(resource={"k8s.pod.name": "web-2"}) == line(NOON, "two")
    assert store.read(source="app") == line(NOON, "one") + line(NOON, "two")
    assert store.read(resource={"k8s.namespace.name": "*"}) == b""
    assert isinstance(store.failure(), Damaged)


def test_any_part_of_a_store_can_be_read(store: Store) -> None:
    """Pruning works from the whole key, wherever reading begins."""
    store.put(chunk([NOON], text="one"))
    for place in ("standard", "standard/logs", "standard/logs/dt=2026-11-24", "standard/logs/dt=2026-11-24/hr=12"):
        reader = Reader(LocalObjects(store.path / place), load_keys(store.path.with_name("store.key")))
        assert [block for _, block in reader.read(Query(retention="standard", since=NOON))] == [line(NOON, "one")]
        assert reader.failures == []


def test_files_of_others_are_left_alone(store: Store) -> None:
    path = store.put(chunk([NOON]))
    (store.path / "README").write_text("hello")
    (path.parent / "notes.ndjson.zst").write_text("hello")
    (path.parent / f".{path.name}.tmp").write_text("being written")
    assert store.read() == line(NOON)


def test_a_changed_byte_anywhere_is_found_and_the_others_are_read(store: Store) -> None:
    good = store.put(chunk([NOON], text="good"))
    bad = store.put(chunk([NOON], text="bad"))
    content = bytearray(bad.read_bytes())
    content[-20] ^= 1
    bad.write_bytes(content)
    reader = store.reader()
    assert b"".join(block for _, block in reader.read(Query())) == line(NOON, "good")
    (failure,) = reader.failures
    assert isinstance(failure, NotGenuine)
    assert failure.key == str(bad)
    assert reader.progress.objects_done == reader.progress.objects == 2
    assert reader.progress.bytes_done == good.stat().st_size + len(content)


@pytest.mark.parametrize("seal", [True, False])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_no_change_of_one_byte_passes(store: Store, seal: bool, data: st.DataObject) -> None:
    """zstd has a few bits that mean nothing to it: changed, they change nothing."""
    shutil.rmtree(store.path, ignore_errors=True)
    path = store.put(chunk([NOON, NOON + 1]), chunk([NOON + 2]), seal=seal)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    reader = store.reader()
    lines = b"".join(block for _, block in reader.read(Query()))
    if reader.failures or seal:
        assert isinstance(store.failure(), NotGenuine | KeyNeeded if seal else Damaged)
    else:
        assert lines == line(NOON) + line(NOON + 1) + line(NOON + 2)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_no_cut_passes_when_sealed(store: Store, data: st.DataObject) -> None:
    """Between two chunks as well: the message's own end is missing then."""
    shutil.rmtree(store.path, ignore_errors=True)
    path = store.put(chunk([NOON, NOON + 1]), chunk([NOON + 2]))
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    assert isinstance(store.failure(), NotGenuine)


@pytest.mark.parametrize("change", ["renamed", "other hour", "other retention", "swapped"])
def test_a_sealed_object_in_another_place_is_refused(store: Store, change: str) -> None:
    one = store.put(chunk([NOON], text="one"))
    if change == "swapped":
        two = store.put(chunk([NOON], text="two"))
        first, second = one.read_bytes(), two.read_bytes()
        one.write_bytes(second)
        two.write_bytes(first)
        reader = store.reader()
        assert list(reader.read(Query())) == []
        assert [type(failure) for failure in reader.failures] == [NotGenuine, NotGenuine]
        return
    moved = {
        "renamed": one.with_name("node-1-" + "0" * 32 + ".ndjson.zst.enc"),
        "other hour": one.parent.with_name("hr=13") / one.name,
        "other retention": Path(str(one).replace("/standard/", "/audit/")),
    }[change]
    moved.parent.mkdir(parents=True, exist_ok=True)
    one.rename(moved)
    assert isinstance(store.failure(), NotGenuine)
    assert "moved or swapped" in str(store.failure())


def test_a_whole_store_may_move(store: Store, tmp_path: Path) -> None:
    store.put(chunk([NOON]))
    shutil.copytree(store.path, tmp_path / "elsewhere" / "copy")
    reader = Reader(LocalObjects(tmp_path / "elsewhere" / "copy"), load_keys(tmp_path / "store.key"))
    assert [block for _, block in reader.read(Query())] == [line(NOON)]
    assert reader.failures == []


def test_a_missing_or_wrong_key_is_told(store: Store) -> None:
    store.put()
    assert isinstance(store.failure(keys=False), KeyNeeded)
    right = load_keys(store.path.with_name("store.key"))[0]
    reader = Reader(LocalObjects(store.path), [Key.generate()])
    assert list(reader.read(Query())) == []
    (failure,) = reader.failures
    assert isinstance(failure, KeyNeeded)
    assert right.id in str(failure)


def test_records_missing_against_what_was_sealed_are_found(store: Store) -> None:
    store.put(chunk([NOON]), records=2)
    failure = store.failure()
    assert isinstance(failure, Damaged)
    assert "holds 1 records; 2 were stored" in str(failure)


def test_a_store_that_is_not_there_is_told(tmp_path: Path) -> None:
    reader = Reader(LocalObjects(tmp_path / "none"))
    assert list(reader.read(Query())) == []
    (failure,) = reader.failures
    assert isinstance(failure, Unreachable)
    assert "is not there" in str(failure)


def test_an_object_that_vanishes_meanwhile_is_told(store: Store) -> None:
    paths = sorted([store.put(chunk([NOON], text="one")), store.put(chunk([NOON], text="two"))])
    reader = store.reader()
    blocks = reader.read(Query())
    next(blocks)
    paths[1].unlink()
    assert list(blocks) == []
    (failure,) = reader.failures
    assert isinstance(failure, Unreachable)


def test_progress_is_told(store: Store) -> None:
    size = sum(store.put(chunk([NOON]), chunk([NOON + SECOND])).stat().st_size for _ in range(2))
    seen: list[tuple[int, int, int, int]] = []

    def note(progress: Progress) -> None:
        seen.append((progress.objects_done, progress.objects, progress.bytes, progress.chunks))

    reader = Reader(LocalObjects(store.path), load_keys(store.path.with_name("store.key")), report=note)
    list(reader.read(Query(until=NOON + SECOND)))
    assert seen[0] == (0, 2, size, 0)
    assert seen[-1] == (2, 2, size, 4)
    assert seen == sorted(seen)
    assert reader.progress.chunks_skipped == 2
    assert reader.progress.bytes_done == size


def test_messages_hold_no_contents(store: Store) -> None:
    content, _ = chunk([NOON], text="secret", source="secret", pod="secret")
    store.put((content[:-3], line(NOON)), seal=False)
    assert "secret" not in str(store.failure())


def test_a_chunk_without_records_is_read(store: Store) -> None:
    header = ChunkHeader(
        signal="logs", format="lines", source="a", records=0, first_time=NOON, last_time=NOON, policy="x"
    )
    store.put((encode(header, b""), b""), chunk([NOON]))
    assert store.read() == line(NOON)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-24T12:00:00Z", NOON),
        ("2026-11-24T12:00:00.000000001Z", NOON + 1),
        ("2026-11-24T12:00:00.1Z", NOON + SECOND // 10),
        ("2026-11-24T12:00:00.1234567891234Z", NOON + 123_456_789),
        ("2026-11-24T14:00:00+02:00", NOON),
        ("2026-11-24t12:00:00z", NOON),
        ("1969-12-31T23:59:59.5Z", -SECOND // 2),
        ("2026-02-31T12:00:00Z", None),
        ("2026-11-24", None),
        ("", None),
    ],
)
def test_a_line_tells_its_time(text: str, time: int | None) -> None:
    assert line_time(f'{{"time":"{text}","body":1}}\n'.encode()) == time


def test_a_line_that_does_not_tell_its_time_is_kept() -> None:
    stored = b'{"body":"x"}\n' + line(NOON) + b'{"time":"soon","body":"a\rb"}\n'
    assert only_between(stored, NOON + 1, None) == b'{"body":"x"}\n{"time":"soon","body":"a\rb"}\n'


@given(st.binary(max_size=100))
def test_any_line_is_looked_at_without_harm(garbage: bytes) -> None:
    stored = garbage.replace(b"\n", b"") + b"\n"
    assert only_between(stored, 0, None) in {stored, b""}


def test_locations_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for location in (str(tmp_path), f"file://{tmp_path}", f"file://localhost{tmp_path}"):
        found = find_store(location)
        assert isinstance(found, LocalObjects)
        assert found.path == tmp_path
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    s3 = find_store("s3://logs/a/b?endpoint_url=http://127.0.0.1:1&path_style=true")
    assert isinstance(s3, S3Objects)
    assert s3.root == "a/b/"
    assert isinstance(find_store("s3://logs"), S3Objects)


@pytest.mark.parametrize(
    "location",
    ["http://x/y", "s3://", "s3:///x", "s3://b?secret_access_key=x", "s3://b?endpoint_url=x", "file://host/x"],
)
def test_a_location_that_says_nothing_is_refused(location: str) -> None:
    with pytest.raises(LocationError):
        find_store(location)
