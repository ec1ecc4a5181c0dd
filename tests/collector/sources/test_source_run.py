"""The source as it runs, with the kernel's news or by polling: real files, a real loop, no waiting but for events."""

import asyncio
import gzip
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from collector import telemetry
from collector.batch import Batch
from collector.sources.content import GzipContent
from collector.sources.file import FileOptions, FileSource


class Reader:
    """Runs a source, and waits until it has handed on what is expected."""

    def __init__(self, include: Path, **options: Any) -> None:
        once = options.pop("once", False)
        settings = FileOptions(include=(str(include),), poll_interval=timedelta(milliseconds=20), **options)
        self.source = FileSource("files", settings, redact=bytes, once=once)
        self.lines: list[bytes] = []
        self._news = asyncio.Event()

    async def emit(self, batch: Batch) -> None:
        self.lines += batch.body.split(b"\n")[:-1]
        self._news.set()

    async def expect(self, *lines: bytes) -> None:
        await self.until(lambda: sorted(self.lines) == sorted(lines))

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            self._news.clear()
            await self._news.wait()


def run(reader: Reader, script: Callable[[Reader], Awaitable[None]]) -> None:
    async def both() -> None:
        running = asyncio.create_task(reader.source.run(reader.emit))
        await script(reader)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(both())


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def append(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


@pytest.mark.parametrize("watch", ["inotify", "poll"])
def test_lines_files_and_directories_that_come_later(tmp_path: Path, watch: str) -> None:
    async def script(reader: Reader) -> None:
        append(tmp_path / "a.log", b"1\n")
        await reader.expect(b"1")
        append(tmp_path / "a.log", b"2\n")
        await reader.expect(b"1", b"2")
        (tmp_path / "sub/deeper").mkdir(parents=True)
        append(tmp_path / "sub/deeper/b.log", b"3\n")
        await reader.expect(b"1", b"2", b"3")
        append(tmp_path / "sub/deeper/b.log", b"4\n")
        await reader.expect(b"1", b"2", b"3", b"4")

    run(Reader(tmp_path / "**/*.log", watch=watch), script)


@pytest.mark.parametrize("watch", ["inotify", "poll"])
def test_a_root_that_does_not_exist_yet(tmp_path: Path, watch: str) -> None:
    async def script(reader: Reader) -> None:
        folder = tmp_path / "not/yet"
        folder.mkdir(parents=True)
        append(folder / "a.log", b"1\n")
        await reader.expect(b"1")

    run(Reader(tmp_path / "not/yet/*.log", watch=watch), script)


@pytest.mark.parametrize("watch", ["inotify", "poll"])
def test_a_flood_waits_for_its_budget_and_others_do_not(tmp_path: Path, watch: str) -> None:
    line = b"x" * 1023

    async def script(reader: Reader) -> None:
        append(tmp_path / "flood.log", (line + b"\n") * 4096)  # of 1 MiB a second, and one to begin with
        await reader.until(lambda: reader.lines)
        append(tmp_path / "quiet.log", b"1\n")
        await reader.until(lambda: b"1" in reader.lines)
        assert len(reader.lines) < 4097
        await reader.expect(*[line] * 4096, b"1")

    before = telemetry.total(telemetry.SOURCE_THROTTLED_SECONDS)
    run(Reader(tmp_path / "*.log", watch=watch, rate_limit=1 << 20), script)
    assert telemetry.total(telemetry.SOURCE_THROTTLED_SECONDS) > before


def test_once_takes_its_time_too(tmp_path: Path) -> None:
    append(tmp_path / "flood.log", b"x\n" * (1 << 20))
    reader = Reader(tmp_path / "*.log", rate_limit=1 << 20, once=True)
    began = time.monotonic()
    asyncio.run(reader.source.run(reader.emit))
    assert len(reader.lines) == 1 << 20
    assert time.monotonic() - began > 0.5  # two seconds' worth, less the burst of one


@pytest.mark.parametrize("watch", ["inotify", "poll"])
def test_rotation_while_running(tmp_path: Path, watch: str) -> None:
    async def script(reader: Reader) -> None:
        log = tmp_path / "app.log"
        expected: list[bytes] = []
        for number in range(8):
            append(log, b"%d\n" % number)
            if number % 2:
                (tmp_path / "app.log.1").unlink(missing_ok=True)
                log.rename(tmp_path / "app.log.1")
            expected.append(b"%d" % number)
            await reader.expect(*expected)

    run(Reader(tmp_path / "app.log*", watch=watch), script)


@pytest.mark.parametrize("watch", ["inotify", "poll"])
def test_files_behind_links_elsewhere(tmp_path: Path, watch: str) -> None:
    async def script(reader: Reader) -> None:
        (tmp_path / "links").mkdir()
        (tmp_path / "real").mkdir()
        append(tmp_path / "real/0.log", b"1\n")
        (tmp_path / "links/a.log").symlink_to(tmp_path / "real/0.log")
        await reader.expect(b"1")
        append(tmp_path / "real/0.log", b"2\n")
        await reader.expect(b"1", b"2")
        (tmp_path / "real/0.log").rename(tmp_path / "real/0.log.20260921-100000")
        append(tmp_path / "real/0.log", b"3\n")
        await reader.expect(b"1", b"2", b"3")

    run(Reader(tmp_path / "links/*.log", watch=watch), script)


def test_a_flood_in_one_file_does_not_hold_up_another(tmp_path: Path) -> None:
    (tmp_path / "flood.log").write_bytes(b"x" * 999 + b"\n" + (b"y" * 999 + b"\n") * 20_000)
    (tmp_path / "quiet.log").write_bytes(b"quiet\n")
    batches: list[Batch] = []

    async def emit(batch: Batch) -> None:
        batches.append(batch)

    source = FileSource("files", FileOptions(include=(str(tmp_path / "*.log"),)), redact=bytes, once=True)
    asyncio.run(source.run(emit))
    assert [batch.body for batch in batches].index(b"quiet\n") <= 2


def test_more_files_than_may_be_open(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"{number}.log").write_bytes(b"%d\n" % number * 3)
    most = 0
    seen: list[bytes] = []

    async def emit(batch: Batch) -> None:
        nonlocal most
        seen.extend(batch.body.split())
        most = max(most, descriptors())

    before = descriptors()
    options = FileOptions(include=(str(tmp_path / "*.log"),), max_open_files=10)
    asyncio.run(FileSource("files", options, redact=bytes, once=True).run(emit))
    assert sorted(seen) == sorted(b"%d" % number for number in range(200) for _ in range(3))
    assert most <= before + 10 + 10  # and what the loop needs


def test_a_source_waits_for_the_pipeline(tmp_path: Path) -> None:
    """Back-pressure: as long as a batch is not taken, nothing more is read."""
    (tmp_path / "a.log").write_bytes((b"x" * 99 + b"\n") * 100_000)
    given: list[Batch] = []

    async def script() -> None:
        taken = asyncio.Event()
        first = asyncio.Event()

        async def emit(batch: Batch) -> None:
            given.append(batch)
            first.set()
            await taken.wait()

        source = FileSource("files", FileOptions(include=(str(tmp_path / "a.log"),)), redact=bytes, once=True)
        running = asyncio.create_task(source.run(emit))
        await first.wait()
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(given) == 1
        taken.set()
        await running

    asyncio.run(script())
    assert sum(batch.records for batch in given) == 100_000


def test_compressed_files_are_read_one_after_another(
    gate: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are, and though only one file may be open: memory and time stay in proportion."""
    lines = [b"%d %b" % (number, b"x" * 300) for number in range(40_000)]  # 12 blocks
    packed = gzip.compress(b"\n".join(lines) + b"\n", 1)
    for number in range(3):
        (tmp_path / f"{number}.log.1.gz").write_bytes(packed)
        (tmp_path / f"{number}.plain.log").write_bytes(b"\n".join(lines) + b"\n")
    opened: list[int] = []
    open_one = GzipContent.__init__

    def counted(content: GzipContent, descriptor: int) -> None:
        opened.append(descriptor)
        open_one(content, descriptor)

    monkeypatch.setattr(GzipContent, "__init__", counted)
    running = gate(tmp_path / "*.log*", max_open_files=1)
    assert len(running.read()) == 6 * len(lines)
    assert len(opened) <= 3 * 6
    running.close()
