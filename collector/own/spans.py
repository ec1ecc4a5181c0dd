"""Spans of the gate's own work. They hold counts, names and reasons, as events do, and no text of an exception."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode

_tracer = trace.get_tracer("sluicegate")  # of whichever provider is set later: without one a span costs microseconds


@contextmanager
def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    after: Sequence[SpanContext] = (),
    **attributes: str | int | float,
) -> Iterator[Span]:
    """Tell of what is done within; `after`: the spans of what led to it. Attributes get the prefix `sluicegate.`."""
    with _tracer.start_as_current_span(
        name,
        kind=kind,
        links=[Link(context) for context in after if context.trace_flags.sampled],
        attributes={f"sluicegate.{key}": value for key, value in attributes.items()},
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except Exception as error:
            current.set_attribute("error.type", type(error).__qualname__)
            current.set_status(Status(StatusCode.ERROR))
            raise
