"""The wrappers around exporters, behind the real OpenTelemetry SDK."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from engine import EXAMPLES, scrubber, thoroughly
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import (
    InMemoryLogRecordExporter,
    LogRecordExporter,
    LogRecordExportResult,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)
from planting import Value, left, mappings, texts, values

from scrubbers import Policy, Scrubber
from scrubbers.embedding import UNSCRUBBABLE
from scrubbers.embedding.otel import ScrubbingLogRecordExporter, ScrubbingSpanExporter
from tests import strategies

attributes = mappings()
trace_states = (
    strategies.emails()
    .map(lambda piece: Value({"vendor": piece.text}, piece.secrets))
    .filter(lambda value: value.value["vendor"].isascii())
)


def context(state: Mapping[str, str] | None = None) -> SpanContext:
    return SpanContext(
        7, 9, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState(list((state or {}).items()))
    )


def traced(inner: SpanExporter, **options: Any) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False, **options)
    provider.add_span_processor(SimpleSpanProcessor(ScrubbingSpanExporter(inner, scrubber())))
    return provider


def logged(inner: LogRecordExporter, **options: Any) -> LoggerProvider:
    provider = LoggerProvider(shutdown_on_exit=False, **options)
    provider.add_log_record_processor(SimpleLogRecordProcessor(ScrubbingLogRecordExporter(inner, scrubber())))
    return provider


@settings(thoroughly, max_examples=EXAMPLES or 30)  # large examples
@given(
    name=texts, own=attributes, event=st.tuples(texts, attributes), link=attributes, status=texts, resource=attributes,
    scope=attributes, state=trace_states, raised=st.none() | texts,
)  # fmt: skip
def test_what_was_planted_anywhere_in_a_span_is_gone(
    name: Value, own: Value, event: tuple[Value, Value], link: Value, status: Value, resource: Value, scope: Value,
    state: Value, raised: Value | None,
) -> None:  # fmt: skip
    inner = InMemorySpanExporter()
    tracer = traced(inner, resource=Resource(resource.value)).get_tracer("shop", attributes=scope.value)
    parent = set_span_in_context(NonRecordingSpan(context(state.value)))
    span = tracer.start_span(
        name.value, parent, attributes=own.value, links=[Link(context(state.value), link.value), Link(context())]
    )
    span.add_event(event[0].value, event[1].value)
    if raised is not None:
        span.record_exception(ValueError(raised.value))
    span.set_status(Status(StatusCode.ERROR, status.value))
    span.end()
    planted = [name, own, *event, link, status, resource, scope, state, *([raised] if raised else [])]
    [seen] = inner.get_finished_spans()
    secrets = [secret for each in planted for secret in each.secrets]
    assert left(seen, secrets) == []
    assert len(seen.events) == 1 + (raised is not None)
    assert [each.context.span_id for each in seen.links] == [9, 9]


@settings(thoroughly, max_examples=EXAMPLES or 30)  # large examples
@given(body=values(), own=attributes, resource=attributes, scope=attributes, event=texts, raised=st.none() | texts)
def test_what_was_planted_anywhere_in_a_log_record_is_gone(
    body: Value, own: Value, resource: Value, scope: Value, event: Value, raised: Value | None
) -> None:
    inner = InMemoryLogRecordExporter()
    logger = logged(inner, resource=Resource(resource.value)).get_logger("shop", attributes=scope.value)
    exception = None if raised is None else ValueError(raised.value)
    logger.emit(
        LogRecord(
            timestamp=1,
            severity_text="INFO",
            severity_number=SeverityNumber.INFO,
            body=body.value,
            attributes=own.value,
            event_name=event.value,
            exception=exception,
        )
    )
    [seen] = inner.get_finished_logs()
    planted = [body, own, resource, scope, event, *([raised] if raised else [])]
    secrets = [secret for each in planted for secret in each.secrets]
    assert left(seen, secrets) == []
    assert (seen.log_record.timestamp, seen.log_record.severity_number) == (1, SeverityNumber.INFO)


class Kept(SpanExporter):
    """Keeps the very objects that it is given."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.calls: list[str] = []

    def export(self, spans: Any) -> SpanExportResult:
        self.spans += spans
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.calls.append("shutdown")

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        self.calls.append(f"flush {timeout_millis}")
        return False


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def exporter(kept: Kept) -> ScrubbingSpanExporter:
    return ScrubbingSpanExporter(kept, scrubber())


@pytest.fixture
def ended(kept: Kept) -> Iterator[Any]:
    """Makes a span as the SDK hands it to exporters."""
    provider = TracerProvider(shutdown_on_exit=False, resource=Resource({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(kept))

    def make(name: str = "GET /", **options: Any) -> ReadableSpan:
        provider.get_tracer("shop", "1.2").start_span(name, **options).end()
        return kept.spans.pop()

    return make  # type: ignore[return-value]


def test_a_clean_span_is_passed_on_as_it_is(exporter: ScrubbingSpanExporter, kept: Kept, ended: Any) -> None:
    spans = [ended(attributes={"http.route": "/v1", "n": 1, "l": ("a", "b")}), ended()]
    assert exporter.export(spans) is SpanExportResult.SUCCESS
    assert [kept.spans[0] is spans[0], kept.spans[1] is spans[1]] == [True, True]


def test_a_copy_has_all_else_that_the_span_had(exporter: ScrubbingSpanExporter, kept: Kept) -> None:
    limits = SpanLimits(max_attributes=2, max_events=1, max_links=1, max_event_attributes=1, max_link_attributes=1)
    provider = TracerProvider(
        shutdown_on_exit=False, span_limits=limits, resource=Resource({"service.name": "shop"}, "https://s/1")
    )
    provider.add_span_processor(SimpleSpanProcessor(kept))
    links = [Link(context({"v": "1"}), {"a": 1, "b": 2}), Link(context({"v": "1"}), {"a": 1, "b": 2})]
    span = provider.get_tracer("shop", "1.2", "https://s/2").start_span(
        "to bob@x.io", attributes={"a": 1, "b": (1, 2), "c": "81.2.69.142"}, links=links
    )
    span.add_event("one")
    span.add_event("two", {"a": 1, "b": 2.5}, 77)
    span.end()
    before = kept.spans.pop()
    exporter.export([before])
    after = kept.spans.pop()
    assert (after.name, dict(after.attributes or {})) == ("to [REDACTED:email]", {"b": (1, 2), "c": "[REDACTED:ipv4]"})
    for name in ("context", "parent", "kind", "start_time", "end_time", "resource", "instrumentation_scope",
                 "dropped_attributes", "dropped_events", "dropped_links"):  # fmt: skip
        assert getattr(after, name) == getattr(before, name), name
    assert (after.dropped_attributes, after.dropped_events, after.dropped_links) == (1, 1, 1)
    [event], [link] = after.events, after.links
    assert (event.name, event.timestamp, event.dropped_attributes, event.attributes) == ("two", 77, 1, {"b": 2.5})
    assert (link.context, link.dropped_attributes, link.attributes) == (context({"v": "1"}), 1, {"b": 2})
    assert link.context.trace_state == TraceState([("v", "1")])
    assert after.status.status_code is before.status.status_code


def test_a_span_that_cannot_be_scrubbed_keeps_the_trace_whole(
    exporter: ScrubbingSpanExporter, kept: Kept, ended: Any
) -> None:
    links = [Link(context({"v": "bob@x.io"}), {"a": "bob@x.io"})]
    before = ended("bob@x.io", attributes={"a": "bob@x.io" * 200_000}, links=links)
    exporter.export([ended(), before])
    after = kept.spans[1]
    assert kept.spans[0].name == "GET /"
    assert (after.name, dict(after.attributes or {}), len(after.events)) == (UNSCRUBBABLE, {}, 0)
    assert (after.context, after.start_time, after.end_time) == (before.context, before.start_time, before.end_time)
    assert after.links[0].context.span_id == 9
    assert left(after, ["bob"]) == []


def test_a_resource_is_scrubbed_once_for_all_its_spans(exporter: ScrubbingSpanExporter, kept: Kept) -> None:
    provider = TracerProvider(shutdown_on_exit=False, resource=Resource({"owner": "bob@x.io", "service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    for _ in range(3):
        provider.get_tracer("shop").start_span("x").end()
    assert [dict(each.resource.attributes) for each in kept.spans] == [
        {"owner": "[REDACTED:email]", "service.name": "shop"}
    ] * 3
    assert len({id(each.resource) for each in kept.spans}) == 1


def test_what_cannot_be_read_is_not_exported(exporter: ScrubbingSpanExporter, kept: Kept) -> None:
    broken: Any = [object()]
    assert exporter.export(broken) is SpanExportResult.FAILURE
    assert kept.spans == []


def test_the_rest_is_the_wrapped_exporters(exporter: ScrubbingSpanExporter, kept: Kept) -> None:
    assert exporter.force_flush(5) is False
    exporter.shutdown()
    assert kept.calls == ["flush 5", "shutdown"]


def test_behind_a_batch_processor(kept: Kept) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(ScrubbingSpanExporter(kept, scrubber())))
    for number in range(300):
        provider.get_tracer("shop").start_span(f"{number} bob@x.io" if number % 7 == 0 else f"{number}").end()
    provider.shutdown()
    names = {each.name for each in kept.spans}
    assert names == {f"{n} [REDACTED:email]" if n % 7 == 0 else f"{n}" for n in range(300)}


class Refusing(LogRecordExporter):
    def __init__(self) -> None:
        self.batches: list[Any] = []

    def export(self, batch: Any) -> LogRecordExportResult:
        self.batches.append(batch)
        return LogRecordExportResult.FAILURE

    def shutdown(self) -> None:
        self.batches.append("shutdown")

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return timeout_millis < 0


def test_log_records_clean_dirty_and_impossible() -> None:
    inner = Refusing()
    exporter = ScrubbingLogRecordExporter(inner, scrubber())
    resource = Resource({"service.name": "shop"})
    clean, dirty, large = (
        ReadableLogRecord(LogRecord(timestamp=1, body=body, attributes={"n": 1}), resource)
        for body in ("x", {"email": "bob", "to": ["bob@x.io"]}, "bob@x.io" * 200_000)
    )
    assert exporter.export([clean, dirty, large]) is LogRecordExportResult.FAILURE
    assert inner.batches[0][0] is clean
    assert inner.batches[0][1].log_record.body == {"to": ["[REDACTED:email]"]}
    assert dirty.log_record.body == {"email": "bob", "to": ["bob@x.io"]}
    assert inner.batches[0][2].log_record.body == UNSCRUBBABLE
    assert (inner.batches[0][2].log_record.timestamp, inner.batches[0][2].resource) == (1, resource)
    broken: Any = [object()]
    assert exporter.export(broken) is LogRecordExportResult.FAILURE
    assert exporter.force_flush() is False
    exporter.shutdown()
    assert inner.batches[1:] == ["shutdown"]


def test_rules_apply_to_the_signals_that_they_ask_for(kept: Kept, ended: Any) -> None:
    rule = {"names": ["order"], "scope": {"signals": ["traces"]}}
    scoped = Scrubber(Policy.model_validate({"keys": [rule]}))
    ScrubbingSpanExporter(kept, scoped).export([ended(attributes={"order": "42-17"})])
    inner = InMemoryLogRecordExporter()
    record = ReadableLogRecord(LogRecord(body={"order": "42-17"}), Resource({}))
    ScrubbingLogRecordExporter(inner, scoped).export([record])
    assert dict(kept.spans[0].attributes or {}) == {}
    assert inner.get_finished_logs()[0] is record
