"""Every line exactly once, whatever is done to the files and whenever the gate is killed."""

import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from rotating import HEADERS, Application

SEED = int(os.environ.get("ROTATION_SEED", random.SystemRandom().randrange(1 << 32)))

OPERATIONS = [
    "write", "write", "write", "news", "look", "look", "commit", "kill", "linger",
    "rename", "copytruncate", "compress", "advance", "advance", "advance", "advance", "finish",
    "delete oldest", "recreate", "replace",
]  # fmt: skip


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
            gate.restart(keep=min(count, len(gate.pending)))
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


HISTORIES = {
    "header": st.sampled_from(HEADERS),
    "dated": st.booleans(),
    "operations": st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(1, 30)), max_size=40),
    "open_files": st.sampled_from([1, 2, 100]),
}


def check(gate: Any, header: bytes, dated: bool, operations: list[tuple[str, int]], open_files: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        app = Application(Path(folder), header, dated=dated, seed=len(operations))
        running = gate(Path(folder) / "app.log*", max_open_files=open_files)
        for operation, count in operations:
            perform(operation, app, running, count)
        app.finish()
        running.settle()
        running.restart()
        running.settle()
        running.source.close()
        app.close()
        counts = running.counts()
        assert not app.written - counts, "lines are missing"
        assert not counts - app.written - app.cut, "lines were read twice"


def histories(count: int) -> Callable[[Any], Any]:
    """`count` random histories of a seed, which a failure tells together with the shortest history that fails."""

    def decorate(test: Any) -> Any:
        settled = settings(max_examples=count, deadline=None, database=None, suppress_health_check=[*HealthCheck])
        return seed(SEED)(settled(given(**HISTORIES)(test)))

    return decorate


@histories(150)
def test_every_line_exactly_once(
    gate: Any, header: bytes, dated: bool, operations: list[tuple[str, int]], open_files: int
) -> None:
    print(f"ROTATION_SEED={SEED}")
    check(gate, header, dated, operations, open_files)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@histories(int(os.environ.get("N", "20000")))
def test_every_line_exactly_once_at_length(
    gate: Any, header: bytes, dated: bool, operations: list[tuple[str, int]], open_files: int
) -> None:
    print(f"ROTATION_SEED={SEED}")
    check(gate, header, dated, operations, open_files)
