"""Whatever a request holds and however it is written: it is scrubbed as the parsed message would be."""

import gc
import tracemalloc
from functools import cache

import pytest
from engine import scrubber, thoroughly
from hypothesis import given, settings
from hypothesis import strategies as st
from otlp_messages import REQUESTS, Odd, Parsed, canonical, requests

from scrubbers import Policy, Scrubber, load_policy
from scrubbers.otlp import Malformed, measure
from tests import strategies

_signals = pytest.mark.parametrize("signal", list(REQUESTS))
_policies = pytest.mark.parametrize("policy", ["default", "actions", "more actions", "values", "globs", "own", "keeps"])


_some = settings(thoroughly, max_examples=max(8, thoroughly.max_examples // 4))
_few = settings(thoroughly, max_examples=max(8, thoroughly.max_examples // 10))


@_signals
@_some
@given(data=st.data())
def test_what_stands_on_the_wire_is_scrubbed_as_if_it_were_parsed(signal: str, data: st.DataObject) -> None:
    _compare(signal, "default", data)


@_policies
@_few
@given(data=st.data())
def test_so_it_is_by_every_policy(policy: str, data: st.DataObject) -> None:
    _compare(data.draw(st.sampled_from(list(REQUESTS))), policy, data)


def _compare(signal: str, policy: str, data: st.DataObject) -> None:
    kind = REQUESTS[signal]
    drawn = data.draw(requests(signal))
    usual = data.draw(st.booleans())
    body = drawn.SerializeToString() if usual else Odd(data.draw).message(drawn)
    request = kind.FromString(body)
    measured = measure(body, signal)
    scrubbed = scrubber(policy).scrub_otlp(body, signal=signal)
    parsed = Parsed(scrubber(policy), signal)
    expected, out = parsed.request(request)
    left = kind.FromString(scrubbed.body)
    assert canonical(left) == canonical(expected)
    assert [each.index for each in scrubbed.quarantined] == out
    if usual and not out:
        assert scrubbed.findings == parsed.findings
    assert measure(scrubbed.body, signal).records == measured.records - len(out)
    assert scrubbed.body.count(Odd.MARK) <= body.count(Odd.MARK)
    again = scrubber(policy).scrub_otlp(scrubbed.body, signal=signal)
    assert again.body == scrubbed.body
    if canonical(expected) == canonical(request) and not out and scrubbed.body != body:
        # Then it was in what no reader sees: fields that later ones override.
        assert scrubbed.findings


@_signals
@_some
@given(data=st.data())
def test_garbage_is_malformed_and_nothing_else(signal: str, data: st.DataObject) -> None:
    whole = data.draw(requests(signal)).SerializeToString()
    body = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(body)))
        what = data.draw(st.integers(0, 3))
        if what == 0:
            body[at:at] = data.draw(st.binary(min_size=1, max_size=6))
        elif what == 1:
            del body[at : at + data.draw(st.integers(1, 6))]
        elif what == 2 and at < len(body):
            body[at] = data.draw(st.integers(0, 255))
        else:
            del body[at:]
    given_ = bytes(body)
    try:
        records = measure(given_, signal).records
    except Malformed:
        try:
            scrubber().scrub_otlp(given_, signal=signal)
        except Malformed:
            return
        return
    scrubbed = scrubber().scrub_otlp(given_, signal=signal)
    assert measure(scrubbed.body, signal).records == records - len(scrubbed.quarantined)
    assert scrubber().scrub_otlp(scrubbed.body, signal=signal).body == scrubbed.body


@settings(thoroughly)
@given(body=st.one_of(st.binary(max_size=200), strategies.garbage))
def test_bytes_that_are_no_message_at_all(body: bytes) -> None:
    for signal in REQUESTS:
        try:
            measure(body, signal)
        except Malformed:
            continue
        scrubber().scrub_otlp(body, signal=signal)


def test_memory_stays_where_it_is() -> None:
    request = REQUESTS["traces"]()
    scope = request.resource_spans.add().scope_spans.add()
    for number in range(64):
        span = scope.spans.add(name=f"mail to bob{number}@example.com")
        span.attributes.add(key="user.email").value.string_value = "bob"
    body = request.SerializeToString()
    scrub = scrubber().scrub_otlp

    def used() -> int:
        for at in range(60):
            scrub(body[: at * 7] + body[at * 7 + 3 :] if at % 2 else body, signal="traces") if at % 2 == 0 else _try(at)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    def _try(at: int) -> None:
        try:
            scrub(body[: at * 7] + body[at * 7 + 3 :], signal="traces")
        except Malformed:
            return

    tracemalloc.start()
    try:
        used()
        first = used()
        assert used() - first < 64 << 10
    finally:
        tracemalloc.stop()


@cache
def _scoped() -> Scrubber:
    """The default policy, whose rules all ask for a resource that every one of the test's has."""
    default = load_policy()
    scope = {"resource": {"service.name": ["*"]}}
    return Scrubber(
        Policy.model_validate(
            {
                "keys": [{"names": rule.names, "scope": scope} for rule in default.keys],
                "patterns": [{"detector": rule.detector, "scope": scope} for rule in default.patterns],
                "keep": [each.model_dump() for each in default.keep],
            }
        )
    )


@_few
@given(data=st.data())
def test_resource_by_resource_is_as_at_once(data: st.DataObject) -> None:
    signal = data.draw(st.sampled_from(list(REQUESTS)))
    body = b"".join(Odd(data.draw).message(data.draw(requests(signal))) for _ in range(2))
    known = (("service.name", "shop"),)
    by_resource = _scoped().scrub_otlp(body, signal=signal, resource=known)
    at_once = scrubber().scrub_otlp(body, signal=signal, resource=known)
    assert by_resource == at_once
