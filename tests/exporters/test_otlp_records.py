"""Requests taken apart: every record is in one part, once, as it was, with what it belongs to."""

import json
import math
import time
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from collector.sources.otlp.json_requests import from_json
from exporters.otlp_json import readable
from exporters.otlp_records import parse, parted, picked, record_time, records
from exporters.otlp_selecting import selected
from exporters.requests import NotOtlp, framed, requests
from tests.otlp import HOUR, NOON, REQUESTS, log_records, points, span_names, spans

SIGNALS = {"traces": spans(["a", "b", "c"]), "logs": log_records(["a", "b", "c"]), "metrics": points([1, 2, 3])}


def many(names: list[list[list[str]]]) -> bytes:
    """Spans of several resources with several scopes."""
    request: Any = REQUESTS["traces"]()
    for number, scopes in enumerate(names):
        group = request.resource_spans.add(schema_url=f"r{number}")
        group.resource.dropped_attributes_count = number
        for inner, each in enumerate(scopes):
            scope = group.scope_spans.add(schema_url=f"s{inner}")
            for name in each:
                scope.spans.add(name=name)
    return bytes(request.SerializeToString())


def test_many_parts_of_a_large_request_cost_linear_time() -> None:
    whole = log_records(["a"] * 50_000)
    started = time.process_time()
    parts = parted("logs", whole, lambda number, *_: number % 700)
    assert time.process_time() - started < 5
    assert len(parts) == 700


NAMES = st.lists(st.lists(st.lists(st.sampled_from("abcde"), max_size=4), max_size=3), max_size=3)


@given(NAMES, st.data())
def test_the_parts_hold_every_record_once_in_order_with_its_resource_and_scope(
    names: list[list[list[str]]], data: st.DataObject
) -> None:
    whole = many(names)
    flat = [(r, s, name) for r, scopes in enumerate(names) for s, each in enumerate(scopes) for name in each]
    keys = data.draw(st.lists(st.integers(0, 2), min_size=len(flat), max_size=len(flat)))
    parts = parted("traces", whole, lambda number, *_: keys[number])
    assert parts.keys() == set(keys)
    for key, part in parts.items():
        found = [
            (int(group.schema_url[1:]), int(scope.schema_url[1:]), span.name)
            for group in REQUESTS["traces"].FromString(part).resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]
        assert found == [place for place, of in zip(flat, keys, strict=True) if of == key]
        assert all(g.resource.dropped_attributes_count == int(g.schema_url[1:]) for g in _groups(part))


def _groups(request: bytes) -> Any:
    return REQUESTS["traces"].FromString(request).resource_spans


@pytest.mark.parametrize("signal", SIGNALS)
def test_all_records_of_any_signal_are_the_request_itself(signal: Any) -> None:
    assert picked(signal, SIGNALS[signal], lambda *_: True) == SIGNALS[signal]
    assert picked(signal, SIGNALS[signal], lambda *_: False) == b""
    assert [record_time(signal, record) - NOON for record, _ in records(signal, parse(signal, SIGNALS[signal]))] == (
        [0, 1_000_000, 2_000_000] if signal == "traces" else [0, 1, 2]
    )


@pytest.mark.parametrize("kind", ["gauge", "sum", "histogram", "exponential_histogram", "summary"])
def test_points_of_every_kind_of_metric_are_told_apart(kind: str) -> None:
    request: Any = REQUESTS["metrics"]()
    scope = request.resource_metrics.add().scope_metrics.add()
    scope.metrics.add(name="without data")
    metric = scope.metrics.add(name="m", unit="By")
    for at in (1, 2, 3):
        getattr(metric, kind).data_points.add(time_unix_nano=at)
    picked_one: Any = REQUESTS["metrics"].FromString(
        picked("metrics", request.SerializeToString(), lambda number, *_: number == 1)
    )
    (left,) = picked_one.resource_metrics[0].scope_metrics[0].metrics
    assert (left.name, left.unit, left.WhichOneof("data")) == ("m", "By", kind)
    assert [point.time_unix_nano for point in getattr(left, kind).data_points] == [2]


def test_unknown_fields_and_text_that_is_not_utf8_survive() -> None:
    request: Any = REQUESTS["traces"].FromString(spans(["abc", "def"]))
    raw = request.SerializeToString().replace(b"abc", b"\xff\xfe\xfd")
    of_the_future = b"\xc2\x3e\x03new"  # field 1000
    parts = parted("traces", raw, lambda number, *_: number)
    assert b"\xff\xfe\xfd" in parts[0]
    assert span_names(parts[1]) == ["def"]
    span = REQUESTS["traces"].FromString(spans(["x"])).resource_spans[0].scope_spans[0].spans[0]  # type: ignore[attr-defined]
    span.MergeFromString(of_the_future)
    request = REQUESTS["traces"]()
    request.resource_spans.add().scope_spans.add().spans.append(span)
    assert of_the_future in picked("traces", request.SerializeToString(), lambda *_: True)


@pytest.mark.parametrize("raw", [b"hello", b"\x0a\x05abc", b"\x0a\x02\x12\x01"])
def test_what_is_no_request_is_told_without_quoting_it(raw: bytes) -> None:
    with pytest.raises(NotOtlp, match=r"^not a request of traces$"):
        picked("traces", raw, lambda *_: True)


@given(st.lists(st.binary(max_size=50), max_size=5))
def test_requests_are_found_again_behind_their_lengths(bodies: list[bytes]) -> None:
    stored = b"".join(map(framed, bodies))
    assert list(requests(stored)) == bodies
    for cut in range(1, 4 + len(bodies[-1]) if bodies else 1):
        with pytest.raises(NotOtlp):
            list(requests(stored[:-cut]))


def test_they_are_selected_by_time_and_by_resource() -> None:
    stored = framed(spans(["a", "b"])) + framed(spans(["c"], start=NOON + HOUR, service="bank")) + framed(spans(["d"]))
    for since, until, resource, wanted in (
        (None, None, {}, "abcd"),
        (NOON + 1, None, {}, "bc"),
        (None, NOON + 1, {}, "ad"),
        (None, None, {"service.name": "b*"}, "c"),
        (NOON + 1, NOON + HOUR, {"service.name": "shop"}, "b"),
        (None, None, {"service.name": "shop", "other": "*"}, ""),
    ):
        assert "".join(span_names(*requests(selected("traces", stored, since, until, resource)))) == wanted


# OTLP/JSON -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", SIGNALS)
def test_json_is_read_back_as_the_same_request(signal: Any) -> None:
    line = readable(signal, SIGNALS[signal])
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert from_json(signal, line) == SIGNALS[signal]


def test_json_has_ids_as_hex_enums_as_numbers_and_long_integers_as_strings() -> None:
    (group,) = json.loads(readable("traces", spans(["a"])))["resourceSpans"]
    (span,) = group["scopeSpans"][0]["spans"]
    assert span == {
        "traceId": "000102030405060708090a0b0c0d0e0f",
        "spanId": "0000000000000000",
        "name": "a",
        "kind": 2,
        "startTimeUnixNano": str(NOON),
        "endTimeUnixNano": str(NOON + 500_000),
    }


VALUES = st.recursive(
    st.one_of(
        st.text(max_size=5).map(lambda text: {"stringValue": text}),
        st.booleans().map(lambda value: {"boolValue": value}),
        st.integers(-(2**63), 2**63 - 1).map(lambda value: {"intValue": str(value)}),
        st.floats(allow_nan=False, allow_infinity=False).map(lambda value: {"doubleValue": value}),
        st.sampled_from(["NaN", "Infinity", "-Infinity"]).map(lambda value: {"doubleValue": value}),
        st.sampled_from(["", "AA==", "/+8="]).map(lambda value: {"bytesValue": value}),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda values: {"arrayValue": {"values": values} if values else {}}),
        st.lists(inner, min_size=1, max_size=3).map(
            lambda values: {"kvlistValue": {"values": [{"key": "k", "value": value} for value in values]}}
        ),
    ),
    max_leaves=6,
)


@given(VALUES)
def test_every_value_is_as_protobufs_own_mapping_has_it(value: dict[str, Any]) -> None:
    document = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": value}]}]}]}
    request = from_json("logs", json.dumps(document).encode())
    assert json.loads(readable("logs", request)) == document
    message = REQUESTS["logs"].FromString(request)
    assert json_format.MessageToDict(message, use_integers_for_enums=True) == document


def test_numbers_that_json_cannot_hold_are_words() -> None:
    request: Any = REQUESTS["metrics"].FromString(points([1, 1, 1]))
    data = request.resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points
    for point, value in zip(data, (math.nan, math.inf, -math.inf), strict=True):
        point.as_double = value
    line = readable("metrics", request.SerializeToString())
    assert [word in line for word in (b'"NaN"', b'"Infinity"', b'"-Infinity"')] == [True] * 3


def test_text_that_is_not_utf8_is_shown_as_far_as_it_can_be() -> None:
    raw = spans(["abc"]).replace(b"abc", b"a\xffc")
    assert "a\ufffdc" in readable("traces", raw).decode()
