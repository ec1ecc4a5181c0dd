"""Costs are measured of every rule, on logs in which each detector has something to find."""

import json

from scrubbers import Policy, Scrubber, load_policy
from scrubbers.detectors import DETECTORS
from scrubbers.workbench.cost import costs, measure, rules
from scrubbers.workbench.sample import sample

POLICY = Policy.model_validate({
    "keys": [{"names": ["colour", "email"]}, {"names": ["shape"], "action": "replace"}],
    "patterns": [{"detector": "email"}, {"detector": "us_ssn"}],
    "deny": [{"name": "project", "values": ["bluebird"]}],
})  # fmt: skip
BLOCKS = [b'{"colour":"red","a":1}\n' * 50 + b"x@y.io and x@z.io, bluebird\n", b"536-81-7623\n" * 20]


def test_every_rule_is_measured_with_what_it_finds() -> None:
    found = [(cost.rule, cost.findings) for cost in costs(POLICY, BLOCKS, rounds=1)]
    assert found == [("keys (3 names)", 50), ("email", 2), ("us_ssn", 20), ("project (1 values)", 1)]
    assert all(cost.seconds >= 0 for cost in costs(POLICY, BLOCKS, rounds=1))


def test_the_whole_is_measured() -> None:
    measured = measure(POLICY, [*BLOCKS, b'{"email":"\\u0061@b.io"}'], rounds=2)
    assert measured.records == 72
    assert measured.size == sum(map(len, BLOCKS)) + 23
    assert measured.deep == 1
    assert measured.seconds > 0
    assert measured.ratio == measured.zstd / measured.seconds


def test_a_policy_without_rules() -> None:
    nothing = Policy.model_validate({})
    assert rules(nothing) == []
    assert measure(nothing, BLOCKS, rounds=1).deep == 0


def test_generated_logs_are_json_lines_and_the_same_each_time() -> None:
    logs = sample(POLICY, 300_000)
    assert logs == sample(POLICY, 300_000)
    assert 290_000 < len(logs) <= 300_000
    assert all(isinstance(json.loads(line), dict) for line in logs.splitlines())


def test_generated_logs_hold_something_for_every_detector() -> None:
    detectors = Policy.model_validate({"patterns": [{"detector": name} for name in DETECTORS]})
    found = Scrubber(detectors).scrub(sample(POLICY, 2 << 20, share=1.0)).findings
    assert {rule for rule, _ in found} == set(DETECTORS)
    clean = Scrubber(load_policy()).scrub(sample(POLICY, 1 << 20, share=0.0))
    assert clean.findings == {}
