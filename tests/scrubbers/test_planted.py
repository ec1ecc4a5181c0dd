"""Personal data planted anywhere is gone, and all else still says what it said."""

from collections.abc import Iterable

from engine import scrubber, thoroughly
from hypothesis import given

from tests import strategies
from tests.strategies import Planted, Tree, canonical, canonical_text, read


def said(record: bytes, wanted: Tree) -> Tree:
    """What a record says, decoded, in the shape of what is wanted."""
    text = record.decode()
    if isinstance(wanted, tuple):
        head, body = text.split(" F ", 1)
        assert head == "2026-09-21T14:02:11.000390524Z stdout"
        return ("cri", canonical(read(body)))
    return canonical_text(text) if isinstance(wanted, str) else canonical(read(text))


def wanted(left: Tree) -> Tree:
    return (left[0], canonical(left[1])) if isinstance(left, tuple) else canonical(left)


def in_order(parts: Iterable[str], text: str) -> bool:
    at = 0
    for part in parts:
        at = text.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return True


@thoroughly
@given(planted=strategies.json_records())
def test_of_json_stays_all_but_what_is_personal(planted: Planted) -> None:
    scrubbed = scrubber().scrub(planted.record + b"\n")
    if not scrubbed.quarantined:
        clean = scrubbed.body[:-1]
        assert said(clean, planted.left) == wanted(planted.left)
        assert in_order(planted.clean, clean.decode())


@thoroughly
@given(planted=strategies.text_records())
def test_of_text_stays_all_but_what_is_personal(planted: Planted) -> None:
    scrubbed = scrubber().scrub(planted.record + b"\n")
    if not scrubbed.quarantined:
        assert said(scrubbed.body[:-1], planted.left) == wanted(planted.left)


@thoroughly
@given(planted=strategies.wrapped_records())
def test_of_wrapped_json_stays_all_but_what_is_personal(planted: Planted) -> None:
    scrubbed = scrubber().scrub(planted.record + b"\n")
    if not scrubbed.quarantined:
        assert said(scrubbed.body[:-1], planted.left) == wanted(planted.left)
