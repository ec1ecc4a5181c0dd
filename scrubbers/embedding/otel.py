"""Wrappers around any OpenTelemetry exporter: what the exporter is given is clean.

Spans are read-only once they have ended, so a processor cannot scrub them: the exporter gets copies. What is clean is
passed on as it is.
"""

import copy
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status, TraceState

from scrubbers.embedding.values import UNSCRUBBABLE, Values
from scrubbers.engine import Scrubber

Attributes = Mapping[str, Any]


class ScrubbingSpanExporter(SpanExporter):
    """Hands spans on to `exporter` without personal data: names, attributes, events, links, status, trace state,
    resource and scope.

    Of a span that cannot be made clean the ids, times, kind and status code go on, so that the trace stays whole.
    """

    def __init__(self, exporter: SpanExporter, scrubber: Scrubber) -> None:
        self._exporter = exporter
        self._values = Values(scrubber, "traces")
        self._around = _Around(self._values)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export clean spans; SpanExportResult.FAILURE, and nothing is exported, if they cannot even be read."""
        try:
            clean = self._scrub(spans)
        except Exception:
            return SpanExportResult.FAILURE
        return self._exporter.export(clean)

    def shutdown(self) -> None:
        """Shut the wrapped exporter down."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the wrapped exporter."""
        return self._exporter.force_flush(timeout_millis)

    def _scrub(self, spans: Sequence[ReadableSpan]) -> list[ReadableSpan]:
        before = [_said(span) for span in spans]
        after = self._values.scrub_all(before)
        clean: list[ReadableSpan] = []
        for span, old, new in zip(spans, before, after, strict=True):
            resource = self._around.resource(span.resource)
            scope = self._around.scope(span.instrumentation_scope)
            if new is old and resource is span.resource and scope is span.instrumentation_scope:
                clean.append(span)
            else:
                clean.append(_copy(span, new if isinstance(new, list) else _silent(span), resource, scope))
        return clean


class ScrubbingLogRecordExporter(LogRecordExporter):
    """Hands log records on to `exporter` without personal data: body, attributes, event name, severity text, resource
    and scope; a personal exception is taken out.

    Of a record that cannot be made clean the ids, times and severity number go on.
    """

    def __init__(self, exporter: LogRecordExporter, scrubber: Scrubber) -> None:
        self._exporter = exporter
        self._values = Values(scrubber)
        self._around = _Around(self._values)

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Export clean records; LogRecordExportResult.FAILURE, and nothing is exported, if they cannot be read."""
        try:
            clean = self._scrub(batch)
        except Exception:
            return LogRecordExportResult.FAILURE
        return self._exporter.export(clean)

    def shutdown(self) -> None:
        """Shut the wrapped exporter down."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the wrapped exporter."""
        return self._exporter.force_flush(timeout_millis)

    def _scrub(self, batch: Sequence[ReadableLogRecord]) -> list[ReadableLogRecord]:
        before = [_logged(each) for each in batch]
        after = self._values.scrub_all(before)
        clean: list[ReadableLogRecord] = []
        for record, old, new in zip(batch, before, after, strict=True):
            resource = self._around.resource(record.resource)
            scope = self._around.scope(record.instrumentation_scope)
            if new is old and resource is record.resource and scope is record.instrumentation_scope:
                clean.append(record)
                continue
            inner = copy.copy(record.log_record)
            inner.body, attributes, inner.event_name, inner.severity_text, exception = (
                new if isinstance(new, list) else (UNSCRUBBABLE, None, None, None, None)
            )
            inner.attributes = _attributes(attributes, record.dropped_attributes)
            if exception is None or exception != old[4]:
                inner.exception = None
            clean.append(replace(record, log_record=inner, resource=resource, instrumentation_scope=scope))
        return clean


def _logged(record: ReadableLogRecord) -> list[Any]:
    inner = record.log_record
    exception = None if inner.exception is None else "".join(traceback.format_exception(inner.exception))
    return [inner.body, inner.attributes, inner.event_name, inner.severity_text, exception]


def _said(span: ReadableSpan) -> list[Any]:
    """All that a span says of its own, in the order in which `_copy` takes it."""
    return [
        span.name,
        span.status.description,
        span.attributes,
        [[event.name, event.attributes] for event in span.events],
        [[_items(link.context), link.attributes] for link in span.links],
        _items(span.context),
        _items(span.parent),
    ]


def _silent(span: ReadableSpan) -> list[Any]:
    """The same of a span that must not say anything."""
    return [UNSCRUBBABLE, None, {}, [], [[{}, {}] for _ in span.links], {}, {}]


def _copy(span: ReadableSpan, said: list[Any], resource: Resource, scope: InstrumentationScope | None) -> ReadableSpan:
    name, description, attributes, said_events, said_links, state, parent_state = said
    events = BoundedList.from_seq(
        None,
        [
            Event(name, _attributes(each, event.dropped_attributes), event.timestamp)
            for event, (name, each) in zip(span.events, said_events, strict=False)
        ],
    )
    events.dropped = span.dropped_events + len(span.events) - len(events)
    links = BoundedList.from_seq(
        None,
        [
            Link(_context(link.context, each), _attributes(attributes, link.dropped_attributes))
            for link, (each, attributes) in zip(span.links, said_links, strict=True)
        ],
    )
    links.dropped = span.dropped_links
    return ReadableSpan(
        name=name,
        context=span.context and _context(span.context, state),
        parent=span.parent and _context(span.parent, parent_state),
        resource=resource,
        attributes=_attributes(attributes, span.dropped_attributes),
        events=events,
        links=links,
        kind=span.kind,
        status=Status(span.status.status_code, description),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=scope,
    )


def _attributes(clean: Attributes | None, dropped: int) -> BoundedAttributes:
    attributes = BoundedAttributes(attributes=clean)
    attributes.dropped = dropped
    return attributes


def _items(context: SpanContext | None) -> dict[str, str]:
    return dict(context.trace_state) if context is not None and context.trace_state else {}


def _context(context: SpanContext, state: Mapping[str, str]) -> SpanContext:
    if _items(context) == state:
        return context
    # An entry that the standard does not allow any more is left out by TraceState itself.
    return SpanContext(
        context.trace_id, context.span_id, context.is_remote, context.trace_flags, TraceState(list(state.items()))
    )


T = TypeVar("T")


class _Around:
    """What many spans have in common, scrubbed once: resources and scopes."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._resources: _Remembered[Resource] = _Remembered(self._resource)
        self._scopes: _Remembered[InstrumentationScope] = _Remembered(self._scope)

    def resource(self, resource: Resource) -> Resource:
        return self._resources.clean(resource)

    def scope(self, scope: InstrumentationScope | None) -> InstrumentationScope | None:
        return None if scope is None else self._scopes.clean(scope)

    def _resource(self, resource: Resource) -> Resource:
        before = [resource.attributes, resource.schema_url]
        after = self._values.scrub(before)
        if after is before:
            return resource
        attributes, schema = after if isinstance(after, list) else (None, None)
        return Resource(attributes or {}, schema)

    def _scope(self, scope: InstrumentationScope) -> InstrumentationScope:
        before = [scope.name, scope.version, scope.schema_url, scope.attributes]
        after = self._values.scrub(before)
        if after is before:
            return scope
        return InstrumentationScope(*(after if isinstance(after, list) else (UNSCRUBBABLE,)))


class _Remembered(Generic[T]):
    """What the last objects became. They do not change, and are few."""

    _MOST = 64

    def __init__(self, scrub: Callable[[T], T]) -> None:
        self._scrub = scrub
        self._known: dict[int, tuple[T, T]] = {}  # by identity; the object itself is held, so that no other one has it

    def clean(self, before: T) -> T:
        known = self._known.get(id(before))
        if known is not None:
            return known[1]
        after = self._scrub(before)
        if len(self._known) >= self._MOST:
            self._known.clear()
        self._known[id(before)] = before, after
        return after
