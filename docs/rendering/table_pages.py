"""Pages that are one table of the code: metrics, events, detectors."""

import inspect
import logging
from dataclasses import fields

from collector import events, own_log, telemetry
from docs.rendering.markdown import code, page, sentence, table
from scrubbers import load_policy
from scrubbers.detectors import DETECTORS
from scrubbers.detectors.detector import Detector


def metrics() -> str:
    rows = [
        (code(metric.name), metric.kind, ", ".join(map(code, metric.labels)), metric.documentation)
        for metric in telemetry.METRICS
    ]
    buckets = ", ".join(f"{seconds:g}" for seconds in telemetry.SECONDS)
    return page(
        "Metrics",
        "Served at `/metrics` of the address in `telemetry.listen`, in Prometheus' text format, summed over the gate's "
        "processes. No label holds anything taken from a record.",
        table(("name", "kind", "labels", "what it says"), rows),
        f"Buckets of histograms, in seconds: {buckets}.",
    )


def events_page() -> str:
    rows = []
    for event in told_events():
        names = ", ".join(code(field.name) for field in fields(event) if event.text)  # type: ignore[arg-type]
        level = logging.getLevelName(event.level).lower() if event.text else "counted only"
        rows.append((code(event.__name__), level, event.text, names, sentence(inspect.getdoc(event) or "")))
    return page(
        "Events",
        "What the gate writes to stderr about itself; `event` in a JSON line is the name here, and `attributes` holds "
        f"the fields. What may come often is written at its first occurrence and then once in {own_log.INTERVAL:g} "
        "seconds at most, with `suppressed`: how many were left out. No event holds anything of a record.",
        table(("event", "level", "message", "fields", "what happened"), rows),
    )


def told_events() -> list[type[own_log.Event]]:
    """The events of the gate, in the order of their module."""
    return [
        event
        for event in vars(events).values()
        if isinstance(event, type) and issubclass(event, own_log.Event) and event is not own_log.Event
    ]


def detectors() -> str:
    on = {rule.called: rule.action for rule in load_policy().patterns}
    parts = [_detector(detector, on.get(detector.name)) for detector in DETECTORS.values()]
    return page(
        "Detectors",
        "What a policy's `patterns` may name. Each is tried on its examples in plain text, JSON, escaped JSON and JSON "
        "inside a JSON string.",
        *parts,
    )


def _detector(detector: Detector, action: str | None) -> str:
    default = f"In the default policy: {code(action)}." if action else "Not in the default policy."
    lines = [f"## {code(detector.name)}", f"{detector.about} {default}"]
    for what, examples in (("Finds", detector.must), ("Leaves alone", detector.must_not)):
        lines.append(f"{what}:\n\n" + "\n".join(f"- {code(example)}" for example in examples))
    return "\n\n".join(lines)
