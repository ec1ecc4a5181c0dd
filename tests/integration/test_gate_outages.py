"""What the gate needs goes away for a while: stores, room, files. It is told once, measured, and nothing is lost."""

import os
import random
import shutil
import signal
import string
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from collector.spool import Ledger
from exporters.browsing import S3Objects
from exporters.s3_options import S3Options
from tests.integration.gating import Gate, Writer, record, records, told_once
from tests.services.seaweedfs import ACCESS_KEY, READER, SECRET_KEY, SeaweedFS

MIB = 1 << 20


def archive(server: SeaweedFS, bucket: str, **others: object) -> dict[str, Any]:
    return {
        "type": "s3",
        "bucket": bucket,
        "endpoint_url": server.url,
        "path_style": True,
        "access_key_id": ACCESS_KEY,
        "secret_access_key": SECRET_KEY,
        "read_timeout": "2s",
        **others,
    }


def stored_in(gate: Gate, options: dict[str, Any]) -> list[bytes]:
    return gate.stored(S3Objects(S3Options.model_validate({**options, "read_timeout": "60s"})), ())


# Stores --------------------------------------------------------------------------------------------------------------


@pytest.mark.service
def test_what_a_store_does_not_take_is_held_and_shipped_when_it_does(
    seaweedfs: SeaweedFS, bucket: str, make_gate: Callable[..., Gate]
) -> None:
    store = archive(seaweedfs, bucket)
    gate = make_gate(exporters={"archive": store})
    with closing(Writer(gate.inputs)) as writer:
        gate.start()
        writer.write(200)
        gate.reaches(200, "sluicegate_export_records_total")
        seaweedfs.server.pause()  # hangs: the connection stands, and nothing answers
        try:
            writer.write(200)
            gate.event("ExportDelayed")
            gate.reaches(1, "sluicegate_spool_segments", state="sealed")
            assert gate.metric("sluicegate_export_up") == 0
            assert gate.metric("sluicegate_export_records_total") == 200
            writer.write(200)
            gate.reaches(600, "sluicegate_records_received_total")
        finally:
            seaweedfs.server.resume()
        gate.reaches(600, "sluicegate_export_records_total")
    assert gate.metric("sluicegate_export_up") == 1
    assert len(gate.events("ExportDelayed")) == len(gate.events("ExportResumed")) == 1
    assert gate.stop() == 0
    gate.conserved(stored_in(gate, store))
    assert gate.pending() == []


@pytest.mark.service
@pytest.mark.slow
def test_a_store_may_be_gone_while_the_gate_is_stopped_and_started(
    tmp_path: Path, seaweedfs: SeaweedFS, bucket: str, make_gate: Callable[..., Gate]
) -> None:
    store = archive(seaweedfs, bucket)
    gate = make_gate(exporters={"archive": store})
    with closing(Writer(gate.inputs)) as writer:
        gate.start()
        writer.write(300)
        gate.reaches(1, "sluicegate_export_records_total")
        seaweedfs.server.kill()
        try:
            writer.write(300)
            gate.reaches(600, "sluicegate_records_received_total")
            gate.event("ExportDelayed")
            assert gate.stop() == 0  # what it could do is done
            assert gate.events("GateStopped")[0]["pending"] > 0
            assert gate.pending()
            gate.start()
            gate.event("ExportDelayed")
            writer.write(300)
        finally:
            seaweedfs.start()
        gate.until(lambda: gate.metric("sluicegate_spool_segments") == 0 or None, "an empty spool")
        gate.reaches(300, "sluicegate_records_received_total")
    assert gate.stop() == 0
    gate.conserved(stored_in(gate, store))
    assert gate.pending() == []


WRONG: dict[str, dict[str, object]] = {
    "bucket": {"bucket": "no-such-bucket"},
    "secret": {"secret_access_key": "another"},
    "rights": {"access_key_id": READER[0], "secret_access_key": READER[1]},
}


@pytest.mark.service
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_store_is_told_once_and_the_data_kept(
    wrong: str, seaweedfs: SeaweedFS, bucket: str, make_gate: Callable[..., Gate]
) -> None:
    store = archive(seaweedfs, bucket)
    gate = make_gate(exporters={"archive": {**store, **WRONG[wrong]}})
    (gate.inputs / "app.log").write_bytes(records(0, 100))
    gate.start()
    gate.reaches(4, "sluicegate_export_errors_total", exporter="archive")
    assert len(gate.events("ExportDelayed")) == 1
    assert SECRET_KEY not in gate.log.read_text()
    assert gate.stop() == 0
    assert len(gate.pending()) == 100
    gate.settings["exporters"]["archive"] = store
    gate.finish()
    gate.conserved(stored_in(gate, store))


# Room ----------------------------------------------------------------------------------------------------------------


def noise(number: int) -> bytes:
    """A clean record of about 8 kB that zstd cannot make much smaller."""
    text = "".join(random.choices(string.ascii_letters, k=8000))
    return b'{"n":"r%06dx","text":"%b"}\n' % (number, text.encode())


def test_with_a_full_spool_files_wait_and_then_go_on(make_gate: Callable[..., Gate]) -> None:
    gate = make_gate()
    limit = 16 * MIB
    gate.settings["spool"] |= {"max_bytes": limit, "segment_bytes": MIB}
    gate.store.touch()  # in the way of the directory: nothing can be shipped
    count = 4000
    for number in range(4):
        first = number * count // 4
        data = b"".join(map(noise, range(first, first + count // 4)))
        (gate.inputs / f"{number}.log").write_bytes(data)
    gate.start()
    assert gate.event("SpoolFull")["reason"] == "limit"
    _, answer = gate.until(lambda: found if (found := gate.get("/readyz"))[0] == 503 else None, "not ready")
    assert "the spool is full (limit)" in answer
    gate.reaches(3, "sluicegate_spool_errors_total", reason="limit")  # it tries again …
    assert len(gate.events("SpoolFull")) <= 2  # … each worker telling it once
    assert gate.metric("sluicegate_spool_bytes") <= limit
    assert gate.metric("sluicegate_records_received_total") < count
    gate.store.unlink()
    gate.reaches(count, "sluicegate_export_records_total")
    assert gate.events("SpoolFreed")
    gate.until(lambda: gate.get("/readyz")[0] == 200, "readiness")
    assert gate.stop() == 0
    gate.conserved()
    assert gate.pending() == []


def test_those_who_must_not_wait_drop_the_oldest(make_gate: Callable[..., Gate]) -> None:
    gate = make_gate()
    limit = 16 * MIB
    gate.settings["spool"] |= {"max_bytes": limit, "segment_bytes": MIB, "overflow": "drop_oldest"}
    gate.store.touch()  # in the way of the directory: nothing can be shipped
    count = 4000
    for number in range(4):
        first = number * count // 4
        (gate.inputs / f"{number}.log").write_bytes(b"".join(map(noise, range(first, first + count // 4))))
    gate.start()
    gate.reaches(count, "sluicegate_records_received_total")  # nobody waits
    gate.until(lambda: gate.events("Dropped"), "what is dropped is told")
    dropped = gate.metric("sluicegate_records_dropped_total", reason="overflow", source="app")
    assert dropped > 0
    gate.store.unlink()
    assert gate.stop() == 0
    gate.finish()
    with closing(Ledger.open(gate.folder / "spool")) as ledger:
        [balance] = ledger.balance()
    assert balance.holds
    assert balance.read.records == count
    stored = gate.stored()
    assert len(stored) == len(set(stored)) == balance.delivered.records
    assert balance.dropped["overflow"].records == count - len(stored) >= dropped


# Files ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def plain_user(make_gate: Callable[..., Gate]) -> Gate:
    """A gate to which file permissions apply, whoever runs the tests."""
    gate = make_gate()
    if os.geteuid() == 0:
        if (setpriv := shutil.which("setpriv")) is None:
            pytest.skip("root may read everything, and there is no setpriv (util-linux) to change that")
        without = "-dac_override,-dac_read_search"
        gate._under = (setpriv, f"--bounding-set={without}", f"--inh-caps={without}", "--")
    return gate


def test_an_unreadable_file_is_told_once_and_read_once_it_can_be(plain_user: Gate) -> None:
    gate = plain_user
    refused = gate.inputs / "refused.log"
    refused.write_bytes(records(0, 100))
    refused.chmod(0)
    (gate.inputs / "fine.log").write_bytes(records(100, 100))
    gate.start()
    gate.reaches(3, "sluicegate_source_errors_total", source="app", reason="permission")
    gate.reaches(100, "sluicegate_records_received_total")
    assert told_once(gate.events("SourceFailed"), reason="permission", where=str(refused))
    refused.chmod(0o600)
    gate.reaches(200, "sluicegate_records_received_total")
    assert len(gate.events("SourceFailed")) == 1
    assert gate.stop() == 0
    gate.conserved()


def test_a_file_that_may_not_be_read_any_more_goes_on_where_it_was(plain_user: Gate) -> None:
    gate = plain_user
    path = gate.inputs / "app.log"
    path.write_bytes(records(0, 50))
    gate.finish()
    path.chmod(0)
    gate.start()
    gate.reaches(2, "sluicegate_source_errors_total", reason="permission")
    path.chmod(0o600)
    with path.open("ab") as file:
        file.write(records(50, 50))
    gate.reaches(50, "sluicegate_records_received_total")
    assert told_once(gate.events("SourceFailed"), reason="permission", where=str(path))
    assert gate.stop() == 0
    gate.conserved()


def test_a_file_that_vanishes_while_it_is_read_is_told_once(gate: Gate) -> None:
    """Those that are open are read to their end all the same."""
    gate.settings["workers"] = 1
    gate.settings["sources"]["app"]["max_open_files"] = 1
    count = 200_000
    paths = [gate.inputs / f"{name}.log" for name in "abc"]
    sizes = {}
    for number, path in enumerate(paths):
        path.write_bytes(records(number * count, count))
        sizes[str(path)] = path.stat().st_size
    gate.start()
    gate.reaches(1, "sluicegate_records_received_total")
    gate.signal(signal.SIGSTOP, "worker-0")
    assert gate.metric("sluicegate_records_received_total") < 2 * count  # in turn, so none was read to its end
    for path in paths:
        path.unlink()
    gate.signal(signal.SIGCONT, "worker-0")
    gate.event("FileClosed", count=3)
    ended = {event["path"]: event["offset"] for event in gate.events("FileClosed")}
    vanished = [path for path in ended if ended[path] < sizes[path]]
    assert len(vanished) in {1, 2}  # the one that is being read is opened before another one is closed for it
    assert all(told_once(gate.events("SourceFailed"), reason="vanished", where=path) for path in vanished)
    assert gate.metric("sluicegate_source_errors_total", reason="vanished") == len(vanished)
    (gate.inputs / "c.log").write_bytes(record(3 * count) + b"\n")
    gate.until(lambda: any(b"r%06dx" % (3 * count) in line for line in gate.stored()), "a new file's record")
    assert gate.stop() == 0
    assert sum(line.count(b"\n") for line in gate.stored()) > count
