"""Lifecycle rules: ours are made and kept, those of others are left alone, and what they do to our objects is told."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.lifecycle import Rule, plan

WEEK = timedelta(days=7)
CLASSES = {"short": timedelta(days=7), "audit": timedelta(days=400)}
PREFIX = "gate/"


def planned(existing: list[Rule], **changes: Any) -> Any:
    given: dict[str, Any] = {"classes": CLASSES, "prefix": PREFIX, "uploads": WEEK, **changes}
    return plan(existing, given.pop("classes"), given.pop("prefix"), **given)


def rule(name: str, prefix: str, days: int, **others: Any) -> Rule:
    return {"ID": name, "Status": "Enabled", "Filter": {"Prefix": prefix}, "Expiration": {"Days": days}, **others}


def test_each_class_gets_a_rule() -> None:
    found = planned([])
    assert [(change.kind, change.prefix) for change in found.changes] == [
        ("add", "gate/short/"),
        ("add", "gate/audit/"),
    ]
    short, audit = found.rules
    assert short["ID"].startswith("sluicegate:short:")
    assert {name: value for name, value in short.items() if name != "ID"} == {
        "Status": "Enabled",
        "Filter": {"Prefix": "gate/short/"},
        "Expiration": {"Days": 7},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }
    assert audit["Expiration"] == {"Days": 400}


def test_what_was_applied_needs_nothing_more() -> None:
    again = planned(planned([]).rules)
    assert again.to_do == []
    assert again.problems == []
    assert again.rules == planned([]).rules


def test_a_part_of_a_day_counts_as_a_whole_one() -> None:
    (only,) = planned([], classes={"a": timedelta(hours=25)}, uploads=None).rules
    assert only["Expiration"] == {"Days": 2}
    assert "AbortIncompleteMultipartUpload" not in only


@pytest.mark.parametrize(
    "change",
    [
        {"Status": "Disabled"},
        {"Expiration": {"Days": 8}},
        {"Expiration": {}},
        {"NoncurrentVersionExpiration": {"NoncurrentDays": 90}},
        {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
        {"Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]},
    ],
    ids=str,
)
def test_a_rule_of_ours_that_was_changed_is_mended(change: Rule) -> None:
    short, audit = planned([]).rules
    found = planned([{**short, **change}, audit])
    assert [each.kind for each in found.changes] == ["change", "keep"]
    assert found.rules == [short, audit]
    assert any("gate/short/" in problem for problem in found.problems)


def test_a_class_that_is_gone_keeps_its_rule_until_it_is_pruned() -> None:
    before = planned([]).rules
    only_audit = {"audit": CLASSES["audit"]}
    found = planned(before, classes=only_audit)
    assert [(each.kind, each.name) for each in found.changes] == [("keep", "audit"), ("orphan", "short")]
    assert found.rules == before
    assert found.problems == []
    pruned = planned(before, classes=only_audit, prune=True)
    assert [(each.kind, each.name) for each in pruned.changes] == [("keep", "audit"), ("remove", "short")]
    assert pruned.rules == before[1:]


def test_gates_with_other_prefixes_are_others() -> None:
    theirs = planned([], prefix="other/").rules
    found = planned(theirs, prune=True)
    assert found.rules[:2] == theirs
    assert found.others == 2
    assert [each.kind for each in found.changes] == ["add", "add"]


@pytest.mark.parametrize("prefix", ["gate/short/", "gate/", ""])
def test_a_rule_of_others_that_does_it_is_enough(prefix: str) -> None:
    found = planned([rule("terraform", prefix, 7)], classes={"short": WEEK})
    assert found.to_do == []
    assert [(each.kind, each.rule) for each in found.changes] == [("covered", "'terraform'")]
    assert found.problems == []


@pytest.mark.parametrize(
    "other",
    [
        rule("x", "gate/short/", 7, Status="Disabled"),
        rule("x", "gate/short/", 7, Filter={"And": {"Prefix": "gate/short/", "Tags": [{"Key": "a", "Value": "b"}]}}),
        rule("x", "gate/short/", 7, Filter={"Prefix": "gate/short/", "ObjectSizeGreaterThan": 5}),
        rule("x", "gate/short/logs/", 7),
        rule("x", "elsewhere/", 7),
        rule("x", "gate/short/", 8),
    ],
    ids=str,
)
def test_one_that_does_less_is_not(other: Rule) -> None:
    found = planned([other], classes={"short": WEEK})
    assert [each.kind for each in found.changes] == ["add"]
    assert found.rules[0] == other


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (rule("x", "", 30), "rule 'x' of others expires gate/audit/ after 30 days, before the 400 it is kept"),
        (rule("x", "gate/audit/logs/", 1), "expires some of gate/audit/ after 1 day"),
        ({"Status": "Enabled", "Prefix": "gate/", "Expiration": {"Days": 30}}, "rule for 'gate/' of others expires"),
        (rule("x", "gate/", 0, Expiration={"Date": "2030-01-01"}), "at a date"),
        (rule("x", "", 1, Filter={"Tag": {"Key": "a", "Value": "b"}}), "some of gate/audit/"),
    ],
    ids=str,
)
def test_a_rule_of_others_that_takes_our_objects_early_is_told(other: Rule, says: str) -> None:
    found = planned([other])
    assert any(says in conflict for conflict in found.conflicts), found.conflicts
    assert set(found.conflicts) <= set(found.problems)


_names = st.sampled_from(["", "gate/", "gate/short/", "gate/shorter/", "other/", "g"])
_others = st.lists(
    st.builds(
        lambda prefix, days, status, tagged, old: {
            "ID": f"theirs-{prefix}-{days}",
            "Status": status,
            **(
                {"Prefix": prefix}
                if old
                else {"Filter": {"And": {"Prefix": prefix, "Tags": []}} if tagged else {"Prefix": prefix}}
            ),
            "Expiration": {"Days": days},
            "Unknown": {"to": "us"},
        },
        _names,
        st.integers(1, 500),
        st.sampled_from(["Enabled", "Disabled"]),
        st.booleans(),
        st.booleans(),
    ),
    max_size=6,
)


@given(_others, st.sets(st.sampled_from(["short", "audit", "standard"]), min_size=1), st.booleans())
def test_whatever_is_there_the_rules_of_others_stay_in_order_and_applying_twice_changes_nothing(
    others: list[Rule], names: set[str], prune: bool
) -> None:
    classes = {name: timedelta(days=10 * len(name)) for name in sorted(names)}
    leftover = planned([], classes={"gone": WEEK}).rules
    first = planned([*others, *leftover], classes=classes, prune=prune)
    ids = {each["ID"] for each in others}
    assert [each for each in first.rules if each["ID"] in ids] == others
    second = planned(first.rules, classes=classes, prune=prune)
    assert second.to_do == []
    assert second.rules == first.rules
    for name in classes:
        ours = [each["Filter"]["Prefix"] for each in first.rules if each["ID"].startswith("sluicegate:")]
        assert ours.count(f"gate/{name}/") <= 1
