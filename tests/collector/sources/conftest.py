"""A source driven by hand: no loop, no clock but the test's, and a commit that can be torn off anywhere."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from watchfiles import Change

from collector.batch import Batch, Position
from collector.sources.file import FileOptions, FileSource

NOW = 1_800_000_000_000_000_000


class Gate:
    """Stands for the pipeline: keeps what was committed, and restarts the source from there."""

    def __init__(
        self, include: Path | str, *, redact: Callable[[bytes], bytes] = bytes, workers: int = 1, **options: Any
    ) -> None:
        self.options = FileOptions(include=(str(include),), **options)
        self.redact, self.workers, self.time = redact, workers, 0.0
        self.positions: dict[str, Position] = {}
        self.committed: list[Batch] = []
        self.pending: list[Batch] = []
        self.sources: list[FileSource] = []
        self.restart()

    def restart(self, *, keep: int = 0, workers: int | None = None, **arguments: Any) -> None:
        """Kill the source; of what it handed on only the first `keep` batches were committed."""
        self.commit(keep)
        self.pending = []
        self.close()
        self.workers = workers or self.workers
        self.sources = [
            FileSource(
                "files",
                self.options,
                redact=self.redact,
                positions=dict(self.positions),
                now=lambda: NOW,
                clock=lambda: self.time,
                worker=worker,
                workers=self.workers,
                secret=b"of this node",
                **arguments,
            )
            for worker in range(self.workers)
        ]

    def close(self) -> None:
        for source in self.sources:
            source.close()

    @property
    def source(self) -> FileSource:
        (source,) = self.sources
        return source

    def step(self) -> None:
        """Look for files and read all that there is."""
        for source in self.sources:
            self.pending += source.scan()
            self._turns(source)

    def news(self, path: Path) -> None:
        """Read what there is of a file that the kernel told about, without looking for files."""
        for source in self.sources:
            source.told({(Change.modified, str(path))})
            self._turns(source)

    def _turns(self, source: FileSource) -> None:
        while source.ready:
            self.pending += source.turns()

    def commit(self, count: int | None = None) -> None:
        count = len(self.pending) if count is None else count
        for batch in self.pending[:count]:
            self.committed.append(batch)
            for position in batch.positions:
                known = self.positions.get(position.key)
                assert known is None or position.epoch >= known.epoch
                self.positions[position.key] = position
        self.pending = self.pending[count:]

    def settle(self) -> None:
        """Long enough for everything that lingers."""
        for _ in range(4):
            self.step()
            self.time += 10
        self.step()
        self.commit()

    def read(self) -> list[bytes]:
        self.step()
        self.commit()
        return self.lines()

    def lines(self) -> list[bytes]:
        return [line for batch in self.committed for line in records(batch)]

    def counts(self) -> Counter[bytes]:
        return Counter(self.lines())


def records(batch: Batch) -> list[bytes]:
    assert batch.body == b"" or batch.body.endswith(b"\n")
    lines = batch.body.split(b"\n")[:-1]
    assert len(lines) == batch.records
    assert batch.heads is None or len(batch.heads) == batch.records
    return lines


@pytest.fixture(scope="session")
def gate() -> type[Gate]:
    return Gate


@pytest.fixture(scope="session")
def collect() -> Callable[..., list[Batch]]:
    """Run a source to its end."""

    def run(source: Any) -> list[Batch]:
        batches: list[Batch] = []

        async def emit(batch: Batch) -> None:
            records(batch)
            batches.append(batch)

        asyncio.run(source.run(emit))
        return batches

    return run
