"""Logs of real services go through nearly untouched, and what is found in them has been judged."""

from collections import Counter

import pytest

from scrubbers import Scrubber, load_policy
from tests.corpus.services import ADDRESSES, SERVICES, Found, found, log


@pytest.fixture(scope="module")
def findings() -> list[Found]:
    scrubber = Scrubber(load_policy())
    return [each for service in SERVICES for each in found(scrubber, service)]


def test_every_finding_has_been_judged(findings: list[Found]) -> None:
    assert [each for each in findings if each.judged is None] == []


def test_false_positives_are_at_most_one_in_ten_thousand_lines(findings: list[Found]) -> None:
    """Without network addresses, for versions of four numbers look like them."""
    lines = sum(log(service).count(b"\n") for service in SERVICES)
    assert lines > 100_000
    wrong = Counter(
        each.excerpt for each in findings if each.rule not in ADDRESSES and each.judged and not each.judged.right
    )
    assert wrong.total() <= lines / 10_000, wrong


def test_all_lines_but_those_with_findings_stay_byte_for_byte(findings: list[Found]) -> None:
    scrubber = Scrubber(load_policy())
    for service in SERVICES:
        before = log(service).splitlines()
        after = scrubber.scrub(log(service)).body.splitlines()
        assert len(before) == len(after)
        changed = sum(one != other for one, other in zip(before, after, strict=True))
        assert changed <= sum(each.service == service for each in findings)
