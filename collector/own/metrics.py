"""The metrics of this process as OTLP has them: the same table as `/metrics`, with names in OpenTelemetry's manner.

`sluicegate_export_duration_seconds` is `sluicegate.export.duration` with the unit `s`: what reads OTLP into Prometheus
makes the first of the second again.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from collector import telemetry

_UNITS = {"seconds": "s", "bytes": "By"}
_CUMULATIVE = AggregationTemporality.CUMULATIVE


class Pump:
    """Exports the metrics every `interval` seconds from a thread, and once more at `close`."""

    def __init__(
        self, exporter: MetricExporter, resource: Resource, interval: float, refresh: Callable[[], None]
    ) -> None:
        self._exporter, self._resource, self._interval, self._refresh = exporter, resource, interval, refresh
        self._start = time.time_ns()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="own-metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        self._exporter.shutdown()

    def _run(self) -> None:
        while not self._closing.wait(self._interval):
            self._export()
        self._export()

    def _export(self) -> None:
        self._refresh()
        self._exporter.export(collected(self._resource, self._start))


def collected(resource: Resource, start: int) -> MetricsData:
    """All metrics that this process has moved, since `start` (ns)."""
    now = time.time_ns()
    metrics = [_metric(metric, start, now) for metric in telemetry.METRICS if metric.moved]
    scope = ScopeMetrics(InstrumentationScope("sluicegate"), metrics, "")
    return MetricsData([ResourceMetrics(resource, [scope], resource.schema_url)])


def otel_name(name: str) -> tuple[str, str]:
    """Name and unit in OpenTelemetry's manner of a Prometheus name."""
    stem = name.removesuffix("_total")
    unit = _UNITS.get(stem.rpartition("_")[2], "")
    return (stem.rpartition("_")[0] if unit else stem).replace("_", "."), unit


def _metric(metric: telemetry.Metric, start: int, now: int) -> Metric:
    name, unit = otel_name(metric.name)
    points = list(_points(metric, start, now))
    data: Any
    match metric.kind:
        case "counter":
            data = Sum(points, _CUMULATIVE, is_monotonic=True)
        case "histogram":
            data = Histogram(list(_histograms(metric, start, now)), _CUMULATIVE)
        case _:
            data = Gauge(points)
    return Metric(name, metric.documentation, unit, data)


def _points(metric: telemetry.Metric, start: int, now: int) -> Iterator[NumberDataPoint]:
    for name, labels, value in metric.samples():
        if name == metric.name:
            yield NumberDataPoint(labels, start, now, value)


def _histograms(metric: telemetry.Metric, start: int, now: int) -> Iterator[HistogramDataPoint]:
    """Prometheus counts what is in a bucket and all below it; OTLP what is in the bucket alone."""
    found: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
    for name, labels, value in metric.samples():
        own = tuple(sorted((key, text) for key, text in labels.items() if key != "le"))
        series = found.setdefault(own, {"below": []})
        if name.endswith("_bucket"):
            series["below"].append((float(labels["le"]), int(value)))
        else:
            series[name.removeprefix(f"{metric.name}_")] = value
    for own, series in found.items():
        below = sorted(series["below"])
        counts = [count - before for (_, count), (_, before) in zip(below, [(0.0, 0), *below], strict=False)]
        bounds = [bound for bound, _ in below[:-1]]
        yield HistogramDataPoint(
            dict(own), start, now, sum(counts), series.get("sum", 0.0), counts, bounds, float("nan"), float("nan")
        )
