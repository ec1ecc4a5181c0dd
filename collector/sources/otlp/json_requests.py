"""OTLP/JSON requests → the same requests as protobuf.

Behind the door everything has one form, so that what is scrubbed, stored and sent on does not depend on how it came.
What OTLP's schema does not name is ignored, as the specification wants it.
"""

from base64 import b64encode
from typing import Any

import orjson
from google.protobuf import json_format
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.batch import Signal
from collector.sources.otlp.refusals import Garbage

_REQUESTS: dict[Signal, type[Message]] = {
    "logs": ExportLogsServiceRequest,
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
_IDS = frozenset(("traceId", "spanId", "parentSpanId"))


def from_json(signal: Signal, body: bytes) -> bytes:
    """The serialised request. Raises Garbage, with words that quote nothing of it."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Garbage("the body is not JSON") from None
    try:
        if not isinstance(document, dict):
            raise Garbage("the body is not a JSON object")
        _with_base64(document)
        message = json_format.ParseDict(document, _REQUESTS[signal](), ignore_unknown_fields=True)
    except (json_format.ParseError, ValueError, TypeError, AttributeError, RecursionError):
        raise Garbage(f"the body does not fit OTLP's schema for {signal}") from None
    return message.SerializeToString()


def _with_base64(value: Any) -> None:
    """Ids are hexadecimal in OTLP/JSON, where protobuf's mapping has base64. Changes them in place."""
    if isinstance(value, list):
        for each in value:
            _with_base64(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name in _IDS and isinstance(each, str):
                value[name] = b64encode(bytes.fromhex(each)).decode()
            else:
                _with_base64(each)
