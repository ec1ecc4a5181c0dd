"""The fast path gives what the reference path gives, on every input; and it is all the same where a block is cut."""

import pytest
from engine import POLICIES, by_engine, by_reference, thoroughly
from hypothesis import given
from hypothesis import strategies as st

from tests import strategies

POLICY = pytest.mark.parametrize("policy", POLICIES)


def over_lines(block: bytes) -> bool:
    """Whether a private key may span records: then a record is not scrubbed as if it came alone."""
    return b"PRIVATE KEY" in block


@POLICY
@thoroughly
@given(record=strategies.any_record)
def test_a_record_becomes_what_the_reference_makes_of_it(policy: str, record: bytes) -> None:
    assert by_engine(record + b"\n", policy) == by_reference(record + b"\n", policy)


@thoroughly
@given(record=strategies.any_record)
def test_a_record_without_its_newline_becomes_the_same(record: bytes) -> None:
    whole, cut = by_engine(record + b"\n"), by_engine(record)
    assert whole[0].removesuffix(b"\n") == cut[0]
    assert whole[1:] == cut[1:] or not record


@thoroughly
@given(block=strategies.garbage_lines)
def test_a_block_of_garbage_becomes_what_the_reference_makes_of_its_records(block: bytes) -> None:
    if not over_lines(block):
        assert by_engine(block) == by_reference(block)


@thoroughly
@given(records=st.lists(strategies.any_record, min_size=2, max_size=5))
def test_a_block_becomes_what_its_records_become_one_by_one(records: list[bytes]) -> None:
    block = b"".join(record + b"\n" for record in records)
    if not over_lines(block):
        assert by_engine(block) == by_reference(block)
        assert by_engine(block)[0] == b"".join(by_engine(record + b"\n")[0] for record in records)
