"""Python values by way of the engine."""

import threading
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from engine import scrubber, thoroughly
from hypothesis import given
from hypothesis import strategies as st
from planting import Value, left, values

from scrubbers.embedding import UNSCRUBBABLE, Values


@pytest.fixture(scope="module")
def scrub() -> Values:
    return Values(scrubber())


@thoroughly
@given(planted=values())
def test_what_was_planted_in_a_value_is_gone(scrub: Values, planted: Value) -> None:
    clean = scrub.scrub(planted.value)
    assert left(clean, planted.secrets) == []


@thoroughly
@given(planted=values())
def test_what_is_clean_is_the_same_object_and_scrubbing_twice_is_scrubbing_once(scrub: Values, planted: Value) -> None:
    clean = scrub.scrub(planted.value)
    assert repr(scrub.scrub(clean)) == repr(clean)
    if clean is not planted.value:
        assert planted.secrets or clean != planted.value


@thoroughly
@given(each=st.lists(values(), max_size=6))
def test_many_values_become_what_each_becomes(scrub: Values, each: list[Value]) -> None:
    one_by_one = [scrub.scrub(planted.value) for planted in each]
    assert repr(scrub.scrub_all([planted.value for planted in each])) == repr(one_by_one)


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        ("line\nbob@x.io\n", "line\n[REDACTED:email]\n"),
        (("bob@x.io", 1, None), ("[REDACTED:email]", 1, None)),
        ({"email": "x", "n": (1, 2)}, {"n": (1, 2)}),
        ({"user": {"password": "x", "id": 7}}, {"user": {"id": 7}}),
        (MappingProxyType({"email": "x", "n": 1}), {"n": 1}),
        ({"bob@x.io": (1,)}, {"[REDACTED:email]": [1]}),
        (4111111111111111, "[REDACTED:payment_card]"),
        (b"to bob@x.io", b"to [REDACTED:email]"),
        (b"\xff\x00 bob@x.io \xfe", b"\xff\x00 [REDACTED:email] \xfe"),
        ({"a": b"bob@x.io", "b": 1 << 80, 3: float("inf")}, {"a": b"[REDACTED:email]", "b": 1 << 80, 3: float("inf")}),
        ("\ud800 bob@x.io", "\\ud800 [REDACTED:email]"),
        ({"a": Decimal("1.10"), "b": "bob@x.io"}, {"a": Decimal("1.10"), "b": "[REDACTED:email]"}),
        ('{"email":"x","n":1.10}', '{"n":1.10}'),
    ],
)
def test_a_value_keeps_its_kind(scrub: Values, value: Any, clean: Any) -> None:
    assert scrub.scrub(value) == clean
    assert type(scrub.scrub(value)) is type(clean)


class Quoting:
    def __repr__(self) -> str:
        return "User(email='bob@x.io')"


class Failing:
    def __str__(self) -> str:
        raise RuntimeError("bob@x.io")


def test_an_object_is_judged_by_what_it_says(scrub: Values) -> None:
    harmless = object()
    assert scrub.scrub([harmless])[0] is harmless
    assert "bob" not in scrub.scrub([Quoting()])[0]


def _endless() -> list[Any]:
    loop: list[Any] = ["bob@x.io"]
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    "value",
    [
        Failing(),
        {"a": Failing()},
        _endless(),
        {Failing(): 1},
        "bob@x.io" * 200_000,
        '"' * 600_000,
    ],
    ids=["object", "member", "loop", "key", "long", "long when written"],
)
def test_what_cannot_be_made_clean_does_not_pass_nor_keep_others(scrub: Values, value: Any) -> None:
    assert scrub.scrub_all(["a", value, "bob@x.io"]) == ["a", UNSCRUBBABLE, "[REDACTED:email]"]


def test_threads_may_share_one(scrub: Values) -> None:
    """Without the GIL in between: large values, scanned at the same time."""
    value = ["bob@x.io and 4111111111111111 from 81.2.69.142"] * 2000
    wanted = scrub.scrub(value)
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.append(scrub.scrub(value))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wanted[0] == "[REDACTED:email] and [REDACTED:payment_card] from [REDACTED:ipv4]"
    assert results == [wanted] * 8
