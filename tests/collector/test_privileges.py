"""Root is refused where nothing needs it."""

import os

import pytest

from collector.config import Config
from collector.privileges import needless_root
from settings import loads

FILES = "files: {type: file, include: [/var/log/app/*.log]}"
OPEN = "apps: {type: otlp, grpc: {listen: '0.0.0.0:4317'}, http: null}"
LOCAL = "apps: {type: otlp, grpc: {listen: '127.0.0.1:4317'}, http: {listen: '[::1]:4318'}}"
HALF = "apps: {type: otlp, grpc: {listen: '127.0.0.1:4317'}, http: {listen: ':4318'}}"
PIPE = "pipe: {type: stdin}"


@pytest.mark.parametrize(
    ("uid", "sources", "refused"),
    [
        (0, [OPEN], True),
        (0, [HALF], True),
        (0, [OPEN, PIPE], True),
        (0, [OPEN, FILES], False),
        (0, [LOCAL], False),
        (0, [FILES], False),
        (0, [PIPE], False),
        (1000, [OPEN], False),
    ],
    ids=str,
)
def test_who_listens_to_the_network_and_reads_no_files_is_not_to_be_root(
    monkeypatch: pytest.MonkeyPatch, uid: int, sources: list[str], refused: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    config = loads("sources: {" + ", ".join(sources) + "}", Config)
    why = needless_root(config)
    assert (why is not None) == refused
    assert "--allow-root" in (why or "--allow-root")
