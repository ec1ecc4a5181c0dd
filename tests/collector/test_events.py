"""An event moves its counters every time and writes its line rarely, and never tells contents."""

import dataclasses
import inspect
import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest
from opentelemetry import trace

from collector import events, own_log, telemetry


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(own_log, "limit", own_log.RateLimit(interval=60, clock=lambda: now[0]))
    telemetry.unshare()
    return now


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, object]]]]:
    kept = (own_log.log.handlers[:], own_log.log.level, own_log.log.propagate)
    stream = io.StringIO()
    own_log.configure_logs("debug", "json", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    own_log.log.handlers[:], own_log.log.level, own_log.log.propagate = kept


Lines = Callable[[], list[dict[str, object]]]


def test_one_line_then_silence_then_a_count_of_the_silence(clock: list[float], lines: Lines) -> None:
    event = events.Dropped(reason="too_deep", source="app", signal="logs", records=2, bytes=50)
    for _ in range(100):
        event.emit()
    assert len(lines()) == 1
    clock[0] += 60
    event.emit()
    assert lines()[1]["attributes"] == {**dataclasses.asdict(event), "suppressed": 99}
    assert telemetry.total(telemetry.RECORDS_DROPPED, reason="too_deep", source="app") == 202


def test_different_events_do_not_silence_each_other(clock: list[float], lines: Lines) -> None:
    for reason in ("a", "b", "a"):
        events.Dropped(reason=reason, source="app", signal="logs", records=1, bytes=1).emit()
    events.SpoolFull(reason="a", message="").emit()
    assert [line["event"] for line in lines()] == ["Dropped", "Dropped", "SpoolFull"]


def test_the_limits_memory_is_bounded() -> None:
    limit = own_log.RateLimit(clock=lambda: 0.0)
    for key in range(3 * own_log.MOST_DISTINCT):
        limit.passes(key)
    assert len(limit._seen) == own_log.MOST_DISTINCT


def test_received_and_scrubbed_count_without_a_line(clock: list[float], lines: Lines) -> None:
    events.Received("app", "logs", records=10, bytes=4000).emit()
    events.Scrubbed("app", "logs", findings={("email", "replace"): 3}, deep=1, seconds=0.5).emit()
    assert lines() == []
    assert telemetry.total(telemetry.BYTES_RECEIVED) == 4000
    assert telemetry.total(telemetry.FINDINGS, rule="email", action="replace", source="app", signal="logs") == 3
    assert telemetry.total(telemetry.RECORDS_DEEP) == 1
    assert telemetry.total(telemetry.SCRUB_SECONDS) == 0.5


def test_a_line_carries_the_current_spans_ids(clock: list[float], lines: Lines) -> None:
    context = trace.SpanContext(trace_id=0xABC, span_id=0xDEF, is_remote=False)
    with trace.use_span(trace.NonRecordingSpan(context)):
        events.PolicyReloaded("00ff").emit()
    assert lines()[0]["trace_id"] == f"{0xABC:032x}"
    assert lines()[0]["span_id"] == f"{0xDEF:016x}"


@pytest.mark.parametrize("form", ["json", "human"])
def test_an_exceptions_text_is_not_logged(clock: list[float], form: str) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(own_log._Json() if form == "json" else own_log._Human())
    try:
        raise ValueError("anna@example.com")
    except ValueError:
        record = logging.LogRecord("sluicegate", logging.ERROR, __file__, 1, "it failed", None, None)
        record.exc_info = __import__("sys").exc_info()
        handler.emit(record)
    assert "anna" not in stream.getvalue()
    assert "ValueError at test_events.py:" in stream.getvalue()


def test_a_human_line_stays_one_line(clock: list[float], lines: Lines) -> None:
    stream = io.StringIO()
    own_log.configure_logs("info", "human", stream)
    events.SourceFailed("app", "permission", "/var/log/a\nb.log", "permission denied").emit()
    assert stream.getvalue().count("\n") == 1
    assert r"where='/var/log/a\nb.log'" in stream.getvalue()


def test_every_event_can_be_emitted(clock: list[float], lines: Lines) -> None:
    kinds = [k for _, k in inspect.getmembers(events, inspect.isclass) if issubclass(k, own_log.Event)]
    kinds.remove(own_log.Event)
    for kind in kinds:
        values = {
            "int": 1,
            "float": 1.0,
            "str": "x",
            "int | None": None,
            "Mapping[tuple[str, str], int]": {("rule", "action"): 1},
        }
        types = {f.name: f.type if isinstance(f.type, str) else _name(f.type) for f in dataclasses.fields(kind)}
        assert kind.distinct is None or set(kind.distinct) <= set(types), kind
        kind(**{name: values[annotation] for name, annotation in types.items()}).emit()
    assert {str(line["event"]) for line in lines()} == {k.__name__ for k in kinds if k.text}


def _name(annotation: object) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).removeprefix("collections.abc.")
