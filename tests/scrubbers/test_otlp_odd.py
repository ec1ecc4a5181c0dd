"""What no library writes, and some sender will: strings that are no UTF-8, fields of a later day, values that later
ones override, groups, bottomless nesting, huge texts.
"""

import threading
import time

import pytest
from engine import scrubber
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from otlp_messages import varint

from scrubbers import Policy, Scrubber
from scrubbers.otlp import measure
from scrubbers.otlp.request import Part
from scrubbers.otlp.request import scrub as otlp_scrub
from scrubbers.outcome import Scrubbed


def field(number: int, body: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(body)) + body


def request(*spans: bytes, resource: bytes = b"", scope: bytes = b"", more: bytes = b"") -> bytes:
    inner = scope + b"".join(field(2, span) for span in spans)
    return field(1, resource + field(2, inner)) + more


def attribute(key: bytes, value: bytes) -> bytes:
    return field(9, field(1, key) + field(2, value))


def text(value: bytes) -> bytes:
    return field(1, value)


def scrub(body: bytes) -> Scrubbed:
    measure(body, "traces")
    left = scrubber().scrub_otlp(body, signal="traces")
    measure(left.body, "traces")
    assert scrubber().scrub_otlp(left.body, signal="traces").body == left.body
    return left


ODD = b"\xff\xc3(\x00\x7f"


@pytest.mark.parametrize(
    ("span", "left"),
    [
        (field(5, ODD + b" bob@x.io"), field(5, ODD + b" [REDACTED:email]")),
        (attribute(b"k" + ODD, text(b"bob@x.io " + ODD)), attribute(b"k" + ODD, text(b"[REDACTED:email] " + ODD))),
        (attribute(b"user.email", text(ODD)), varint(80) + b"\x01"),
        (
            attribute(b"a", field(6, field(1, field(1, ODD) + field(2, text(ODD + b" bob@x.io"))))),
            attribute(b"a", field(6, field(1, field(1, ODD) + field(2, text(ODD + b" [REDACTED:email]"))))),
        ),
        (attribute(b"a", field(7, ODD + b" bob@x.io")), attribute(b"a", field(7, ODD + b" [REDACTED:email]"))),
    ],
)
def test_bytes_that_are_no_text_stay_around_what_goes(span: bytes, left: bytes) -> None:
    assert scrub(request(span)).body == request(left)


LATER = field(77, b"of a later day") + varint(78 << 3) + b"\x07"


def test_unknown_fields_stay_wherever_they_stand() -> None:
    dirty = attribute(b"note", text(b"bob@x.io") + LATER) + LATER + field(11, field(2, b"bob@x.io") + LATER)
    resource = field(1, field(1, field(1, b"user.email") + field(2, text(b"bob"))) + LATER) + LATER
    body = request(dirty + field(5, b"of bob@x.io"), resource=resource, scope=LATER, more=LATER)
    left = scrub(body).body
    assert left.count(LATER) == body.count(LATER) == 7
    assert b"bob" not in left


def test_they_stay_in_a_list_of_which_a_member_goes() -> None:
    members = field(1, field(1, b"email") + field(2, text(b"bob"))) + LATER + field(1, field(1, b"n") + LATER)
    left = scrub(request(attribute(b"user", field(6, members) + LATER))).body
    assert left.count(LATER) == 3
    span = ExportTraceServiceRequest.FromString(left).resource_spans[0].scope_spans[0].spans[0]
    assert span.attributes[0].value.kvlist_value.values[0].key == "n"
    assert len(span.attributes[0].value.kvlist_value.values) == 1


@pytest.mark.parametrize(
    "at", ["request", "resource", "scope", "span", "event", "attribute", "value", "list", "member", "group of fields"]
)
def test_an_unknown_field_with_something_personal_in_it_goes(at: str) -> None:
    personal = field(77, b"\x12\x09bob@x.io\x22")
    put = {at: personal}
    member = field(1, field(1, b"k") + put.get("member", b""))
    value = text(b"v") if at != "list" and at != "member" else field(6, member + put.get("list", b""))
    span = field(9, field(1, b"a") + field(2, value + put.get("value", b"")) + put.get("attribute", b""))
    span += field(11, field(2, b"e") + put.get("event", b"")) + put.get("span", b"")
    if at == "group of fields":
        span += field(80, personal)
    resource = field(1, put.get("resource", b""))
    body = request(span, resource=resource, scope=field(1, put.get("scope", b"")), more=put.get("request", b""))
    left = scrub(body)
    assert b"bob" not in left.body
    assert left.findings == {("email", "replace"): 1}
    assert measure(left.body, "traces").records == 1


@pytest.mark.parametrize(
    "hidden",
    [
        attribute(b"a", text(b"bob@x.io") + text(b"v")),
        attribute(b"a", field(5, field(1, text(b"bob@x.io"))) + text(b"v")),
        attribute(b"a", field(6, field(1, field(1, b"bob@x.io"))) + field(3, b"")[:0] + b"\x18\x07"),
        field(9, field(1, b"bob@x.io") + field(1, b"a") + field(2, text(b"v"))),
        field(9, field(2, text(b"bob@x.io")) + field(1, b"a") + field(2, text(b"v"))),
        field(5, b"bob@x.io") + field(5, b"name"),
    ],
)
def test_what_a_later_field_overrides_is_gone_too(hidden: bytes) -> None:
    left = scrub(request(hidden)).body
    assert b"bob" not in left
    shown = [
        ExportTraceServiceRequest.FromString(each).resource_spans[0].scope_spans[0].spans[0]
        for each in (request(hidden), left)
    ]
    assert shown[0] == shown[1]


def test_the_last_of_several_names_counts() -> None:
    left = scrub(request(field(9, field(1, b"n") + field(2, text(b"bob")) + field(1, b"user.email")))).body
    assert b"bob" not in left
    body = request(field(9, field(1, b"user.email") + field(2, text(b"bob")) + field(1, b"n")))
    assert scrub(body).body == body


def test_a_resource_in_two_parts_counts_what_both_lose() -> None:
    personal = field(1, field(1, b"email") + field(2, text(b"bob")))
    left = scrub(request(b"", resource=field(1, personal) + field(1, personal + b"\x10\x05"))).body
    assert ExportTraceServiceRequest.FromString(left).resource_spans[0].resource.dropped_attributes_count == 7


def test_groups_are_passed_over() -> None:
    group = b"\x9b\x06" + field(1, b"x") + b"\x08\x01\x11" + b"8" * 8 + b"\x1d" + b"4" * 4 + b"\x9c\x06"
    left = scrub(request(group + field(5, b"bob@x.io") + group)).body
    assert left == request(group + field(5, b"[REDACTED:email]") + group)


@pytest.mark.parametrize("personal", [b"bob@x.io", b"call 4111 1111 1111 1111 now"])
def test_a_group_in_which_something_personal_is_seen_goes_as_a_whole(personal: bytes) -> None:
    clean = b"\x9b\x06" + field(1, b"x") + b"\x9c\x06"
    group = clean + b"\x9b\x06\x08\x01\x0b" + field(1, personal) + b"\x0c\x9c\x06" + clean
    left = clean + clean
    assert scrub(request(field(5, b"n") + group)).body == request(field(5, b"n") + left)
    assert scrub(request(field(5, b"n"), scope=group)).body == request(field(5, b"n"), scope=left)
    assert scrub(request(field(5, b"n"), more=group)).body == request(field(5, b"n"), more=left)
    assert scrub(request(field(15, group + field(2, b"ok")))).body == request(field(15, left + field(2, b"ok")))
    for value in (text(b"ok"), field(5, field(1, text(b"ok"))), b"\x18\x05"):
        dirty = attribute(b"a", value + group) + field(9, group + field(1, b"b") + field(2, value))
        assert scrub(request(dirty)).body == request(attribute(b"a", value) + attribute(b"b", value))


def test_a_record_that_is_broken_within_is_set_aside() -> None:
    broken = field(9, field(1, b"email") + b"\x12\x7f")
    left = scrub(request(field(5, b"bob@x.io"), broken, field(5, b"c")))
    assert [(each.index, each.reason) for each in left.quarantined] == [(1, "malformed")]
    assert left.body == request(field(5, b"[REDACTED:email]"), field(5, b"c"))


@pytest.mark.parametrize("depth", [10, 63, 200, 3000])
def test_nesting_without_end_is_set_aside(depth: int) -> None:
    value = text(b"bob@x.io")
    for _ in range(depth):
        value = field(5, field(1, value))
    left = scrub(request(field(5, b"a"), attribute(b"a", value)))
    assert b"bob" not in left.body
    assert [each.index for each in left.quarantined] == ([1] if depth > 64 else [])


def test_a_huge_text_is_set_aside() -> None:
    left = scrub(request(field(5, b"bob@x.io " + b"x " * (1 << 20)), field(5, b"bob@x.io")))
    assert [(each.index, each.reason) for each in left.quarantined] == [(0, "too large")]
    assert left.body == request(field(5, b"[REDACTED:email]"))


@pytest.mark.parametrize(
    "body",
    [
        request(*[field(5, b"a%" + b"25" * 12 + b"40b.c")] * 3000),  # all set aside
        request(attribute(b"a", field(6, b"".join(
            field(1, field(1, b"k%d bob%d@x.io" % (at, at))) for at in range(2000)
        ) + field(1, field(1, b"email"))))),  # names that change, one of which goes
        request(*[attribute(b"email", text(b"b"))] * 3000, scope=field(1, field(1, b"bob@x.io")) * 3000),
        request(field(9, field(1, b"email") * 9000 + field(2, text(b"b")) * 9000)),
        request(field(5, b"b"), resource=field(1, attribute(b"a", b""))) * 60_000 + request(field(5, b"bob@x.io")),
    ],
)  # fmt: skip
def test_time_is_linear(body: bytes) -> None:
    started = time.process_time()
    scrub(body)
    assert time.process_time() - started < 20


def test_threads_share_a_scrubber() -> None:
    body = request(*[field(5, b"mail to bob%d@example.com" % at) for at in range(300)])
    expected = scrubber().scrub_otlp(body, signal="traces").body
    fresh = Scrubber(Policy.model_validate({"patterns": [{"detector": "email"}]}))
    found: list[bytes] = []

    def work() -> None:
        found.extend(fresh.scrub_otlp(body, signal="traces").body for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == [expected] * 80


def test_rules_for_one_signal_do_not_touch_another() -> None:
    policy = Policy.model_validate({"keys": [{"names": ["order"], "scope": {"signals": ["traces"]}}]})
    spans, logs = ExportTraceServiceRequest(), ExportLogsServiceRequest()
    given = KeyValue(key="order", value=AnyValue(int_value=7))
    spans.resource_spans.add().scope_spans.add().spans.append(Span(attributes=[given]))
    logs.resource_logs.add().scope_logs.add().log_records.add(attributes=[given])
    scoped = Scrubber(policy)
    assert b"order" not in scoped.scrub_otlp(spans.SerializeToString(), signal="traces").body
    body = logs.SerializeToString()
    assert scoped.scrub_otlp(body, signal="logs").body is body


@pytest.mark.parametrize(("action", "left"), [("replace", "[REDACTED:pin]"), ("mask", "**17"), ("hash", "[HMAC:pin/")])
def test_other_actions_leave_a_string(action: str, left: str) -> None:
    policy = Policy.model_validate(
        {"keys": [{"names": ["pin"], "action": action, "keep_last": 2}], "hash": {"key": "0123456789abcdef"}}
    )
    spans = ExportTraceServiceRequest()
    span = spans.resource_spans.add().scope_spans.add().spans.add()
    span.attributes.add(key="pin").value.int_value = 9917
    span.attributes.add(key="pin").value.string_value = "9917"
    scrubbed = Scrubber(policy).scrub_otlp(spans.SerializeToString(), signal="traces").body
    span = ExportTraceServiceRequest.FromString(scrubbed).resource_spans[0].scope_spans[0].spans[0]
    assert [each.value.string_value.startswith(left) for each in span.attributes] == [True, True]
    assert span.dropped_attributes_count == 0


@pytest.mark.parametrize("answer", [b"", b"a", b"a\nb\nc", b"\n\n\n"])
def test_lines_that_are_not_those_that_were_given_do_not_pass(answer: bytes) -> None:
    body = request(field(5, b"bob@x.io"), field(5, b"ann@x.io"))
    parts = [Part(len(body), range(len(body)), lambda _: Scrubbed(answer, {}))]
    left = otlp_scrub(body, "traces", parts)
    assert [each.reason for each in left.quarantined] == ["internal error"] * 2
    assert b"@x.io" not in left.body
