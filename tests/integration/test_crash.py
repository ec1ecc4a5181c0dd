"""Killed over and over, and cut off from the store: short forms of `python -m bench.crash` and `bench.outage`."""

from pathlib import Path

import pytest

from bench.crash import crash
from bench.outage import outage
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


@pytest.mark.slow
@pytest.mark.service
def test_an_outage_under_load_costs_nothing(seaweedfs: SeaweedFS, tmp_path: Path, bucket: str) -> None:
    outcome = outage(tmp_path / "gate", seaweedfs, bucket, seconds=20, rate=20e6, spool=16 << 20)
    assert outcome.whole, outcome
    assert outcome.worker_peak_bytes < 200 << 20
