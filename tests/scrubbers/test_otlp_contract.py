"""The way in: what measuring and scrubbing a request promise to those who call them."""

import pytest
from engine import scrubber
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from scrubbers import Policy, Scrubber
from scrubbers.otlp import Malformed, Measure, measure


def attribute(key: str, text: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=text))


def spans(*names: str) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for at, name in enumerate(names):
        scope.spans.add(name=name, trace_id=b"0" * 16, start_time_unix_nano=100 + at, end_time_unix_nano=900)
    return request


def test_a_request_is_measured_by_its_records() -> None:
    assert measure(spans("a", "b", "c").SerializeToString(), "traces") == Measure(3, 100, 102)
    logs = ExportLogsServiceRequest()
    logs.resource_logs.add().scope_logs.add().log_records.add(observed_time_unix_nano=7)
    assert measure(logs.SerializeToString(), "logs") == Measure(1, 7, 7)
    assert measure(b"", "metrics") == Measure(0, 0, 0)


@pytest.mark.parametrize("body", [b"\x0a", b"\x0a\x05abc", b"\xff" * 12, b"\x0a\x02\x12\x05", b"\x07"])
def test_what_is_no_request_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        measure(body, "traces")


def test_a_clean_request_comes_back_as_the_same_object() -> None:
    body = spans("GET /orders", "SELECT shop").SerializeToString()
    assert scrubber().scrub_otlp(body, signal="traces").body is body


def test_an_attribute_that_is_deleted_is_gone_and_counted() -> None:
    request = spans("GET /orders")
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.attributes.extend([attribute("user.email", "bob"), attribute("order", "42-17")])
    span.dropped_attributes_count = 2
    scrubbed = scrubber().scrub_otlp(request.SerializeToString(), signal="traces")
    del span.attributes[0]
    span.dropped_attributes_count = 3
    assert scrubbed.body == request.SerializeToString()
    assert scrubbed.findings == {("key:email", "delete"): 1} or scrubbed.findings == {("key:user.email", "delete"): 1}


def test_what_cannot_be_made_clean_is_taken_out_and_named() -> None:
    encoded = "a%" + "25" * 12 + "40b.c"
    scrubbed = scrubber().scrub_otlp(spans("a", encoded, "b").SerializeToString(), signal="traces")
    assert [each.index for each in scrubbed.quarantined] == [1]
    left = ExportTraceServiceRequest.FromString(scrubbed.body)
    assert [span.name for span in left.resource_spans[0].scope_spans[0].spans] == ["a", "b"]


def test_with_a_resource_that_cannot_be_made_clean_all_its_records_go() -> None:
    request = spans("a", "b")
    request.resource_spans[0].resource.attributes.append(attribute("x", "a%" + "25" * 12 + "40b.c"))
    other = request.resource_spans.add().scope_spans.add()
    other.spans.add(name="c")
    scrubbed = scrubber().scrub_otlp(request.SerializeToString(), signal="traces")
    assert [each.index for each in scrubbed.quarantined] == [0, 1]
    left = ExportTraceServiceRequest.FromString(scrubbed.body)
    assert [span.name for span in left.resource_spans[0].scope_spans[0].spans] == ["c"]


def test_an_observing_policy_counts_and_changes_nothing() -> None:
    body = spans("mail to bob@example.com").SerializeToString()
    scrubbed = scrubber("observe").scrub_otlp(body, signal="traces")
    assert scrubbed.body is body
    assert scrubbed.findings == {("email", "observe"): 1}


def test_rules_apply_by_the_request_s_own_resources() -> None:
    policy = Policy.model_validate(
        {"patterns": [{"detector": "email", "scope": {"resource": {"k8s.namespace.name": ["shop"]}}}]}
    )
    request = spans("bob@x.io")
    request.MergeFrom(spans("bob@x.io"))
    for group, namespace in zip(request.resource_spans, ("shop", "lab"), strict=True):
        group.resource.attributes.append(attribute("k8s.namespace.name", namespace))
    scoped = Scrubber(policy)
    left = ExportTraceServiceRequest.FromString(scoped.scrub_otlp(request.SerializeToString(), signal="traces").body)
    assert [group.scope_spans[0].spans[0].name for group in left.resource_spans] == ["[REDACTED:email]", "bob@x.io"]
    known = scoped.scrub_otlp(request.SerializeToString(), signal="traces", resource=(("k8s.namespace.name", "shop"),))
    assert b"bob" not in known.body
