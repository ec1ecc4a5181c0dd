"""Two policies on the same logs: what differs is counted record by record, and no value is shown."""

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.cli.policy import diff
from collector.cli.terminal import Console
from scrubbers import Policy, Scrubber, load_policy
from scrubbers.workbench.comparison import Change, Comparison, in_force
from tests.scrubbers.engine import POLICIES, by_engine, scrubber, thoroughly
from tests.strategies import any_record, planted

DEFAULT = load_policy()


def compared(old: Policy, new: Policy, *records: bytes) -> Comparison:
    return compare(in_force(old), in_force(new), *records)


def compare(old: Scrubber, new: Scrubber, *records: bytes) -> Comparison:
    comparison = Comparison(old, new)
    comparison.add("app.log", b"\n".join([*records, b""]))
    return comparison


def policy(**rules: Any) -> Policy:
    return Policy.model_validate(rules)


@pytest.mark.parametrize(
    ("old", "new", "record", "change"),
    [
        ({}, {"patterns": [{"detector": "email"}]}, b"a@b.io", "email (replace): new"),
        ({"patterns": [{"detector": "email"}]}, {}, b"a@b.io", "email (replace): no longer"),
        (
            {"patterns": [{"detector": "email"}]},
            {"patterns": [{"detector": "email", "action": "mask"}]},
            b"a@b.io",
            "email: replace → mask",
        ),
        (
            {"patterns": [{"detector": "email"}]},
            {"keys": [{"names": ["mail"]}]},
            b'{"mail":"a@b.io"}',
            "email (replace) → key:mail (delete)",
        ),
        (
            {"keys": [{"names": ["mail"], "action": "mask"}]},
            {"keys": [{"names": ["mail"], "action": "mask", "keep_last": 2}]},
            b"mail=abcdefgh",
            "key:mail (mask): written otherwise",
        ),
    ],
)
def test_a_change_is_named(old: Any, new: Any, record: bytes, change: str) -> None:
    comparison = compared(policy(**old), policy(**new), b"clean", record, record)
    assert (comparison.records, comparison.differing) == (3, 2)
    ((kind, seen),) = comparison.changes.items()
    assert (str(kind), seen.records, seen.file, seen.line) == (change, 2, "app.log", 2)


def test_several_findings_in_one() -> None:
    new = policy(keys=[{"names": ["msg"], "action": "replace"}])
    comparison = compared(DEFAULT, new, b'{"msg":"a@b.io from 203.0.113.9 ok"}')
    assert {str(change) for change in comparison.changes} == {
        "email (replace) → key:msg (replace)",
        "ipv4 (replace) → key:msg (replace)",
    }


def test_a_record_that_is_withheld_by_one_alone() -> None:
    comparison = compared(policy(), DEFAULT, b"jane%252525252525252540example.com", b"x@y.io")
    assert comparison.withheld == [0, 1]
    assert comparison.differing == 2
    assert comparison.changes[Change(None, None)].records == 1


def test_lines_are_counted_over_bodies_and_anew_in_each_file() -> None:
    comparison = Comparison(in_force(policy()), in_force(DEFAULT))
    for file, body in (("a", b"1\n2\n"), ("a", b"3\na@b.io\n"), ("b", b"1\n203.0.113.9\n")):
        comparison.add(file, body)
    assert sorted((seen.file, seen.line) for seen in comparison.changes.values()) == [("a", 4), ("b", 2)]


names = st.sampled_from(sorted(POLICIES))


@thoroughly
@given(st.lists(any_record, min_size=1, max_size=6), names, names)
def test_what_differs_is_what_the_engine_does_otherwise(records: list[bytes], one: str, other: str) -> None:
    records = [record.replace(b"\n", b" ") for record in records]
    block = b"\n".join([*records, b""])
    comparison = Comparison(scrubber(one), scrubber(other))
    comparison.add("-", block)
    results = [by_engine(block, each) for each in (one, other)]
    assert [dict(counts) for counts in comparison.counts] == [counts for _, counts, _ in results]
    assert comparison.withheld == [len(out) for _, _, out in results]

    def whole(result: Any) -> list[bytes | None]:
        left = iter(result[0].split(b"\n"))
        return [None if index in result[2] else next(left) for index in range(len(records))]

    differing = sum(a != b for a, b in zip(*map(whole, results), strict=True))
    assert (comparison.records, comparison.differing) == (len(records), differing)
    assert bool(comparison.changes) is bool(differing)
    assert sum(seen.records for seen in comparison.changes.values()) >= differing


@thoroughly
@given(st.lists(planted, min_size=1, max_size=6), names, names)
def test_nothing_planted_is_shown(records: list[Any], one: str, other: str) -> None:
    comparison = compare(scrubber(one), scrubber(other), *(each.record.replace(b"\n", b" ") for each in records))
    out = io.StringIO()
    diff._show(comparison, Console(out, width=10_000))
    said = out.getvalue()
    assert [secret for each in records for secret in each.secrets if len(secret) > 7 and secret in said] == []
