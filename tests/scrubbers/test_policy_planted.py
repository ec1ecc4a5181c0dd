"""What the rules of a policy take is gone wherever it was planted, in every decoding; by the word of the oracle."""

import json
import re

from engine import thoroughly
from hypothesis import given
from hypothesis import strategies as st
from oracle import views

from scrubbers import Policy, Scrubber
from tests import strategies
from tests.strategies import harmless, plain

_POLICY = Policy.model_validate({
    "keys": [{"names": ["*_pin", "vault.*", "rooms.*.code"]}],
    "patterns": [
        {"name": "staff", "regex": r"\bEMP-?\d{5}\b"},
        {"name": "case", "regex": r"(?i)case no\. (?P<value>[a-z]{2}\d{4})"},
        {"name": "badge", "regex": r"(?<![\w.])B\d{7}\b", "validator": "luhn"},
    ],
    "deny": [{"name": "customer", "values": ["Zebrawood Ltd", "Quux & Söhne", "zorblatt"]}],
})  # fmt: skip
SCRUBBER = Scrubber(_POLICY)
OBSERVER = Scrubber(_POLICY.model_copy(update={"mode": "observe"}))

words = st.one_of(
    st.integers(0, 99999).map(lambda n: f"EMP-{n:05}"),
    st.integers(0, 99999).map(lambda n: f"EMP{n:05}"),
    st.sampled_from(["Zebrawood Ltd", "zebrawood LTD", "Quux & Söhne", "QUUX & SÖHNE", "Zorblatt"]),
)
values = st.integers(10**9, 10**10).map(lambda n: f"q{n}z")


@st.composite
def lines(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A line of text with planted words, percent-encoded in places."""
    text, planted = "", []
    for _ in range(draw(st.integers(1, 3))):
        word = draw(words)
        planted.append(word)
        written = strategies._percent(draw, word) if draw(st.integers(0, 3)) == 0 and word.isascii() else word
        text += draw(harmless).text + draw(st.sampled_from([" ", ", ", " (", "\t", ": ", " by "])) + written
        text += draw(st.sampled_from([" ", ", ", ") ", "; ", ". "])) + "and "
    if draw(st.booleans()):
        code = draw(values)
        planted.append(code)
        text += draw(st.sampled_from(["my_pin={} ", "vault.x={} ", "user_pin: {} ", "{{'a_pin': '{}'}} "])).format(code)
    return text, planted


@st.composite
def records(draw: st.DrawFn) -> tuple[bytes, list[str]]:
    text, planted = draw(lines())
    if draw(st.booleans()):
        return text.encode(), planted
    code, key = draw(values), draw(words)
    planted += [code, key]
    tree = draw(st.sampled_from([
        {"m": text, "card_pin": code, key: 1},
        {"a": [{"t": text}, key], "vault": {"x": {"y": code}}},
        {"rooms": [{"code": code, "n": 1}], "log": json.dumps({"m": text, "k": key})},
        {"vault.a.b": code, "log": json.dumps({"m": json.dumps({"t": text})}), "k": key},
    ]))  # fmt: skip
    written = json.dumps(tree, ensure_ascii=draw(st.booleans()))
    return written.encode(), planted


@thoroughly
@given(planted=records())
def test_what_was_planted_is_gone(planted: tuple[bytes, list[str]]) -> None:
    record, secrets = planted
    scrubbed = SCRUBBER.scrub(record + b"\n")
    assert not scrubbed.quarantined
    left = [view.casefold() for view in views(scrubbed.body)]
    gone = [re.compile(rf"(?<![a-z0-9]){re.escape(each.casefold())}(?![a-z0-9])") for each in secrets]
    assert [each.pattern for each in gone if any(each.search(view) for view in left)] == []
    assert SCRUBBER.scrub(scrubbed.body).body == scrubbed.body
    assert OBSERVER.scrub(record + b"\n").body == record + b"\n"


@thoroughly
@given(text=st.lists(harmless, min_size=1, max_size=4).map(lambda each: " ".join(piece.text for piece in each)))
def test_what_is_nobodys_stays(text: str) -> None:
    for record in (text, json.dumps({"m": text, "l": [text]})):
        block = record.encode() + b"\n"
        assert SCRUBBER.scrub(block).body is block


def test_the_text_before_and_behind_stays() -> None:
    piece = plain("case no. AB1234 of EMP12345")
    assert SCRUBBER.scrub(piece.text.encode() + b"\n").body == b"case no. [REDACTED:case] of [REDACTED:staff]\n"
