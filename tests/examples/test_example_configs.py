"""Every configuration and policy in examples passes the check that a person would run on it, and does what it says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.services.otlp_server import GrpcServer

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CONFIGS = sorted((EXAMPLES / "configs").glob("*.yaml"))
POLICIES = sorted((EXAMPLES / "policies").glob("*.yaml"))
COMMAND = Path(sys.executable).with_name("sluicegate")
KEY = {"HASH_KEY": "an-example-key-of-32-characters."}
PERSONAL = b'{"email":"bob@example.com","card":"4111 1111 1111 1111","order_id":"4111111111111111","path":"/tea"}\n'
ENVIRONMENT = {"NODE_NAME": "node-1", "S3_BUCKET": "telemetry", "COLLECTOR_ENDPOINT": "http://127.0.0.1:1"}


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_it_is_valid(config: Path) -> None:
    checked = _check(config, ENVIRONMENT)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_it_says_what_it_needs_from_the_environment(config: Path) -> None:
    required = set(re.findall(r"\$\{(\w+)\}", config.read_text()))
    checked = _check(config, {})
    assert checked.returncode == (78 if required else 0)
    assert all(f"{name} is not set" in checked.stderr for name in required)


@pytest.mark.parametrize(
    ("config", "log", "line"),
    [
        ("file-to-local", "logs/shop/app.log", PERSONAL),
        ("kubernetes-node", "logs/shop_web-1_0a1b/web/0.log", b"2026-11-24T08:00:00Z stdout F " + PERSONAL),
    ],
)
def test_what_goes_in_by_it_can_be_read_back_clean(config: str, log: str, line: bytes, tmp_path: Path) -> None:
    (tmp_path / log).parent.mkdir(parents=True)
    (tmp_path / log).write_bytes(line)
    home = {"SLUICEGATE_HOME": str(tmp_path / "home"), "SLUICEGATE_LISTEN": "127.0.0.1:0"}
    logs = {"APP_LOGS": str(tmp_path / "logs"), "POD_LOGS": str(tmp_path / "logs")}
    ran = _run("run", "--once", "--config", EXAMPLES / f"configs/{config}.yaml", environment=ENVIRONMENT | home | logs)
    assert ran.returncode == 0, ran.stderr
    stored = _run("read", tmp_path / "home/store", environment=home)
    assert json.loads(stored.stdout)["body"]["path"] == "/tea"
    assert "bob" not in stored.stdout
    assert stored.stderr == ""


def test_both_destinations_get_the_same_clean_records(tmp_path: Path) -> None:
    server = GrpcServer()
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/app.log").write_bytes(PERSONAL * 3)
    home = {"SLUICEGATE_HOME": str(tmp_path / "home"), "SLUICEGATE_LISTEN": "127.0.0.1:0"}
    where = {"APP_LOGS": str(tmp_path / "logs"), "OTLP_ENDPOINT": server.endpoint}
    try:
        config = EXAMPLES / "configs/store-and-collector.yaml"
        ran = _run("run", "--once", "--config", config, environment=ENVIRONMENT | home | where)
        assert ran.returncode == 0, ran.stderr
    finally:
        server.close()
    stored = [json.loads(line) for line in _run("read", tmp_path / "home/store", environment=home).stdout.splitlines()]
    sent = [
        {value.key: value.value.string_value for value in record.body.kvlist_value.values}
        for body in server.bodies
        for resource in ExportLogsServiceRequest.FromString(body).resource_logs
        for record in resource.scope_logs[0].log_records
    ]
    assert sent == [record["body"] for record in stored]
    assert len(sent) == 3
    assert not any(b"bob" in body for body in server.bodies)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda path: path.stem)
def test_a_policy_is_valid(policy: Path) -> None:
    checked = _run("policy", "check", policy, environment=KEY)
    assert checked.returncode == 0, checked.stderr


def test_pseudonyms_keep_people_apart_and_tell_nothing_of_them(tmp_path: Path) -> None:
    policy = EXAMPLES / "policies/pseudonyms.yaml"
    log = tmp_path / "app.log"
    log.write_text('{"email":"Bob@Example.com"}\nfrom bob@example.com\nfrom eve@example.com\n')
    scrubbed = _run("scrub", "--policy", policy, log, environment=KEY).stdout
    first, second, third = re.findall(r"\[HMAC:email/k1/h[0-9a-f]{24}\]", scrubbed)
    assert first == second != third
    assert "example" not in scrubbed


def test_observing_counts_and_changes_nothing(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(PERSONAL)
    scrubbed = _run("scrub", "--policy", EXAMPLES / "policies/observe.yaml", log, "--report", "-", environment={})
    assert scrubbed.stdout.encode() == PERSONAL
    assert {each["rule"] for each in json.loads(scrubbed.stderr)["findings"]} == {"key:email", "payment_card"}


def _check(config: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return _run("config", "check", config, environment=environment)


def _run(*arguments: str | Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    path = {"PATH": os.environ["PATH"]}
    return subprocess.run([COMMAND, *arguments], env=path | environment, capture_output=True, text=True, check=False)
