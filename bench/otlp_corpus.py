"""Requests of OTLP for the benchmarks, made from a seed: 512 spans of about 285 bytes, or 512 log records.

Clean ones hold what troubles a scrubber in real traces: random ids, times, private addresses, versions, paths with
numbers, long integers. A dirty one has one piece of personal data, in an attribute, an event, the status or the body.
`python -m bench.otlp_corpus` prints the checksums that the benchmark pins.
"""

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bench import corpus as lines

SEED = 20_240_229
SHARES = (0.0, 0.02, 0.3)
RECORDS = 512  # of a request
_START = 1_790_000_000_000_000_000

_OPERATIONS = (
    ("GET /v1/items/{id}", "GET", "/v1/items/"),
    ("POST /v1/orders", "POST", "/v1/orders"),
    ("GET /v2/products/{id}/reviews", "GET", "/v2/products/88123/reviews?page=3&size="),
    ("PUT /v1/carts/{id}", "PUT", "/v1/carts/"),
)
_SERVICES = ("checkout", "cart", "inventory", "search", "payments")


def requests(signal: str, share: float, count: int, *, seed: int = SEED) -> list[bytes]:
    """`count` serialised requests, of whose records the share `share` holds personal data."""
    rnd = random.Random(f"{seed}/{signal}/{share}")
    make = _spans if signal == "traces" else _logs
    return [make(rnd, share).SerializeToString(deterministic=True) for _ in range(count)]


def checksum(signal: str, share: float) -> str:
    """SHA-256 of the first four requests, the first 16 hex digits."""
    return hashlib.sha256(b"".join(requests(signal, share, 4))).hexdigest()[:16]


def _set(attributes: Any, **values: str | int | float) -> None:
    for name, value in values.items():
        attribute = attributes.add(key=name.replace("__", "."))
        kind = "string_value" if isinstance(value, str) else "int_value" if isinstance(value, int) else "double_value"
        setattr(attribute.value, kind, value)


def _described(rnd: random.Random, group: Any) -> None:
    service = rnd.choice(_SERVICES)
    _set(
        group.resource.attributes,
        service__name=service,
        service__version="2.14.0-rc.3",
        k8s__namespace__name="shop",
        k8s__pod__name=f"{service}-{rnd.getrandbits(40):010x}-{rnd.getrandbits(20):05x}",
        telemetry__sdk__language="python",
    )


def _spans(rnd: random.Random, share: float) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    _described(rnd, group)
    scope = group.scope_spans.add()
    scope.scope.name, scope.scope.version = "opentelemetry.instrumentation.asgi", "0.66b2"
    for number in range(RECORDS):
        span = scope.spans.add()
        _span(rnd, span, number)
        if rnd.random() < share:
            rnd.choices(_SPAN_PLANTS, weights=_SPAN_WEIGHTS)[0](rnd, span)
    return request


def _span(rnd: random.Random, span: Span, number: int) -> None:
    name, method, path = rnd.choice(_OPERATIONS)
    span.trace_id, span.span_id, span.name, span.kind = rnd.randbytes(16), rnd.randbytes(8), name, 2
    if rnd.random() < 0.8:
        span.parent_span_id = rnd.randbytes(8)
    span.start_time_unix_nano = _START + number * 1_000_003 + rnd.randrange(1_000_000)
    span.end_time_unix_nano = span.start_time_unix_nano + rnd.randrange(50_000_000)
    _set(
        span.attributes,
        http__request__method=method,
        url__path=f"{path}{rnd.randrange(10**6)}",
        http__response__status_code=200,
        network__peer__address=f"10.2.{rnd.randrange(256)}.17",
    )
    extra = rnd.randrange(4)
    if extra == 0:
        _set(span.attributes, db__rows=rnd.randrange(500), messaging__offset=rnd.randrange(10**9))
    elif extra == 1:
        _set(span.attributes, user_agent__original="Mozilla/5.0 (X11; Linux x86_64) Chrome/120.0.0.0 Safari/537.36")
    elif extra == 2:
        _set(span.attributes, db__query__text="SELECT id, sku, qty FROM stock WHERE sku = $1")
    else:
        _set(span.attributes, cache__hit_ratio=round(rnd.random(), 4), thread__name="worker-7")


def _failed(span: Span, message: str) -> None:
    event = span.events.add(name="exception", time_unix_nano=span.end_time_unix_nano)
    _set(event.attributes, exception__type="ValueError", exception__message=message)


_SPAN_PLANTS_WEIGHTED: tuple[tuple[int, Callable[[random.Random, Span], None]], ...] = (
    (6, lambda rnd, span: _set(span.attributes, user__email=lines._email(rnd))),
    (5, lambda rnd, span: _set(span.attributes, client__address=lines._ip(rnd))),
    (3, lambda rnd, span: _set(span.attributes, http__request__header__authorization=f"Basic {rnd.getrandbits(99):x}")),
    (3, lambda rnd, span: _set(span.attributes, db__statement__parameters=f"('{lines._email(rnd)}', 17)")),
    (3, lambda rnd, span: _failed(span, f"no account for {lines._email(rnd)}")),
    (2, lambda rnd, span: _set(span.attributes, url__full=f"https://shop.test/signup?email={lines._email(rnd)}&src=ad")),
    (1, lambda rnd, span: setattr(span.status, "message", f"card {lines._grouped(lines._card(rnd), ' ')} declined")),
    (1, lambda rnd, span: _set(span.attributes, payment__reference=int(lines._card(rnd)))),
    (1, lambda rnd, span: _set(span.attributes, message=f"callback to {lines._phone(rnd)} requested")),
    (1, lambda rnd, span: _set(span.attributes, form=json.dumps({"email": lines._email(rnd), "ok": True}))),
)  # fmt: skip
_SPAN_WEIGHTS = tuple(weight for weight, _ in _SPAN_PLANTS_WEIGHTED)
_SPAN_PLANTS = tuple(plant for _, plant in _SPAN_PLANTS_WEIGHTED)


def _logs(rnd: random.Random, share: float) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    _described(rnd, group)
    scope = group.scope_logs.add()
    scope.scope.name = "shop.orders"
    for number in range(RECORDS):
        record = scope.log_records.add(severity_number=9, severity_text="INFO")
        record.time_unix_nano = record.observed_time_unix_nano = _START + number * 1_000_003
        record.trace_id, record.span_id = rnd.randbytes(16), rnd.randbytes(8)
        record.body.string_value = rnd.choice(lines._MESSAGES)
        _set(record.attributes, code__function__name="handle", order__state="CONFIRMED", n=rnd.randrange(10**6))
        if rnd.random() < share:
            rnd.choices(_LOG_PLANTS, weights=_LOG_WEIGHTS)[0](rnd, record)
    return request


def _say(record: LogRecord, text: str) -> None:
    record.body.string_value += f"; {text}"


_LOG_PLANTS_WEIGHTED: tuple[tuple[int, Callable[[random.Random, LogRecord], None]], ...] = (
    (6, lambda rnd, record: _say(record, f"user {lines._email(rnd)} signed in")),
    (4, lambda rnd, record: _say(record, f"from {lines._ip(rnd)} in 12 ms")),
    (4, lambda rnd, record: _set(record.attributes, user__email=lines._email(rnd))),
    (3, lambda rnd, record: _say(record, f"login ok user={rnd.randrange(10**6)} email={lines._email(rnd)} ms=12")),
    (2, lambda rnd, record: _say(record, f"card {lines._grouped(lines._card(rnd), '-')} declined")),
    (2, lambda rnd, record: _set(record.attributes, client__address=lines._ip(rnd))),
    (1, lambda rnd, record: setattr(record.body, "string_value", json.dumps({"email": lines._email(rnd), "ok": True}))),
)  # fmt: skip
_LOG_WEIGHTS = tuple(weight for weight, _ in _LOG_PLANTS_WEIGHTED)
_LOG_PLANTS = tuple(plant for _, plant in _LOG_PLANTS_WEIGHTED)


def all_checksums() -> Iterator[tuple[str, float, str]]:
    """By signal and share."""
    for signal in ("traces", "logs"):
        for share in SHARES:
            yield signal, share, checksum(signal, share)


if __name__ == "__main__":
    for each in all_checksums():
        print(*each)
