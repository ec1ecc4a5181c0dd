"""A request cut into several holds the same records, in the same order, with the same resources and scopes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from exporters.otlp.cutting import Malformed, cut


@st.composite
def requests(draw: st.DrawFn) -> ExportTraceServiceRequest:
    number = 0
    request = ExportTraceServiceRequest()
    for _ in range(draw(st.integers(0, 4))):
        resource = ResourceSpans(schema_url=draw(st.sampled_from(["", "https://schema/1"])))
        resource.resource.attributes.add(key="r").value.int_value = draw(st.integers(0, 9))
        for _ in range(draw(st.integers(0, 4))):
            scope = ScopeSpans(schema_url=draw(st.sampled_from(["", "https://schema/2"])))
            scope.scope.name = draw(st.sampled_from(["", "a", "b" * 40]))
            for _ in range(draw(st.integers(0, 6))):
                scope.spans.append(Span(name=str(number) + "x" * draw(st.sampled_from([0, 0, 10, 300]))))
                number += 1
            resource.scope_spans.append(scope)
        request.resource_spans.append(resource)
    return request


def spans(request: ExportTraceServiceRequest) -> list[tuple[Any, ...]]:
    return [
        (resource.resource.SerializeToString(), resource.schema_url, scope.scope.name, scope.schema_url, span.name)
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


@given(requests(), st.integers(1, 2000))
def test_nothing_is_lost_moved_or_changed(request: ExportTraceServiceRequest, limit: int) -> None:
    parts = [ExportTraceServiceRequest.FromString(part) for part in cut(request.SerializeToString(), limit)]
    assert [span for part in parts for span in spans(part)] == spans(request)
    for part in parts:
        assert part.ByteSize() <= limit or len(spans(part)) <= 1


@given(requests())
def test_what_fits_is_the_same_bytes(request: ExportTraceServiceRequest) -> None:
    data = request.SerializeToString()
    assert list(cut(data, len(data))) == [data]


@given(st.binary(max_size=200), st.integers(1, 50))
def test_garbage_is_malformed_or_stays_whole(data: bytes, limit: int) -> None:
    try:
        parts = list(cut(data, limit))
    except Malformed:
        return
    assert sum(map(len, parts)) >= len(data)


def test_the_reason_says_nothing_of_the_content() -> None:
    with pytest.raises(Malformed, match=r"^a field is cut off$"):
        list(cut(b"\x0a\x7fsecret", 1))
