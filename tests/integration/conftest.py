"""Real servers for the integration tests: one of each per test process, started when the first test asks for it."""

import secrets
from collections.abc import Iterator

import pytest

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
