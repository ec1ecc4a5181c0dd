"""Killed over and over while files rotate and the store fails: a short form of `python -m bench.crash`."""

from pathlib import Path

import pytest

from bench.crash import crash
from tests.services.seaweedfs import SeaweedFS


@pytest.mark.slow
@pytest.mark.service
@pytest.mark.parametrize("rotation", ["rename", "copytruncate"])
def test_every_record_arrives_once(seaweedfs: SeaweedFS, tmp_path: Path, rotation: str, bucket: str) -> None:
    outcome = crash(
        tmp_path / "gate", seaweedfs, bucket, kills=8, rate=20e6, size=100 << 20, rotation=rotation, seed=20_261_125
    )
    assert outcome.kills == 8
    assert outcome.rotations >= 8
    assert outcome.whole, outcome
