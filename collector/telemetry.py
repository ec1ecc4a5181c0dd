"""The gate's measurements of itself: one table of metrics, kept by every process and served as their sum.

Each process writes its values into memory-mapped files of one private directory (prometheus-client's multiprocess
mode), so that counts survive the process that made them; the supervisor adds the files up when it is asked.
The table below is all there is: the reference page is generated from it.
"""

import json
import os
import shutil
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import prometheus_client as prometheus
from prometheus_client import multiprocess, values
from prometheus_client.exposition import CONTENT_TYPE_LATEST

Kind: TypeAlias = type[prometheus.Counter] | type[prometheus.Gauge] | type[prometheus.Histogram]
_Bound = TypeVar("_Bound", prometheus.Counter, prometheus.Gauge, prometheus.Histogram)

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)

FILE_BYTES = 256 << 10  # per process and kind of metric: some two thousand series; beyond that they grow


class Metric:
    """A row of the table: what is measured, under which name, split by which labels."""

    kind = "untyped"
    moved = False  # by this process
    _bound: Any

    def __init__(self, name: str, documentation: str, *labels: str) -> None:
        self.name, self.documentation, self.labels = name, documentation, labels
        METRICS.append(self)
        self.bind(_registry)

    def bind(self, registry: prometheus.CollectorRegistry) -> None:
        raise NotImplementedError

    def samples(self) -> Iterator[tuple[str, dict[str, str], float]]:
        """What this process alone has measured: sample name, labels, value."""
        for family in self._bound.collect():
            for sample in family.samples:
                yield sample.name, sample.labels, sample.value


class Counter(Metric):
    """Grows only; summed over the processes, dead ones included."""

    kind = "counter"

    def bind(self, registry: prometheus.CollectorRegistry) -> None:
        self._bound = prometheus.Counter(self.name, self.documentation, self.labels, registry=registry)

    def add(self, amount: float = 1, **labels: str) -> None:
        self.moved = True
        _child(self._bound, labels).inc(amount)


class Gauge(Metric):
    """A level, as its process last set it; a level that several processes hold is summed over the living ones."""

    kind = "gauge"

    def bind(self, registry: prometheus.CollectorRegistry) -> None:
        self._bound = prometheus.Gauge(
            self.name, self.documentation, self.labels, registry=registry, multiprocess_mode="livesum"
        )

    def set(self, value: float, **labels: str) -> None:
        self.moved = True
        _child(self._bound, labels).set(value)


class Histogram(Metric):
    """Durations in seconds, in buckets from 5 ms to two minutes."""

    kind = "histogram"

    def bind(self, registry: prometheus.CollectorRegistry) -> None:
        self._bound = prometheus.Histogram(
            self.name, self.documentation, self.labels, registry=registry, buckets=SECONDS
        )

    def observe(self, value: float, **labels: str) -> None:
        self.moved = True
        _child(self._bound, labels).observe(value)


METRICS: list[Metric] = []
_registry = prometheus.CollectorRegistry()

RECORDS_RECEIVED = Counter("sluicegate_records_received_total", "Records read from a source.", "source", "signal")
BYTES_RECEIVED = Counter(
    "sluicegate_bytes_received_total", "Bytes read from a source, runtime envelopes included.", "source", "signal"
)
LINES_CUT = Counter("sluicegate_lines_cut_total", "Pieces that lines above max_line_bytes were cut into.", "source")
SOURCE_ERRORS = Counter("sluicegate_source_errors_total", "Failures of a source to read.", "source", "reason")
REQUESTS = Counter("sluicegate_requests_total", "Requests to a source.", "source", "protocol", "outcome")
SOURCE_THROTTLED_SECONDS = Counter(
    "sluicegate_source_throttled_seconds_total",
    "Time that files waited because of rate_limit, summed over them.",
    "source",
)
FILES_OPEN = Gauge("sluicegate_files_open", "Files being tailed.", "source")
FILES_TRUNCATED = Counter("sluicegate_files_truncated_total", "Files found shorter than what was read.", "source")

FINDINGS = Counter(
    "sluicegate_findings_total", "Personal data and secrets acted upon.", "rule", "action", "signal", "source"
)
RECORDS_DEEP = Counter(
    "sluicegate_records_deep_total", "Records that only the reference path (tier 3) could decide.", "source", "signal"
)
SCRUB_SECONDS = Counter("sluicegate_scrub_seconds_total", "Time spent scrubbing.", "source", "signal")
RECORDS_QUARANTINED = Counter(
    "sluicegate_records_quarantined_total", "Records set aside, encrypted, on this node.", "reason", "source", "signal"
)
RECORDS_DROPPED = Counter(
    "sluicegate_records_dropped_total", "Records given up, by the reason why.", "reason", "source", "signal"
)

SPOOL_BYTES = Gauge("sluicegate_spool_bytes", "Bytes on disk in the spool's segments.")
SPOOL_LIMIT_BYTES = Gauge("sluicegate_spool_limit_bytes", "What the spool may hold: spool.max_bytes.")
SPOOL_SEGMENTS = Gauge("sluicegate_spool_segments", "Segments in the spool.", "state")
QUARANTINE_BYTES = Gauge("sluicegate_quarantine_bytes", "Bytes on disk of records in quarantine.")
SPOOL_COMMITS = Counter("sluicegate_spool_commits_total", "Group commits of the spool.")
SPOOL_ERRORS = Counter("sluicegate_spool_errors_total", "Writes the spool refused.", "reason")

LEDGER_RECORDS = Gauge(
    "sluicegate_ledger_records",
    "Records by what became of them, since the spool began: read = delivered + pending + dropped + quarantined.",
    "source",
    "destination",
    "outcome",
)

EXPORT_DURATION = Histogram(
    "sluicegate_export_duration_seconds", "Time from a segment's or request's sending to its confirmation.", "exporter"
)
EXPORT_OBJECTS = Counter("sluicegate_export_objects_total", "Segments confirmed by an exporter.", "exporter")
EXPORT_REQUESTS = Counter(
    "sluicegate_export_requests_total", "Requests confirmed, by an exporter that sends data as it comes.", "exporter"
)
EXPORT_RECORDS = Counter("sluicegate_export_records_total", "Records confirmed by an exporter.", "exporter")
EXPORT_BYTES = Counter("sluicegate_export_bytes_total", "Bytes written by an exporter.", "exporter")
EXPORT_REFUSED = Counter(
    "sluicegate_export_records_refused_total",
    "Records a destination will never take: rejected, kept in the spool; partial, left out of a request it took.",
    "exporter",
    "reason",
)
EXPORT_ERRORS = Counter("sluicegate_export_errors_total", "Failed exports.", "exporter", "reason")
EXPORT_UP = Gauge("sluicegate_export_up", "1 while an exporter's last attempt succeeded, 0 while it fails.", "exporter")
EXPORT_PENDING_BYTES = Gauge(
    "sluicegate_export_pending_bytes", "Bytes in the spool that an exporter has not got.", "exporter"
)

SWEPT_OBJECTS = Counter("sluicegate_swept_objects_total", "Objects deleted when their retention was over.", "exporter")
SWEPT_BYTES = Counter("sluicegate_swept_bytes_total", "Bytes of objects deleted.", "exporter")
RETENTION_KEPT = Gauge(
    "sluicegate_retention_kept", "1 while the bucket's lifecycle rules keep the retention classes, else 0.", "exporter"
)

OWN_TELEMETRY_ERRORS = Counter("sluicegate_own_telemetry_errors_total", "Failures to send own telemetry by OTLP.")

PROCESS_RESTARTS = Counter("sluicegate_process_restarts_total", "Processes of the gate restarted.", "process")
POLICY_RELOADS = Counter("sluicegate_policy_reloads_total", "Policy reloads by outcome.", "outcome")
POLICY_INFO = Gauge("sluicegate_policy_info", "1 for the policy in force.", "fingerprint")
BUILD_INFO = Gauge("sluicegate_build_info", "1 for the running build.", "version", "python")


def share(directory: Path) -> None:
    """Keep this process's values in `directory` from here on; call it once, before the first event.

    The files get their blocks now: on a disk that fills up later, a write to mapped memory without one would be fatal.
    Raises OSError.
    """
    for kind in ("counter", "gauge_livesum", "histogram"):
        with (directory / f"{kind}_{os.getpid()}.db").open("ab") as file:
            os.posix_fallocate(file.fileno(), 0, FILE_BYTES)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]
    _rebind()


def open_directory(directory: Path) -> None:
    """Make `directory` anew, empty and private: the supervisor does so before it starts the others."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700, parents=True)


def unshare() -> None:
    """Keep values in this process's own memory, from zero: how a process without a gate starts."""
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    values.ValueClass = values.MutexValue
    _rebind()


def forget(pid: int) -> None:
    """Take the levels of a process that ended out of the sums; its counts stay."""
    if directory := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        multiprocess.mark_process_dead(pid, directory)  # type: ignore[no-untyped-call]


def exposition() -> bytes:
    """All metrics, summed over the processes, in Prometheus' text format."""
    registry = _registry
    if directory := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = prometheus.CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, directory)  # type: ignore[no-untyped-call]
    return prometheus.generate_latest(registry)


def samples() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The same as values by (sample name, sorted labels)."""
    from prometheus_client.parser import text_string_to_metric_families

    families = text_string_to_metric_families(exposition().decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def total(metric: Metric, **labels: str) -> float:
    """A metric's value over all processes, summed over the labels that are not given."""
    wanted = labels.items()
    return sum(value for (name, have), value in samples().items() if name == metric.name and wanted <= set(have))


def set_build_info() -> None:
    BUILD_INFO.set(1, version=version("sluicegate"), python=".".join(map(str, sys.version_info[:3])))


@dataclass(slots=True, frozen=True)
class Readiness:
    """Whether the gate takes in data and can keep it; `reasons` says what it waits for."""

    reasons: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        return not self.reasons


class Server:
    """`/metrics`, `/healthz` and `/readyz` over HTTP, from a thread of the supervisor.

    `refresh` is called before metrics are read, to bring levels up to date. `port` 0 takes a free one;
    `address` says which. Raises OSError when it cannot be bound.
    """

    def __init__(
        self, host: str, port: int, readiness: Callable[[], Readiness], refresh: Callable[[], None] = lambda: None
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            timeout = 10  # seconds a caller may take for its request
            server_version = "sluicegate"
            sys_version = ""

            def do_GET(self) -> None:
                path = self.path.split("?", 1)[0]
                if path == "/metrics":
                    refresh()
                    self._answer(200, CONTENT_TYPE_LATEST, exposition())
                elif path == "/healthz":
                    self._answer(200, "application/json", b'{"status":"ok"}\n')
                elif path == "/readyz":
                    state = readiness()
                    body = {"status": "ready" if state.ready else "waiting", "reasons": state.reasons}
                    self._answer(200 if state.ready else 503, "application/json", json.dumps(body).encode() + b"\n")
                else:
                    self._answer(404, "text/plain", b"/metrics /healthz /readyz\n")

            def _answer(self, status: int, kind: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing: a request line is the caller's text, not ours to log."""

        class QuietServer(ThreadingHTTPServer):
            daemon_threads = True
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

            def handle_error(self, *_: object) -> None:
                """A caller that hangs up is not our failure."""

        self._server = QuietServer((host, port), Handler)
        self.address: tuple[str, int] = (str(self._server.server_address[0]), self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="telemetry", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _rebind() -> None:
    global _registry
    _registry = prometheus.CollectorRegistry()
    for metric in METRICS:
        metric.bind(_registry)


def _child(bound: _Bound, labels: dict[str, str]) -> _Bound:
    return bound.labels(**labels) if labels else bound
