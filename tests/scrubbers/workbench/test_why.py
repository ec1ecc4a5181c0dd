"""Why something is found in a line, and why not: guards, check digits, keys, lists, scopes, other rules."""

from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubbers import Policy, load_policy
from scrubbers.detectors import DETECTORS
from scrubbers.workbench import why
from scrubbers.workbench.why import Inquiry, Origin
from tests.scrubbers.engine import thoroughly
from tests.strategies import any_record

DEFAULT = load_policy()
CARD = b"4111111111111111"


@cache
def inquiry() -> Inquiry:
    return Inquiry(DEFAULT)


def ask(line: bytes, rule: str, **policy: Any) -> list[tuple[bytes | None, str]]:
    """(what part of the line, what is said of it)."""
    asked = Inquiry(Policy.model_validate(policy)) if policy else inquiry()
    return [(None if miss.start is None else line[miss.start : miss.end], miss.why) for miss in asked.why(line, rule)]


def near(line: bytes, **policy: Any) -> list[tuple[str, bytes, str]]:
    asked = Inquiry(Policy.model_validate(policy)) if policy else inquiry()
    return [(miss.rule, line[miss.start : miss.end], miss.why) for miss in asked.near_misses(line)]


CARDS: dict[str, Any] = {"patterns": [{"detector": "payment_card"}]}


@pytest.mark.parametrize(
    ("line", "rule", "what", "reason"),
    [
        (b"card 4111111111111112", "payment_card", b"4111111111111112", why._NUMBER),
        (b"card 4111 1111 1111 1112 ok", "payment_card", b"4111 1111 1111 1112", why._NUMBER),
        (b"card x4111111111111111", "payment_card", CARD, why._GUARD),
        (b"card 4111111111111111x", "payment_card", CARD, why._GUARD),
        (b"ssn 000-12-3456", "us_ssn", b"000-12-3456", why._NUMBER),
        (b"iban GB33BUKB20201555555556", "iban", b"GB33BUKB20201555555556", why._NUMBER),
        (b"to root@localhost", "email", b"root@localhost", why._FORM),
    ],
)
def test_a_closer_look_that_said_no(line: bytes, rule: str, what: bytes, reason: str) -> None:
    assert ask(line, rule) == [(what, reason)]


@pytest.mark.parametrize(
    ("line", "policy", "rule", "reason"),
    [
        (b"a@b.io", CARDS, "email", "the policy does not use this rule; listed, it would find this"),
        (
            b'{"order":"4111111111111111"}',
            {**CARDS, "keep": [{"names": ["order"], "shape": "[0-9]{16}"}]},
            "payment_card",
            "`keep` holds it: key and shape are those of an identifier",
        ),
        (CARD, {**CARDS, "allow": {"values": ["4111-1111-1111-1111"]}}, "payment_card", "`allow` lets it stay"),
        (
            CARD,
            {"patterns": [{"detector": "payment_card", "allow": {"shapes": ["4.*"]}}]},
            "payment_card",
            "`allow` lets it stay",
        ),
        (
            b"212-09-6709",
            {"patterns": [{"detector": "us_ssn", "min_confidence": "checksum"}]},
            "us_ssn",
            "it is less sure than `min_confidence` asks",
        ),
        (
            b'{"a":"x@b.io"}',
            {"patterns": [{"detector": "email", "scope": {"include": ["b"]}}]},
            "email",
            "the rule's `scope` leaves this place out",
        ),
        (b'{"mail":"x@b.io"}', {"keys": [{"names": ["mail"]}], "patterns": [{"detector": "email"}]}, "email", None),
    ],
)
def test_what_the_policy_holds_against_it(line: bytes, policy: Any, rule: str, reason: str | None) -> None:
    ((what, told),) = ask(line, rule, **policy)
    assert what in (CARD, b"a@b.io", b"x@b.io", b"212-09-6709")
    assert told == (reason or "key:mail takes it, or more around it")


def test_where_the_line_comes_from() -> None:
    policy = Policy.model_validate({"patterns": [{"detector": "email", "scope": {"sources": ["shop"]}}]})
    assert len(Inquiry(policy).findings(b"a@b.io")) == 1
    assert len(Inquiry(policy, Origin(source="shop")).findings(b"a@b.io")) == 1
    elsewhere = Inquiry(policy, Origin(source="cart"))
    assert elsewhere.findings(b"a@b.io") == []
    assert [miss.why for miss in elsewhere.near_misses(b"a@b.io")] == ["the rule's `scope` leaves this place out"]


@pytest.mark.parametrize(
    ("line", "rule", "reason"),
    [
        (b"nothing", "email", "nothing in the line has its shape"),
        (b"nothing", "password", "its name does not stand in the line"),
        (b"passwords reset", "key:password", "its name stands only inside longer words"),
        (b"the password is wrong", "password", "its name stands in the line, but no value follows it"),
        (b"password=[REDACTED:password]", "password", "its name stands in the line, but no value follows it"),
        (
            b'{"statement":{"parameters":1}}',
            "db.statement.parameters",
            "`parameters` stands in the line, but not inside",
        ),
    ],
)
def test_nothing_came_near(line: bytes, rule: str, reason: str) -> None:
    ((what, told),) = ask(line, rule)
    assert what is None
    assert told.startswith(reason)


def test_a_key_that_the_policy_does_not_list() -> None:
    told = "the policy does not use this rule; listed, it would find this"
    assert ask(b"colour=red", "colour") == [(b"red", told)]


def test_a_pattern_of_ones_own() -> None:
    badge = {"name": "badge", "regex": "B-[0-9]{6}", "context": ["badge"]}
    policy = {"patterns": [badge, {"name": "ticket", "regex": "T[0-9]{16}", "validator": "luhn"}]}
    assert ask(b"badge B-123456", "badge", **policy) == [(b"B-123456", "finds this")]
    assert ask(b"order B-123456", "badge", **policy) == [(b"B-123456", "none of its `context` words stands near it")]
    told = "its check digits are wrong: the rule's `validator` says no"
    assert near(b"T4111111111111112", **policy) == [("ticket", b"T4111111111111112", told)]


def test_what_is_found_is_said_so() -> None:
    assert ask(b"mail a@b.io", "email") == [(b"a@b.io", "finds this")]
    assert ask(b"password=x7", "password") == [(b"x7", "finds this")]


def test_near_misses_of_all_rules() -> None:
    found = near(b"a@b.io 4111111111111112", patterns=[{"detector": "email"}])
    assert found == [("payment_card", b"4111111111111112", why._NUMBER)]
    found = near(b"a@b.io 4111111111111111", patterns=[{"detector": "email"}])
    assert found == [("payment_card", CARD, "the policy does not use this rule; listed, it would find this")]


def test_an_ordinary_record_has_no_near_misses() -> None:
    line = (
        b'{"ts":"2026-09-21T14:02:11.000390524Z","msg":"took 182.4 ms, 12 of 64","peer":"10.2.0.17:5432",'
        b'"request_id":"6f1c2b9a-77aa-4b0e-9d8c-0a1b2c3d4e5f","nano":1790000000000390524,"pod":"web-7d9f8b6c5d-x2x4z"}'
    )
    assert near(line) == []


def test_confidence_is_that_of_the_surest_trigger() -> None:
    for name, detector in DETECTORS.items():
        asked = Inquiry(Policy.model_validate({"patterns": [{"detector": name}]}))
        levels = {trigger.confidence.name.lower() for trigger in detector.triggers}
        for example in detector.must[:1]:
            assert {sure for _, sure in asked.findings(example.encode())} <= levels


def test_a_record_that_is_withheld_has_no_findings() -> None:
    line = b"jane%252525252525252540example.com"
    assert inquiry().scrub(line).quarantined
    assert inquiry().findings(line) == []
    assert inquiry().near_misses(line) == []


@thoroughly
@given(any_record, st.sampled_from([*DETECTORS, "key:password", "email_address", "x.y.colour"]))
def test_any_line_can_be_asked_about(record: bytes, rule: str) -> None:
    """It never raises, places lie in the line, and what is found is what the scrubber finds."""
    line = record.replace(b"\n", b" ")
    told = inquiry().why(line, rule)
    assert told
    name = told[0].rule
    assert all(miss.start is None or 0 <= miss.start <= (miss.end or 0) <= len(line) for miss in told)
    said = [(miss.start, miss.end) for miss in told if miss.why == "finds this"]
    assert said == [(each.start, each.end) for each, _ in inquiry().findings(line) if each.rule == name]
