"""Which files are read, from where, and what is said when they cannot be."""

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from watchfiles import Change

from collector import telemetry
from collector.sources.file import FileOptions, FileSource
from collector.sources.identity import base_name

CRI = b"2026-09-21T10:00:00Z stdout F "


def metric(name: str, **labels: str) -> float:
    return telemetry._registry.get_sample_value(f"sluicegate_{name}", labels) or 0


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


# Which files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("include", "exclude", "read"),
    [
        ("*.log", (), {"a"}),
        ("**/*.log", (), {"a", "b", "c"}),
        ("**/*.log", ("one/**",), {"a"}),
        ("**/*.log", ("**/c.log",), {"a", "b"}),
        ("one/*/?.log", (), {"c"}),
        ("one/**", (), {"b", "c"}),
        ("[ab].log", (), {"a"}),
        ("**/.hidden/*", (), {"h"}),
    ],
)
def test_patterns(gate: Any, tmp_path: Path, include: str, exclude: tuple[str, ...], read: set[str]) -> None:
    for path in ("a.log", "one/b.log", "one/two/c.log", ".hidden/h.log"):
        write(tmp_path / path, Path(path).stem.encode() + b"\n")
    running = gate(tmp_path / include, exclude=tuple(str(tmp_path / pattern) for pattern in exclude))
    assert {line.decode() for line in running.read()} == read
    running.close()


def test_a_file_that_several_paths_lead_to_is_read_once(gate: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.log", b"x\n")
    (tmp_path / "b.log").symlink_to(path)
    os.link(path, tmp_path / "c.log")
    running = gate(tmp_path / "*.log")
    assert running.read() == [b"x"]
    running.close()


def test_directories_and_pipes_are_not_read(gate: Any, tmp_path: Path) -> None:
    (tmp_path / "a.log").mkdir()
    os.mkfifo(tmp_path / "b.log")
    (tmp_path / "c.log").symlink_to(tmp_path / "nowhere")
    running = gate(tmp_path / "*.log")
    assert running.read() == []
    running.close()


def test_links_as_in_var_log_containers(gate: Any, tmp_path: Path) -> None:
    """Two links to the file of a pod, which the kubelet renames and compresses; the link then leads to the next one."""
    folder = tmp_path / "pods/shop_cart-5f_c0ffee/app"
    log = write(folder / "0.log", CRI + b"one\n")
    link = tmp_path / f"containers/cart-5f_shop_app-{'ab' * 32}.log"
    link.parent.mkdir()
    link.symlink_to(log)
    running = gate(link.parent / "*.log")
    assert running.read() == [b"one"]
    resource = dict(running.committed[0].origin.resource)
    assert resource["k8s.namespace.name"] == "shop"
    assert resource["k8s.pod.name"] == "cart-5f"
    assert resource["k8s.container.name"] == "app"
    assert resource["log.file.path"] == str(link)
    with log.open("ab") as file:
        file.write(CRI + b"two\n")
    rotated = log.rename(folder / "0.log.20260921-100000")
    write(log, CRI + b"three\n")
    assert sorted(running.read()) == [b"one", b"three", b"two"]
    write(rotated.with_name(rotated.name + ".gz"), gzip.compress(rotated.read_bytes()))
    rotated.unlink()
    running.settle()
    running.restart()
    assert sorted(running.read()) == [b"one", b"three", b"two"]
    running.close()


@pytest.mark.parametrize(
    "name",
    [
        "app.log.1", "app.log.12.gz", "app.log-20260921", "app.log-20260921.gz", "app.log.20260921-100000", "app.1.log",
        "app-2026-09-21T10.log", "app.log.old", "app.log.bak", "app.log~", "app.log.gz",
    ],
)  # fmt: skip
def test_names_of_rotated_files(name: str) -> None:
    assert base_name(name) == "app.log"


@pytest.mark.parametrize("name", ["app.log", "0.log", "app2.log", "1", "web-1.log", "error.log", ".old"])
def test_names_of_files_that_are_not_rotated(name: str) -> None:
    assert base_name(name) == name


# From where ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "first", "again"),
    [
        ("checkpoint", [b"old"], [b"old", b"new"]),
        ("beginning", [b"old"], [b"old", b"old", b"new"]),
        ("end", [], [b"new"]),
    ],
)
def test_start(gate: Any, tmp_path: Path, start: str, first: list[bytes], again: list[bytes]) -> None:
    path = write(tmp_path / "app.log", b"old\n")
    running = gate(path, start=start)
    assert running.read() == first
    running.restart()
    with path.open("ab") as file:
        file.write(b"new\n")
    assert running.read() == again
    running.close()


def test_with_start_at_the_end_files_that_come_later_are_read_whole(gate: Any, tmp_path: Path) -> None:
    write(tmp_path / "a.log", b"old\nhalf")
    running = gate(tmp_path / "*.log", start="end")
    assert running.read() == []
    write(tmp_path / "b.log", b"b\n")
    with (tmp_path / "a.log").open("ab") as file:
        file.write(b" a line\n")
    assert sorted(running.read()) == [b"b", b"half a line"]
    running.close()


def test_a_half_written_line_waits_for_its_rest(gate: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "app.log", b"one\ntw")
    running = gate(path)
    assert running.read() == [b"one"]
    with path.open("ab") as file:
        file.write(b"o\n")
    assert running.read() == [b"one", b"two"]
    running.close()


def test_a_half_written_line_of_a_file_that_is_gone_is_a_record(gate: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "app.log", b"one\ntwo")
    running = gate(path)
    running.step()
    path.unlink()
    running.settle()
    assert running.lines() == [b"one", b"two"]
    running.close()


def test_once_takes_everything_and_ends(collect: Any, tmp_path: Path) -> None:
    write(tmp_path / "a.log", b"one\ntwo")
    (tmp_path / "b.log.1.gz").write_bytes(gzip.compress(b"three\nfour"))
    options = FileOptions(include=(str(tmp_path / "*"),))
    batches = collect(FileSource("files", options, redact=bytes, once=True))
    assert sorted(b"".join(batch.body for batch in batches).split()) == [b"four", b"one", b"three", b"two"]


@pytest.mark.parametrize(
    "text", [b"\xef\xbb\xbfx\n", b"\xff\xfe\n", b"a\0b\n", b"x\r\n", b"\n", b'{"a":' * 10_000 + b"\n"]
)
def test_bytes_are_passed_on_as_they_are(gate: Any, tmp_path: Path, text: bytes) -> None:
    running = gate(write(tmp_path / "app.log", text))
    assert b"".join(line + b"\n" for line in running.read()) == text
    running.close()


# Identity ------------------------------------------------------------------------------------------------------------


def test_equal_first_lines_neither_skip_nor_repeat(gate: Any, tmp_path: Path) -> None:
    header = b"# fields: time level message\n" * 200
    for number in range(5):
        write(tmp_path / f"{number}.log", header + b"only in %d\n" % number)
    running = gate(tmp_path / "*.log")
    assert running.read().count(b"# fields: time level message") == 1000
    running.restart()
    for number in range(5):
        with (tmp_path / f"{number}.log").open("ab") as file:
            file.write(b"more in %d\n" % number)
    running.settle()
    counts = running.counts()
    assert counts.pop(b"# fields: time level message") == 1000
    assert set(counts.values()) == {1}
    assert len(counts) == 10
    running.close()


@pytest.mark.parametrize("killed", [False, True])
def test_a_file_rewritten_with_the_same_head_is_read_anew(gate: Any, tmp_path: Path, killed: bool) -> None:
    head = b"head\n" * 1000
    path = write(tmp_path / "app.log", head + b"one\n")
    running = gate(path)
    running.read()
    if killed:
        running.restart()
    path.write_bytes(head + b"two, and longer than before\n")
    assert running.counts()[b"head"] == 1000
    running.settle()
    assert running.counts() == {b"head": 2000, b"one": 1, b"two, and longer than before": 1}
    running.close()


@pytest.mark.parametrize("killed", [False, True])
def test_a_gz_that_is_still_being_written_is_not_finished(gate: Any, tmp_path: Path, killed: bool) -> None:
    """A gz that nothing is known of, in steps of one byte: each line is read once, as soon as it can be."""
    lines = [b"line %d %b" % (number, os.urandom(20).hex().encode()) for number in range(50)]
    packed = gzip.compress(b"\n".join(lines) + b"\n")
    path = tmp_path / "app.log.1.gz"
    running = gate(tmp_path / "app.log*")
    with path.open("wb", buffering=0) as file:
        for at in range(0, len(packed), 37):
            file.write(packed[at : at + 37])
            running.step()
            running.commit()
            if killed:
                running.restart()
    running.settle()
    assert running.lines() == lines
    running.close()


def test_a_gz_is_read_without_going_back(gate: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [b"%d %b" % (number, b"x" * 300) for number in range(20_000)]
    write(tmp_path / "app.log.1.gz", gzip.compress(b"\n".join(lines) + b"\n", 1))
    rewound: list[gzip.GzipFile] = []
    rewind = gzip.GzipFile.rewind

    def counted(file: gzip.GzipFile) -> None:
        rewound.append(file)
        rewind(file)

    monkeypatch.setattr(gzip.GzipFile, "rewind", counted)
    running = gate(tmp_path / "app.log*")
    assert running.read() == lines
    assert len(rewound) <= 2
    running.close()


# What cannot be read -------------------------------------------------------------------------------------------------


@contextmanager
def as_nobody() -> Iterator[None]:
    """Permissions mean nothing to root."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def failures(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [event["reason"] for event in told(caplog, "SourceFailed")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One that everybody may search, up to the root."""
    for path in (tmp_path, *tmp_path.parents[:3]):
        if path.stat().st_uid == os.geteuid() and len(path.parts) > 2:
            path.chmod(0o755)
    return tmp_path


def test_an_unreadable_file_is_told_once_counted_and_read_when_it_can_be(
    gate: Any, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(folder / "app.log", b"one\n")
    write(folder / "other.log", b"other\n")
    path.chmod(0)
    before = metric("source_errors_total", source="files", reason="permission")
    running = gate(folder / "*.log")
    with as_nobody():
        for _ in range(5):
            assert running.read() == [b"other"]
            running.time += 10
    assert metric("source_errors_total", source="files", reason="permission") > before
    assert failures(caplog) == ["permission"]
    path.chmod(0o644)
    assert sorted(running.read()) == [b"one", b"other"]
    running.close()


def test_permission_lost_while_reading(gate: Any, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An open file is read on; after a restart it is told, and nothing is lost or repeated."""
    path = write(folder / "lost.log", b"one\n")
    running = gate(path)
    running.read()
    path.chmod(0)
    with path.open("ab") as file:
        file.write(b"two\n")
    with as_nobody():
        assert running.read() == [b"one", b"two"]
        running.restart()
        with_permission = failures(caplog)
        running.read()
        running.read()
    assert with_permission == []
    assert failures(caplog) == ["permission"]
    path.chmod(0o644)
    with path.open("ab") as file:
        file.write(b"three\n")
    assert running.read() == [b"one", b"two", b"three"]
    running.close()


def test_a_file_that_vanishes_between_the_look_and_the_reading(gate: Any, tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{number}.log", b"%d\n" % number) for number in range(3)]
    running = gate(tmp_path / "*.log", max_open_files=1)
    running.pending += running.source.scan()
    paths[0].unlink()
    running.step()
    running.commit()
    assert sorted(running.lines()) == [b"1", b"2"]
    running.close()


@pytest.mark.parametrize("seen", [False, True])
@pytest.mark.parametrize("how", ["deleted", "moved away"])
@pytest.mark.parametrize("rest", [b"", b"half a line"])
def test_a_file_that_is_gone_is_read_to_its_end_however_many_are_open(
    gate: Any, tmp_path: Path, seen: bool, how: str, rest: bytes
) -> None:
    """Closed, it could not be found again. `seen`: that it is gone was noticed before its end was reached."""
    line = b"x" * 1000
    path = write(tmp_path / "in" / "long.log", (line + b"\n") * 5000 + rest)
    others = [write(tmp_path / "in" / f"{number}.log", b"%d\n" % number) for number in range(3)]
    running = gate(tmp_path / "in" / "*.log", max_open_files=1)
    source = running.source
    running.pending += source.scan()
    while not any(line in batch.body for batch in running.pending):
        running.pending += source.turns()
    if how == "deleted":
        path.unlink()
    else:
        path.rename(tmp_path / "elsewhere")
    for other in others:
        with other.open("ab") as file:
            file.write(b"more\n")
        source.told({(Change.modified, str(other))})
    if seen:
        running.pending += source.scan()
    running.settle()
    counts = running.counts()
    assert counts == {line: 5000, b"0": 1, b"1": 1, b"2": 1, b"more": 3} | ({rest: 1} if rest else {})
    assert sum(tail.is_open for tail in source._tracker.tails.values()) <= 1
    running.close()


def test_a_closed_file_that_is_gone_is_told_if_it_held_more(
    gate: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether reading or a look for files comes upon it first; one that was read is nobody's loss."""
    paths = [write(tmp_path / f"{number}.log", b"%d\n" % number) for number in range(4)]
    running = gate(tmp_path / "*.log", max_open_files=1)
    running.read()
    paths[0].unlink()  # it was read
    running.news(paths[0])
    running.settle()
    assert failures(caplog) == []
    for path in paths[1:]:
        with path.open("ab") as file:
            file.write(b"more\n")
    running.pending += running.source.scan()
    paths[1].unlink()
    paths[2].unlink()
    running.news(paths[1])
    running.settle()
    gone = failures(caplog)
    assert gone == ["vanished"] * len(gone)
    assert running.counts()[b"more"] + len(gone) == 3
    assert len(gone) >= 1
    running.close()


def test_a_damaged_gz_is_told_and_the_others_are_read(
    gate: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    packed = bytearray(gzip.compress(os.urandom(100_000)))
    packed[5000] ^= 0xFF
    write(tmp_path / "damaged.log.1.gz", bytes(packed))
    write(tmp_path / "fine.log", b"fine\n")
    running = gate(tmp_path / "*")
    running.settle()
    assert b"fine" in running.lines()
    assert failures(caplog) == ["io"]
    running.close()


# Truncation ----------------------------------------------------------------------------------------------------------


def told(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    return [vars(record)["attributes"] for record in caplog.records if vars(record).get("event") == event]


def test_what_a_truncation_cut_off_unread_is_told(gate: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "cut.log", b"one\n")
    before = metric("files_truncated_total", source="files")
    running = gate(path)
    running.read()
    with path.open("ab") as file:
        file.write(b"never read\n")
    running.pending += running.source.scan()  # seen, but not read
    os.truncate(path, 0)
    running.settle()
    assert running.lines() == [b"one"]
    assert metric("files_truncated_total", source="files") == before + 1
    assert [event["offset"] for event in told(caplog, "FileTruncated")] == [4]
    assert [(event["reason"], event["bytes"]) for event in told(caplog, "Dropped")] == [("truncated", 11)]
    running.close()


def test_what_was_copied_before_it_was_cut_off_is_not_lost(
    gate: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "copied.log", b"one\n")
    running = gate(tmp_path / "copied.log*")
    running.read()
    with path.open("ab") as file:
        file.write(b"copied\n")
    running.pending += running.source.scan()
    write(tmp_path / "copied.log.1", path.read_bytes())
    os.truncate(path, 0)
    running.settle()
    assert running.lines() == [b"one", b"copied"]
    assert told(caplog, "Dropped") == []
    running.close()
