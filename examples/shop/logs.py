"""Where the shop's lines go: one file, three notations, as in any app that uses libraries.

- the shop's own records: JSON, with the trace and span they belong to;
- the payment library's: logfmt;
- the web server's access log: key=value.
"""

import json
import logging
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp.abc import AbstractAccessLogger
from aiohttp.web import BaseRequest, StreamResponse
from opentelemetry import trace

CLIENT_HEADER = "X-Forwarded-For"  # the shop stands behind a proxy


def to_file(path: Path, build: str) -> logging.Handler:
    """Send every record of this process to `path` and return the handler, to be closed at the end."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(_ByLogger(_JsonFormatter(build), {"paylib": _LogfmtFormatter(), "access": _PlainFormatter()}))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    return handler


class AccessLog(AbstractAccessLogger):
    """One key=value line a request, with everything the proxy and the browser said about the client."""

    def log(self, request: BaseRequest, response: StreamResponse, time: float) -> None:
        headers = request.headers
        self.logger.info(
            "client=%s method=%s uri=%s status=%d bytes=%d duration_ns=%d referer=%s agent=%s",
            headers.get(CLIENT_HEADER, "-"),
            request.method,
            request.raw_path,
            response.status,
            response.body_length,
            int(time * 1e9),
            headers.get("Referer", "-"),
            _logfmt_value(headers.get("User-Agent", "-")),
        )


class _ByLogger(logging.Formatter):
    def __init__(self, default: logging.Formatter, others: dict[str, logging.Formatter]) -> None:
        super().__init__()
        self._default = default
        self._others = others

    def format(self, record: logging.LogRecord) -> str:
        return self._others.get(record.name, self._default).format(record)


class _JsonFormatter(logging.Formatter):
    def __init__(self, build: str) -> None:
        super().__init__()
        self._build = build

    def format(self, record: logging.LogRecord) -> str:
        now = time.time_ns()
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(now / 1e9, UTC).isoformat(),
            "time_ns": now,
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "service": "shop",
            "build": self._build,
            "pod": "shop-7d4b9c6f58-x2x7q",
        }
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            line["trace_id"] = trace.format_trace_id(span.trace_id)
            line["span_id"] = trace.format_span_id(span.span_id)
        line |= getattr(record, "fields", {})
        if record.exc_info and (error := record.exc_info[1]):
            line["exception"] = {
                "type": type(error).__qualname__,
                "message": str(error),
                "stacktrace": self.formatException(record.exc_info),
            }
        return json.dumps(line)


class _LogfmtFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        pairs = {
            "ts": time.time_ns(),
            "level": record.levelname.lower(),
            "lib": "paylib/2.4.1",
            "msg": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        return " ".join(f"{key}={_logfmt_value(str(value))}" for key, value in pairs.items())


class _PlainFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"ts={time.time_ns()} {record.getMessage()}"


def _logfmt_value(value: str) -> str:
    return json.dumps(value) if not value or set(value) & set(' "=\n') else value
