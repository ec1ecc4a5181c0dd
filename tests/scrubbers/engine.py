"""What the property tests of the engine share: scrubbers by policy, the reference path, how much is drawn."""

import os
from collections import Counter
from contextlib import suppress
from functools import cache

from hypothesis import HealthCheck, settings

from scrubbers import Policy, Scrubber, load_policy
from scrubbers.plan import Plan
from scrubbers.reference import Reference, Unscrubbable
from scrubbers.scopes import halves
from scrubbers.truncation import BY_DETECTOR

EXAMPLES = int(os.environ.get("SLUICEGATE_EXAMPLES") or 0)

settings.register_profile(
    "engine",
    deadline=None,  # the machine may be busy
    print_blob=True,
    derandomize=not EXAMPLES,  # every day the same; the deep run looks further
    max_examples=EXAMPLES or 100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
thoroughly = settings.get_profile("engine")
"""`SLUICEGATE_EXAMPLES=10000` makes the run deep."""

_KEY = {"key": "0123456789abcdef0123"}
_SECRETS, _PEOPLE, _REST = (
    ("password", "token", "authorization"),
    ("email", "user.email", "phone"),
    ("ssn", "credit_card"),
)
_default = load_policy()

POLICIES: dict[str, Policy] = {
    "default": _default,
    # Every action, for keys and for patterns.
    "actions": Policy.model_validate({
        "keys": [
            {"names": _SECRETS, "action": "replace"}, {"names": _PEOPLE, "action": "hash"},
            {"names": _REST, "action": "mask"}, {"names": ["cookie", "db.query.parameter"], "action": "delete"},
        ],
        "patterns": [
            {"detector": each.detector, "action": ("replace", "mask", "hash")[number % 3]}
            for number, each in enumerate(_default.patterns)
        ],
        "keep": [each.model_dump() for each in _default.keep], "hash": _KEY,
    }),
    # Those that leave a part or lead back, texts of one's own, and two keys at a time.
    "more actions": Policy.model_validate({
        "keys": [
            {"names": ["password"], "replacement": "[{rule}]"},
            {"names": ["token"], "action": "replace", "replacement": "[{rule}]"},
            {"names": ["email", "user.email"], "action": "truncate", "truncate_to": "domain"},
            {"names": ["authorization", "ssn", "phone"], "action": "encrypt"},
            {"names": ["credit_card"], "action": "hash"},
            {"names": ["cookie", "user"], "action": "truncate", "truncate_to": "network"},
            {"names": ["n"], "action": "truncate", "truncate_to": "year"},
        ],
        "patterns": [
            {"detector": each.detector, **(
                {"action": "truncate"} if each.detector in BY_DETECTOR
                else ({"replacement": "[PII:{rule}]"}, {"action": "encrypt"}, {"action": "hash"})[number % 3]
            )}
            for number, each in enumerate(_default.patterns)
        ],
        "keep": [each.model_dump() for each in _default.keep],
        "hash": _KEY | {"version": "k2", "previous": [{"key": "an older key of 20", "version": "k1", "overlap": True}]},
        "encrypt": {"key": "0123456789abcdef" * 2},
    }),
    # Values that are allowed or denied, rules by path, rules that only count.
    "values": Policy.model_validate({
        "keys": [
            {"names": ["password"], "mode": "observe"}, {"names": ["password", "email", "trace_id"]},
            {"names": ["token"], "action": "replace"},
        ],
        "patterns": [
            {"detector": "email", "allow": {"values": ["BOB@x.io"]}, "scope": {"exclude": ["user", "b"]}},
            {"detector": "email", "action": "mask", "scope": {"include": ["a"]}},
            {"detector": "ipv4", "mode": "observe"},
            *(each.model_dump() for each in _default.patterns if each.called not in ("email", "ipv4")),
        ],
        "deny": [
            {"name": "signs", "values": ["hunter2", "x.io", "7623", "é!", "xyz", "app:h"]},
            {"name": "word", "values": ["null%", "order", "Bearer"], "action": "mask"},
        ],
        "allow": {"shapes": [r"4111\d{4,}", r"\+49.*"], "documented": True},
        "keep": [each.model_dump() for each in _default.keep],
    }),
    # Names with `*`: what ends a key, begins it, stands in it, stands around it.
    "globs": Policy.model_validate({
        "keys": [
            {"names": ["*word", "db.*.parameters"]}, {"names": ["user.*", "tok*"], "action": "replace"},
            {"names": ["*red*card*", "data.*", "*mail"], "action": "hash"}, {"names": ["user.email", "x_*_token"]},
        ],
        "patterns": [each.model_dump() for each in _default.patterns],
        "keep": [{"names": ["*_id", "msg.*"], "shape": r"[0-9a-f-]{7,40}|[a-z]+@x\.io"}],
        "hash": _KEY,
    }),
    # Patterns that the policy brings along: with guards, context, check digits, groups, by path; and slow ones.
    "own": Policy.model_validate({
        "keys": [{"names": ["email"]}, {"names": ["token"], "action": "replace"}],
        "patterns": [
            {"name": "bob", "regex": r"\bb[o0]b@\w+\b"}, {"name": "number", "regex": r"(?<![0-9])[0-9]{4}(?![0-9])"},
            {"name": "hunter", "regex": r"(?i)hunter\d", "action": "mask"},
            {"name": "hex", "regex": r"[0-9a-f]{4,12}\b", "context": ["user", "order"], "validator": "luhn"},
            {"name": "member", "regex": r"[a-z]+\W+(?P<value>x\.?yz|null|é+)", "scope": {"exclude": ["b"]}},
            {"name": "twice", "regex": r"\b([a-z]{3,8})[^a-z]{1,3}\1", "slow": True},
            {"name": "ends", "regex": r"^\S{3}:|.{2}\s\S$", "allow": {"shapes": [r"h.*"]}},
            *(each.model_dump() for each in _default.patterns if each.called != "phone"),
        ],
        "keep": [each.model_dump() for each in _default.keep],
    }),
    # Phone numbers as they are dialled at home.
    "regions": Policy.model_validate({
        "keys": [{"names": ["email", "phone"]}],
        "patterns": [{"detector": each} for each in ("phone", "payment_card", "us_ssn", "iban", "ipv4")],
        "keep": [each.model_dump() for each in _default.keep], "regions": ["DE", "FR", "ES", "PL", "DK", "BR", "SG"],
    }),
    # What is kept may hold more than digits: other ways through the engine.
    "keeps": Policy.model_validate({
        "keys": [{"names": ["email", "user.email"]}, {"names": ["password"], "action": "mask", "keep_last": 0}],
        "patterns": [each.model_dump() for each in _default.patterns],
        "keep": [{"names": ["order", "user.id", "msg"], "shape": r"[0-9]{16}|[a-z]+@x\.io"}],
    }),
}  # fmt: skip
_OBSERVE = {"observe": _default.model_copy(update={"mode": "observe"})}


@cache
def plan(policy: str = "default") -> Plan:
    return Plan(halves(POLICIES[policy])[0])


@cache
def scrubber(policy: str = "default") -> Scrubber:
    return Scrubber({**POLICIES, **_OBSERVE}[policy])


def reference(policy: str = "default") -> Reference:
    plan(policy).budget.renew()  # the engine does that for each block
    return _reference(policy)


@cache
def _reference(policy: str) -> Reference:
    return Reference(plan(policy))


@cache
def observer(policy: str) -> Reference | None:
    """The reference path by the rules that only count."""
    observed = halves(POLICIES[policy])[1]
    return Reference(Plan(observed)) if observed else None


Outcome = tuple[bytes, dict[tuple[str, str], int], tuple[int, ...]]
"""Body, findings, indexes of the records taken out."""


def by_reference(block: bytes, policy: str = "default") -> Outcome:
    """What the block must become: every record by itself through the reference path."""
    body: list[bytes] = []
    counts: Counter[tuple[str, str]] = Counter()
    out: list[int] = []
    seer = observer(policy)
    lines = block.split(b"\n")
    for index, line in enumerate(lines[:-1] if block.endswith(b"\n") else lines):
        try:
            clean, rules = reference(policy).scrub(line)
        except Unscrubbable:
            out.append(index)
            continue
        body.append(clean + b"\n")
        counts.update((rule.name, rule.action) for rule in rules)
        if seer:
            with suppress(Unscrubbable):
                counts.update((rule.name, "observe") for rule in seer.scrub(clean)[1])
    whole = b"".join(body)
    unended = not block.endswith(b"\n") and len(lines) - 1 not in out
    return (whole[:-1] if unended else whole), dict(counts), tuple(out)


def by_engine(block: bytes, policy: str = "default") -> Outcome:
    scrubbed = scrubber(policy).scrub(block)
    return scrubbed.body, dict(scrubbed.findings), tuple(each.index for each in scrubbed.quarantined)
