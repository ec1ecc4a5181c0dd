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
@given(cut=strategies.cut_off())
def test_what_was_planted_whole_in_a_record_that_is_cut_off_is_gone(cut: tuple[Planted, bytes]) -> None:
    planted, record = cut
    whole, read = views(planted.record), views(record)

    def still_known(secret: str) -> bool:
        """What was cut off takes nothing with it that made the secret known: the host behind a URL's password."""
        return any(secret in view for view in read) and not any(f":{secret}@" in view for view in whole)

    secrets = [secret for secret in planted.secrets if still_known(secret)]
    assume(not any(secret in other for secret in secrets for other in planted.secrets if other != secret))
    left = views(scrubber().scrub(record + b"\n").body)
    assert [secret for secret in secrets if any(secret in view for view in left)] == []


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
