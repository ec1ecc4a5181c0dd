"""Every line exactly once, whatever is done to the files and whenever the gate is killed."""

import os
import random
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from rotating import HEADERS, Application

Step: TypeAlias = tuple[str, int, int]  # what is done, to which application, how often

SEED = int(os.environ.get("ROTATION_SEED", "20261125"))

OPERATIONS = [
    "write", "write", "write", "news", "look", "look", "commit", "kill", "linger",
    "rename", "copytruncate", "compress", "advance", "advance", "advance", "advance", "finish",
    "delete oldest", "recreate", "replace",
]  # fmt: skip


@dataclass(frozen=True)
class History:
    """What happens to one or two logs in a folder, and to the gate that reads them."""

    header: bytes
    dated: bool
    logs: int
    open_files: int
    workers: int
    steps: tuple[Step, ...]

    @classmethod
    def drawn(cls, rnd: random.Random) -> "History":
        logs = rnd.choice([1, 2])
        return cls(
            header=rnd.choice(HEADERS),
            dated=rnd.random() < 0.5,
            logs=logs,
            open_files=rnd.choice([1, 2, 100]),
            workers=rnd.choice([1, 1, 2]),
            steps=tuple(
                (rnd.choice(OPERATIONS), rnd.randrange(logs), rnd.randint(1, 30)) for _ in range(rnd.randint(5, 120))
            ),
        )

    def wrong(self, make_gate: Any) -> str:
        """What is wrong when it is over; nothing if all is well."""
        with tempfile.TemporaryDirectory() as folder:
            apps = [
                Application(Path(folder), name, self.header, dated=self.dated, seed=len(self.steps))
                for name in ("app", "web")[: self.logs]
            ]
            gate = make_gate(Path(folder) / "*.log*", max_open_files=self.open_files, workers=self.workers)
            for operation, number, count in self.steps:
                perform(operation, apps[number], gate, count)
            for app in apps:
                app.finish()
            gate.settle()
            gate.restart()
            gate.settle()
            gate.close()
            for app in apps:
                app.close()
        written = sum((app.written for app in apps[1:]), apps[0].written)
        allowed = sum((app.cut for app in apps), written)
        counts = gate.counts()
        lost, twice = written - counts, counts - allowed
        return f"lost: {dict(lost)}, read twice: {dict(twice)}" if lost or twice else ""

    def shorter(self, make_gate: Any) -> "History":
        """Without steps that are not needed for it to go wrong."""
        shortest, size = self, len(self.steps) // 2
        while size:
            start = 0
            while start < len(shortest.steps):
                tried = replace(shortest, steps=shortest.steps[:start] + shortest.steps[start + size :])
                if tried.wrong(make_gate):
                    shortest = tried
                else:
                    start += size
            size //= 2
        return shortest


def perform(operation: str, app: Application, gate: Any, count: int) -> None:
    match operation:
        case "write":
            app.write(count)
        case "news":
            gate.news(app.log)
        case "look":
            gate.step()
        case "commit":
            gate.commit(count)
        case "kill":
            gate.restart(keep=min(count, len(gate.pending)), workers=1 + count % 3 if gate.workers > 1 else 1)
        case "linger":
            gate.time += 10
        case "rename" | "copytruncate" | "compress":
            app.start(operation)
        case "advance":
            app.advance()
        case "finish":
            app.finish()
        case "delete oldest" if not app.busy:
            gate.settle()
            for path in app.rotated()[:1]:
                path.unlink()
        case "recreate" if not app.busy:
            gate.settle()
            app.recreate()
        case "replace" if not app.busy:
            gate.read()
            app.replace()


def check(make_gate: Any, seed: str) -> None:
    history = History.drawn(random.Random(seed))
    if wrong := history.wrong(make_gate):
        shortest = history.shorter(make_gate)
        pytest.fail(f"history {seed}: {wrong}\nshorter: {shortest}\n{shortest.wrong(make_gate)}")


@pytest.mark.parametrize("part", range(6))
def test_every_line_exactly_once(gate: Any, part: int) -> None:
    """The same histories each time, or others by ROTATION_SEED; but inodes are given out by the file system."""
    print(f"ROTATION_SEED={SEED}")
    for number in range(50 * part, 50 * part + 50):
        check(gate, f"{SEED}-{number}")


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_every_line_exactly_once_at_length(gate: Any) -> None:
    """ROTATION_SEED gives other histories than the everyday ones."""
    print(f"ROTATION_SEED={SEED}")
    for number in range(20_000):
        check(gate, f"{SEED}-{number}")
