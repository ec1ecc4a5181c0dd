"""Nothing personal leaves, and nothing else goes: by the word of an oracle that shares no code with the engine."""

import json

import pytest
from engine import scrubber, thoroughly
from hypothesis import assume, given
from hypothesis import strategies as st
from oracle import harmless, leaks, views

from tests import strategies
from tests.strategies import Planted


@thoroughly
@given(record=strategies.any_record)
def test_nothing_personal_is_left(record: bytes) -> None:
    scrubbed = scrubber().scrub(record + b"\n")
    assert leaks(record, scrubbed.body) == []


@thoroughly
@given(planted=st.one_of(strategies.planted, strategies.crowded()))
def test_what_was_planted_is_gone_in_every_decoding(planted: Planted) -> None:
    scrubbed = scrubber().scrub(planted.record + b"\n")
    left = views(scrubbed.body)
    assert [each for each in planted.secrets if any(each in view for view in left)] == []
    assert leaks(planted.record, scrubbed.body) == []


@thoroughly
@given(record=strategies.any_record)
def test_a_harmless_record_is_the_same_object(record: bytes) -> None:
    assume(harmless(record))
    block = record + b"\n"
    assert scrubber().scrub(block).body is block


@thoroughly
@given(records=st.lists(strategies.clean_records(), max_size=4))
def test_clean_records_are_the_same_object(records: list[bytes]) -> None:
    block = b"".join(record + b"\n" for record in records)
    assert scrubber().scrub(block).body is block


@pytest.mark.parametrize("text", strategies.HARMLESS)
@pytest.mark.parametrize("quoted", [False, True], ids=["text", "JSON"])
def test_what_is_nobodys_stays(text: str, quoted: bool) -> None:
    block = (json.dumps({"m": text, "l": [text]}, ensure_ascii=False) if quoted else text).encode() + b"\n"
    assert scrubber().scrub(block).body is block
    assert leaks(block, block) == []
