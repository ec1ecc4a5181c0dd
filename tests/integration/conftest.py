"""Real servers for the integration tests: one of each per test process, started when the first test asks for it."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.gating import Gate
from tests.services.seaweedfs import SeaweedFS
from tests.services.server import Unavailable, unavailable


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """A running S3 server that tests share; each takes a bucket of its own."""
    try:
        server = SeaweedFS(tmp_path_factory.mktemp("seaweedfs"))
        server.start()
    except Unavailable as error:
        unavailable(error)
    try:
        yield server
    finally:
        server.wipe()


@pytest.fixture
def bucket(seaweedfs: SeaweedFS) -> str:
    """The name of a new, empty bucket."""
    name = f"test-{secrets.token_hex(6)}"
    client = seaweedfs.client()
    client.create_bucket(Bucket=name)
    client.close()
    return name


@pytest.fixture
def make_gate(tmp_path: Path) -> Iterator[Callable[..., Gate]]:
    """Makes gates; at the end those that still run are killed, and what each wrote itself is searched."""
    made: list[Gate] = []

    def make(name: str = "gate", **parts: Any) -> Gate:
        made.append(Gate(tmp_path / name, **parts))
        return made[-1]

    yield make
    for gate in made:
        gate.kill()
    for gate in made:
        gate.silent()


@pytest.fixture
def gate(make_gate: Callable[..., Gate]) -> Gate:
    """One that stores in a folder, sealed."""
    return make_gate()
