"""The gate as a whole: killed, told to stop, told to reload, asked how it is. Whatever happens, the books balance."""

import json
import os
import random
import select
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.integration.gating import COMMAND, PATIENCE, PLANTED, Gate, Writer, assert_clean, record, records, told_once

KILLS = 8
SMALL = {"segment_bytes": "64KiB", "segment_age": "1s"}


@contextmanager
def appending(gate: Gate) -> Iterator[Writer]:
    """A program that writes all the while."""
    writer, stop = Writer(gate.inputs), threading.Event()

    def write() -> None:
        while not stop.wait(0.005):
            writer.write(10)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield writer
    finally:
        stop.set()
        thread.join()
        writer.close()


# Killed --------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_nothing_is_lost_or_twice_when_the_gate_is_killed_over_and_over(make_gate: Callable[..., Gate]) -> None:
    gate = make_gate()
    gate.settings["spool"] |= SMALL
    with appending(gate) as writer:
        for kill in range(KILLS):
            gate.start(up=kill % 2 == 0)
            moment = random.uniform(0.0, 3.0)  # while it starts, or while it works
            with pytest.raises(subprocess.TimeoutExpired):
                gate._running().wait(moment)
            gate.kill()
    gate.finish()
    assert writer.written > 1000
    gate.conserved()
    assert gate.pending() == []


@pytest.mark.slow
def test_a_process_that_is_killed_is_started_again_and_nothing_is_lost_or_twice(gate: Gate) -> None:
    gate.settings["spool"] |= SMALL
    gate.start()
    with appending(gate) as writer:
        for name in random.sample(["worker-0", "worker-1", "shipper"] * 2, 6):
            gate.reaches(writer.written, "sluicegate_records_received_total")  # it works
            before, deaths = gate.pid(name), gate.metric("sluicegate_process_restarts_total")
            gate.signal(signal.SIGKILL, name)
            gate.until(lambda: gate.processes().get(name, before) != before, f"a new {name}")  # noqa: B023
            assert gate.metric("sluicegate_process_restarts_total") == deaths + 1
    assert gate.metric("sluicegate_process_restarts_total", process="shipper") == 2
    gate.reaches(writer.written, "sluicegate_records_received_total")
    assert gate.stop() == 0
    gate.finish()
    gate.conserved()
    assert gate.pending() == []


def test_the_processes_of_a_killed_gate_end_by_themselves(gate: Gate) -> None:
    (gate.inputs / "app.log").write_bytes(records(0, 100))
    gate.start()
    watched = [os.pidfd_open(pid) for pid in gate.processes().values()]
    assert len(watched) == 3
    gate.kill()
    for process in watched:
        assert select.select([process], [], [], PATIENCE)[0]
        os.close(process)
    gate.finish()
    gate.conserved()


# Told to stop --------------------------------------------------------------------------------------------------------


def test_on_sigterm_everything_read_is_shipped(gate: Gate) -> None:
    gate.settings["spool"] |= {"segment_age": "1h"}  # so that only the drain seals
    (gate.inputs / "app.log").write_bytes(records(0, 500))
    gate.start()
    gate.reaches(500, "sluicegate_records_received_total")
    assert gate.stop() == 0
    assert gate.events("GateStopping")[0]["reason"] == "SIGTERM"
    assert gate.events("GateStopped") == [{"pending": 0}]
    assert len(gate.stored()) == 500
    gate.conserved()


def test_a_gate_that_is_told_to_stop_while_it_starts_ends_in_order(gate: Gate) -> None:
    (gate.inputs / "app.log").write_bytes(records(0, 100))
    gate.start(up=False)
    gate.pid("shipper")
    assert gate.stop() == 0
    gate.finish()
    gate.conserved()


@pytest.fixture
def stuck(make_gate: Callable[..., Gate]) -> Iterator[Gate]:
    """A gate that drains to a store that never says a word; afterwards it must get everything to another one."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        store = {
            "type": "s3",
            "bucket": "logs",
            "endpoint_url": f"http://127.0.0.1:{nobody.getsockname()[1]}",
            "access_key_id": "id",
            "secret_access_key": "secret",
            "read_timeout": "1h",
        }
        gate = make_gate(exporters={"store": store})
        (gate.inputs / "app.log").write_bytes(records(0, 200))
        gate.start()
        gate.reaches(200, "sluicegate_records_received_total")
        gate.signal(signal.SIGINT)
        gate.event("GateStopping")
        gate.reaches(1, "sluicegate_spool_segments", state="sealed")
        yield gate
    gate.settings["exporters"]["store"] = {"type": "local", "path": str(gate.store)}
    gate.finish()
    gate.conserved()
    assert len(gate.stored()) == 200


def test_told_twice_it_ends_at_once_and_the_spool_holds_what_was_committed(stuck: Gate) -> None:
    stuck.signal(signal.SIGINT)
    assert stuck.code() == 1
    assert stuck.events("GateStopped")[0]["pending"] > 0
    assert len(stuck.pending()) == 200


def test_a_process_that_dies_in_the_drain_shows_in_the_exit_code(stuck: Gate) -> None:
    stuck.signal(signal.SIGKILL, "shipper")
    assert stuck.code() == 1
    assert len(stuck.pending()) == 200


def test_once_takes_what_is_there_and_ends(gate: Gate) -> None:
    (gate.inputs / "a.log").write_bytes(records(0, 300))
    (gate.inputs / "b.log").write_bytes(records(300, 1) + record(301))  # the last line has no end yet
    gate.finish()
    gate.conserved()
    assert len(gate.stored()) == 302
    assert gate.pending() == []


def test_once_says_by_its_exit_code_that_the_store_took_nothing(gate: Gate) -> None:
    (gate.inputs / "app.log").write_bytes(records(0, 10))
    gate.store.touch()  # in the way of the directory
    gate.start("--once", up=False)
    assert gate.code() == 1
    assert len(gate.pending()) == 10
    gate.conserved([])
    gate.store.unlink()
    gate.finish()
    gate.conserved()


# Told to reload ------------------------------------------------------------------------------------------------------

NICKNAME = '{"n":"r%06dx","nickname":"zorro"}\n'


def test_a_new_policy_takes_effect_in_all_workers(gate: Gate) -> None:
    gate.policy.write_text("keys: [{names: [email]}]\n")
    gate.settings["policy"] = str(gate.policy)
    inputs = [(gate.inputs / f"{number}.log").open("ab", buffering=0) for number in range(8)]
    gate.start()
    for number, file in enumerate(inputs):
        file.write((NICKNAME % number).encode())
    gate.reaches(8, "sluicegate_records_received_total")
    gate.policy.write_text("keys: [{names: [email, nickname]}]\n")
    gate.signal(signal.SIGHUP)
    fingerprint = gate.event("PolicyReloaded")["fingerprint"]
    assert gate.metric("sluicegate_policy_reloads_total", outcome="applied") == 1
    assert gate.metric("sluicegate_policy_info", fingerprint=fingerprint) == 1
    for number, file in enumerate(inputs):
        file.write((NICKNAME % (8 + number)).encode())
        file.close()
    gate.reaches(16, "sluicegate_records_received_total")
    assert gate.stop() == 0
    gate.conserved()
    bodies = {line["body"]["n"]: line["body"] for line in map(json.loads, gate.stored())}
    assert [bodies[f"r{number:06}x"].get("nickname") for number in range(16)] == ["zorro"] * 8 + [None] * 8


def test_a_file_that_the_policy_extends_takes_effect_when_it_changes(gate: Gate) -> None:
    base = gate.policy.with_name("base.yaml")
    base.write_text("keys: [{names: [email]}]\n")
    gate.policy.write_text("extends: base.yaml\n")
    gate.settings["policy"] = str(gate.policy)
    gate.start()
    base.write_text("keys: [{names: [email, {}]}]\n")  # a bad one never replaces a good one
    assert "base.yaml:1" in gate.event("PolicyRefused")["message"]
    base.write_text("keys: [{names: [email, nickname]}]\n")
    fingerprint = gate.event("PolicyReloaded")["fingerprint"]
    assert gate.metric("sluicegate_policy_info", fingerprint=fingerprint) == 1
    assert gate.metric("sluicegate_policy_reloads_total", outcome="applied") == 1
    assert gate.metric("sluicegate_policy_reloads_total", outcome="refused") == 1
    (gate.inputs / "app.log").write_text(NICKNAME % 1)
    gate.reaches(1, "sluicegate_records_received_total")
    assert gate.stop() == 0
    gate.conserved()
    assert b"zorro" not in b"".join(gate.stored())


@pytest.mark.parametrize("broken", ["keys: [{names: [email", "keys: 7\n", None], ids=["yaml", "type", "gone"])
def test_a_bad_policy_is_refused_and_the_old_one_goes_on(gate: Gate, broken: str | None) -> None:
    gate.policy.write_text("keys: [{names: [nickname]}]\n")
    gate.settings["policy"] = str(gate.policy)
    gate.start()
    if broken is None:
        gate.policy.unlink()
    else:
        gate.policy.write_text(broken)
    gate.signal(signal.SIGHUP)
    assert gate.policy.name in gate.event("PolicyRefused")["message"]
    assert gate.metric("sluicegate_policy_reloads_total", outcome="refused") == 1
    (gate.inputs / "app.log").write_text(NICKNAME % 1)
    gate.reaches(1, "sluicegate_records_received_total")
    assert gate.stop() == 0
    gate.conserved()
    assert b"zorro" not in b"".join(gate.stored())


# Asked how it is -----------------------------------------------------------------------------------------------------


def test_it_tells_how_it_is(gate: Gate) -> None:
    (gate.inputs / "app.log").write_bytes(records(0, 60))
    gate.start()
    assert gate.get("/healthz") == (200, '{"status":"ok"}\n')
    gate.until(lambda: gate.get("/readyz")[0] == 200, "readiness")
    assert gate.get("/elsewhere")[0] == 404
    gate.reaches(60, "sluicegate_export_records_total", exporter="store")
    assert gate.metric("sluicegate_records_received_total", source="app", signal="logs") == 60
    assert gate.metric("sluicegate_bytes_received_total") == len(records(0, 60))
    assert gate.metric("sluicegate_findings_total", rule="payment_card") == 20
    assert gate.metric("sluicegate_export_up", exporter="store") == 1
    assert gate.metric("sluicegate_build_info") == 1
    assert gate.metric("sluicegate_spool_limit_bytes") == 2 << 30
    assert gate.metric("sluicegate_spool_commits_total") >= 1
    gate.until(lambda: gate.metric("sluicegate_spool_bytes") == 0, "an empty spool")
    assert gate.stop() == 0
    gate.conserved()


def test_it_is_not_ready_while_a_process_is_missing(gate: Gate) -> None:
    gate.start()
    gate.signal(signal.SIGKILL, "worker-1")
    _, answer = gate.until(lambda: found if (found := gate.get("/readyz"))[0] == 503 else None, "not ready")
    assert json.loads(answer) == {"status": "waiting", "reasons": ["worker-1 is starting"]}
    gate.until(lambda: gate.get("/readyz")[0] == 200, "readiness")
    assert told_once(gate.events("ProcessDied"), process="worker-1", exit_code=-signal.SIGKILL)
    assert gate.stop() == 0


def test_personal_data_in_what_a_gate_writes_itself_would_be_found(gate: Gate) -> None:
    """The check that the end of every test here makes."""
    gate.silent()
    gate.told.append(f"sluicegate_findings_total{{path={PLANTED[0].decode()!r}}} 1.0")
    with pytest.raises(AssertionError, match="canary"):
        gate.silent()
    gate.told.clear()
    gate.log.write_bytes(b"cannot parse: " + record(1))
    with pytest.raises(AssertionError, match="canary"):
        gate.silent()
    gate.log.unlink()


def test_a_second_gate_on_the_spool_is_refused(gate: Gate, make_gate: Callable[..., Gate]) -> None:
    gate.start()
    second = make_gate("second", spool=gate.settings["spool"])
    second.start(up=False)
    assert second.code() == 1
    assert str(gate.folder / "spool") in second.events("GateRefused")[0]["message"]
    (gate.inputs / "app.log").write_bytes(records(0, 50))
    gate.reaches(50, "sluicegate_records_received_total")
    assert gate.stop() == 0
    gate.conserved()


def test_a_port_that_is_taken_is_told(gate: Gate) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        gate.settings["telemetry"]["listen"] = f"127.0.0.1:{taken.getsockname()[1]}"
        gate.start(up=False)
        assert gate.code() == 1
    assert gate.events("GateRefused")[0]["message"] == "telemetry.listen: Address already in use"


def test_stdin_is_a_source(gate: Gate) -> None:
    given = records(0, 100)
    ran = subprocess.run(
        [COMMAND, "run", "--store", gate.store, "-"],
        input=given,
        env={"SLUICEGATE_HOME": str(gate.folder / "home"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
    )
    assert len(gate.stored()) == 100
    assert_clean([ran.stdout, ran.stderr, *gate.stored()])
