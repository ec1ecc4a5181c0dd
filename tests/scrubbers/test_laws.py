"""Laws of the engine that hold for any bytes at all."""

import json
import re

import pytest
from engine import POLICIES, plan, reference, scrubber, thoroughly
from hypothesis import assume, given
from hypothesis import strategies as st
from oracle import leaks

from scrubbers import load_policy
from scrubbers.detectors import DETECTORS
from scrubbers.encodings import ENCODINGS, JSON, decode
from scrubbers.plan import BASE64, END, KEY, WHAT
from scrubbers.reference import Unscrubbable
from tests import strategies

POLICY = pytest.mark.parametrize("policy", POLICIES)
any_block = st.one_of(
    st.lists(strategies.any_record, max_size=4).map(b"\n".join), strategies.garbage_lines, st.binary(max_size=80)
)


@POLICY
@thoroughly
@given(block=any_block)
def test_scrubbing_twice_is_scrubbing_once(policy: str, block: bytes) -> None:
    once = scrubber(policy).scrub(block)
    assert scrubber(policy).scrub(once.body).body == once.body


@POLICY
@thoroughly
@given(record=strategies.any_record)
def test_the_reference_applied_twice_is_the_reference_applied_once(policy: str, record: bytes) -> None:
    try:
        once, _ = reference(policy).scrub(record)
    except Unscrubbable:
        return
    assert reference(policy).scrub(once)[0] == once


@thoroughly
@given(block=any_block)
def test_no_bytes_make_it_raise_and_records_stay_in_number(block: bytes) -> None:
    scrubbed = scrubber().scrub(block)
    assert "internal error" not in {each.reason for each in scrubbed.quarantined}
    ended = block if block.endswith(b"\n") else block + b"\n"
    left = scrubbed.body if scrubbed.body.endswith(b"\n") or not scrubbed.body else scrubbed.body + b"\n"
    if not scrubbed.quarantined and not scrubbed.body:
        left = b"\n"  # the one record was personal as a whole
    assert left.count(b"\n") + len(scrubbed.quarantined) == ended.count(b"\n")


@thoroughly
@given(block=any_block)
def test_quarantined_are_records_of_the_block_in_order(block: bytes) -> None:
    indexes = [each.index for each in scrubber().scrub(block).quarantined]
    assert indexes == sorted(set(indexes))
    assert all(0 <= index <= block.count(b"\n") for index in indexes)


@thoroughly
@given(
    record=st.one_of(
        strategies.json_records().map(lambda each: each.record), strategies.json_garbage, strategies.nested_garbage
    )
)
def test_valid_json_stays_valid_json(record: bytes) -> None:
    try:
        before = json.loads(record)
    except ValueError:
        assume(False)
    for policy in POLICIES:
        scrubbed = scrubber(policy).scrub(record + b"\n")
        if not scrubbed.quarantined:
            after = json.loads(scrubbed.body)
            assert type(after) is type(before)


@thoroughly
@given(text=st.one_of(strategies.garbage, st.binary(max_size=40)))
def test_without_an_introducer_decoding_is_the_identity(text: bytes) -> None:
    for encoding in ENCODINGS:
        if not any(re.search(introducer, text) for introducer in encoding.introducers):
            plain = encoding.unit.sub(encoding.decode, text)
            assert plain == text or encoding is JSON  # of the rest of its escapes the test below speaks


def seen(text: bytes) -> tuple[set[str], set[bytes], bool]:
    """By the trigger's reports: which shapes are found, the spellings of keys, and whether something is encoded."""
    shapes, keys, coded = set(), set(), False
    for hit in plan().scan(text):
        end, what = hit >> END, hit & WHAT
        if what <= BASE64:
            coded = True
        elif what >= KEY:
            keys.add(text[:end].rsplit(None, 1)[-1][-4:].lower())
        else:
            shapes |= {rule.name for find, rule, *_ in plan().finders[what] if find(text, end)}
    return shapes, keys, coded


@thoroughly
@given(text=st.one_of(strategies.garbage, strategies.crowded().map(lambda each: each.record)))
def test_a_record_in_which_no_introducer_is_reported_says_no_more_when_decoded(text: bytes) -> None:
    shapes, _, coded = seen(text + b"\n")
    if not coded:
        plain = decode(text)
        assert plain is not None
        assert seen(plain + b"\n")[0] <= shapes


NAMES = [each.detector for each in load_policy().patterns]
TRIGGERS = [(name, trigger) for name in NAMES for trigger in DETECTORS[name].triggers]
REPORTS = [
    re.compile(b"(?=(" + trigger.expression + b"))", re.I if trigger.caseless else 0).finditer
    for _, trigger in TRIGGERS
]
near_shapes = st.builds(
    lambda head, piece, tail, cut: (head + piece.text + tail)[cut:],
    st.sampled_from(["", " ", "a", "-", "(", "+", "\n", "0", ".", '{"a":"', '{"a":', "\\n", "x=", ": ", "é"]),
    strategies.shapes,
    st.sampled_from(["", " ", '"}', ".", ",", "7", "x", "\\n", "}", "-1", " 200"]),
    st.integers(0, 2),
).map(str.encode)


@thoroughly
@given(text=st.one_of(near_shapes, near_shapes, strategies.garbage))
def test_what_a_locator_finds_its_trigger_reports(text: bytes) -> None:
    r"""Or it reports an introducer: for a guard that only an escape is (`\n536-…`)."""
    text += b"\n"
    found = set()
    for hit in plan().scan(text):
        what = hit & WHAT
        if what <= BASE64:
            return  # decoded, it is looked at again
        if what < KEY:
            found |= {(rule.name, find(text, hit >> END)) for find, rule, *_ in plan().finders[what]}
    for (name, trigger), reports in zip(TRIGGERS, REPORTS, strict=True):
        for end in range(1, len(text)) if trigger.guarded else [report.end(1) for report in reports(text)]:
            try:
                span = trigger.find(text, end)
            except IndexError:
                continue  # a locator may rely on what its trigger has seen
            # It may be found from another end, and longer; but it must be.
            assert span is None or any(
                each == name and other and other[0] <= span[0] and span[1] <= other[1] for each, other in found
            ), (name, end, span)


@thoroughly
@given(records=st.lists(strategies.any_record, max_size=4))
def test_observing_counts_what_enforcing_does_and_changes_nothing(records: list[bytes]) -> None:
    block = b"".join(record + b"\n" for record in records)
    enforced, observed = scrubber().scrub(block), scrubber("observe").scrub(block)
    assert {action for _, action in observed.findings} <= {"observe"}
    assert {rule: count for (rule, _), count in observed.findings.items()} == {
        rule: count for (rule, _), count in enforced.findings.items()
    }
    assert observed.quarantined == enforced.quarantined
    if not observed.quarantined:
        assert observed.body == block


@thoroughly
@given(record=strategies.any_record)
def test_what_is_explained_is_what_is_found(record: bytes) -> None:
    scrubbed = scrubber().scrub(record + b"\n")
    assume(not scrubbed.quarantined)
    explained = scrubber().explain(record)
    assert {(each.rule, each.action) for each in explained} <= set(scrubbed.findings)
    assert bool(explained) == bool(scrubbed.findings)
    reached = 0
    for each in explained:
        assert reached <= each.start < each.end <= len(record)
        reached = each.end


@thoroughly
@given(text=st.one_of(st.text(max_size=80), strategies.texts(lines=True).map(lambda piece: piece.text)))
def test_a_short_text_is_scrubbed_like_a_record(text: str) -> None:
    clean = scrubber().scrub_text(text)
    assert leaks(text.encode("utf-8", "replace"), clean.encode("utf-8", "replace")) == []
    assert scrubber().scrub_text(clean) == clean
