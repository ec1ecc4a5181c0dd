"""Every detector's own examples, through the whole engine, where text can stand."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubbers import Policy, Scrubber, load_policy
from scrubbers.detectors import DETECTORS

PLACES: dict[str, Callable[[str], bytes]] = {
    "alone": lambda value: value.encode(),
    "in a sentence": lambda value: f"before {value} after".encode(),
    "in JSON": lambda value: json.dumps({"a": 1, "note": value}, ensure_ascii=False).encode(),
    "in escaped JSON": lambda value: json.dumps({"note": f"line\n{value}"}).encode(),
    "in JSON in JSON": lambda value: json.dumps({"raw": json.dumps({"note": value})}).encode(),
}


@pytest.fixture(scope="module")
def scrubber() -> Scrubber:
    return Scrubber(load_policy())


@pytest.fixture(scope="module")
def shapes_only() -> Scrubber:
    return Scrubber(Policy.model_validate({"patterns": [{"detector": name} for name in DETECTORS]}))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", DETECTORS)
def test_what_must_be_found_is_found_everywhere(name: str, place: str, shapes_only: Scrubber) -> None:
    for example in DETECTORS[name].must:
        if "\n" in example:
            continue  # several records as plain text
        scrubbed = shapes_only.scrub(PLACES[place](example) + b"\n")
        assert (name, "replace") in scrubbed.findings, example
        assert not scrubbed.quarantined


@pytest.mark.parametrize("name", DETECTORS)
def test_what_must_not_be_found_is_not(name: str, scrubber: Scrubber) -> None:
    for example in DETECTORS[name].must_not:
        assert (name, "replace") not in scrubber.scrub(f"{example}\n".encode()).findings, example


def test_a_detector_comes_with_three_examples_of_each() -> None:
    for detector in DETECTORS.values():
        assert len(detector.must) >= 3, detector.name
        assert len(detector.must_not) >= 3, detector.name


def test_the_first_example_of_the_manual(scrubber: Scrubber) -> None:
    given_ = b'{"a":{"Email":"x@y.io"},"n":1.10,"card":4111111111111111}\n'
    assert scrubber.scrub(given_).body == b'{"a":{},"n":1.10,"card":"[REDACTED:payment_card]"}\n'


def test_a_clean_block_is_the_same_object(scrubber: Scrubber) -> None:
    body = b'{"n":1.10, "t":"2026-09-21T00:00:00.000390524Z","peer":"10.2.0.17:5432"}\nplain words\n\n'
    assert scrubber.scrub(body).body is body


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise_and_records_stay_in_number(scrubber: Scrubber, body: bytes) -> None:
    scrubbed = scrubber.scrub(body)
    assert scrubbed.body.count(b"\n") + len(scrubbed.quarantined) == body.count(b"\n") or not body.endswith(b"\n")


PIECES = st.sampled_from(
    ["bob@x.io", "4111111111111111", "536-81-7623", "81.2.69.142", "x", " ", "-", '"', ":", "=", "password=", "email: ",
     "email", "\\n", "é", "7", "{", "}", ",", "&", "+4930901820", "token"]
)  # fmt: skip


@settings(deadline=None, max_examples=400)
@given(st.lists(PIECES, max_size=12).map("".join), st.booleans())
def test_scrubbing_twice_is_scrubbing_once(scrubber: Scrubber, text: str, as_json: bool) -> None:
    record = json.dumps({"a": text, "email": text, "n": 1}) if as_json else text
    once = scrubber.scrub(record.encode() + b"\n")
    if not once.quarantined:
        assert scrubber.scrub(once.body).body == once.body
        if as_json:
            assert set(json.loads(once.body)) == {"a", "n"}
