"""Stored JSON lines become log records that say the same."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from exporters.otlp.lines import log_requests

NOON = 1_795_521_600_000_000_000  # 2026-11-24T12:00:00Z


def converted(*lines: bytes, limit: int = 1 << 20) -> list[ExportLogsServiceRequest]:
    stored = b"".join(line + b"\n" for line in lines)
    return [ExportLogsServiceRequest.FromString(request) for request in log_requests(stored, limit)]


def only(*lines: bytes) -> LogRecord:
    (request,) = converted(*lines)
    (resource,) = request.resource_logs
    (scope,) = resource.scope_logs
    (record,) = scope.log_records
    return record


def plain(value: AnyValue) -> Any:
    """What a value says."""
    match value.WhichOneof("value"):
        case None:
            return None
        case "kvlist_value":
            return {item.key: plain(item.value) for item in value.kvlist_value.values}
        case "array_value":
            return [plain(item) for item in value.array_value.values]
        case name:
            return getattr(value, name)


def line(body: bytes, head: bytes = b'{"time":"2026-11-24T12:00:00.123456789Z"') -> bytes:
    return head + b',"resource":{},"body":' + body + b"}"


def test_a_line_with_all_that_a_source_knows() -> None:
    (request,) = converted(
        b'{"time":"2026-11-24T12:00:00.123456789Z","stream":"stderr","partial":true,"severity":"WARN",'
        b'"resource":{"source":"app","k8s.pod.name":"web-1"},"body":{"msg":"hi","n":[1,2.5,null,{"x":true}],"empty":{}}}'
    )
    (resource,) = request.resource_logs
    assert {a.key: plain(a.value) for a in resource.resource.attributes} == {"source": "app", "k8s.pod.name": "web-1"}
    (record,) = resource.scope_logs[0].log_records
    assert record.time_unix_nano == record.observed_time_unix_nano == NOON + 123_456_789
    assert (record.severity_text, record.severity_number) == ("WARN", 13)
    assert {a.key: plain(a.value) for a in record.attributes} == {"log.iostream": "stderr", "log.partial": True}
    assert plain(record.body) == {"msg": "hi", "n": [1, 2.5, None, {"x": True}], "empty": {}}
    assert record.body.WhichOneof("value") == "kvlist_value"


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b'"text"', "text"),
        (b"17", 17),
        (b"-0.5", -0.5),
        (b"true", True),
        (b"null", None),
        (b"9223372036854775807", (1 << 63) - 1),
        (b"9223372036854775808", "9223372036854775808"),
        (b"[]", []),
        (b"1e999", "1e999"),
    ],
)
def test_bodies(body: bytes, wanted: object) -> None:
    value = only(line(body)).body
    assert plain(value) == wanted
    assert type(plain(value)) is type(wanted)


def test_text_that_is_not_utf_8_is_bytes() -> None:
    record = only(b'{"time":"2026-11-24T12:00:00Z","resource":{},"body_base64":"//4="}')
    assert record.body.bytes_value == b"\xff\xfe"
    assert record.time_unix_nano == NOON


def test_deep_nesting_is_sent_as_text_that_receivers_take() -> None:
    deep = b'{"a":' * 200 + b'"x"' + b"}" * 200
    stored = line(deep) + b"\n"
    (request,) = log_requests(stored, 1 << 20)
    value = plain(ExportLogsServiceRequest.FromString(request).resource_logs[0].scope_logs[0].log_records[0].body)
    for _ in range(24):
        value = value["a"]
    assert orjson.loads(value)["a"]
    for _ in range(200 - 24):
        value = orjson.loads(value) if isinstance(value, str) else value
        value = value["a"]
    assert value == "x"


def test_neighbours_of_one_resource_share_it_and_order_is_kept() -> None:
    lines = [
        b'{"time":"","resource":{"pod":"%s"},"body":%d}' % (pod, n) for n, pod in enumerate([b"a", b"a", b"b", b"a"])
    ]
    (request,) = converted(*lines)
    assert [
        [plain(record.body) for record in resource.scope_logs[0].log_records] for resource in request.resource_logs
    ] == [[0, 1], [2], [3]]


@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=30),
    st.integers(1, 1500),
)
def test_requests_have_about_the_size_asked_for(sizes: list[int], limit: int) -> None:
    lines = [line(b'"%s"' % (b"x" * size)) for size in sizes]
    requests = converted(*lines, limit=limit)
    bodies = [
        len(plain(record.body))
        for request in requests
        for resource in request.resource_logs
        for record in resource.scope_logs[0].log_records
    ]
    assert bodies == sizes
    for request in requests:
        count = sum(len(resource.scope_logs[0].log_records) for resource in request.resource_logs)
        assert count == 1 or request.ByteSize() <= limit + 64


texts = st.text(st.characters(exclude_categories=["Cs"]))
integers, floats = st.integers(-(1 << 63), (1 << 63) - 1), st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | integers | floats | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_any_body_arrives_as_it_is(value: Any) -> None:
    assert plain(only(line(orjson.dumps(value))).body) == value
