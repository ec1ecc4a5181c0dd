"""OTLP's messages for an answer, serialised."""

from functools import lru_cache
from typing import Any

from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.sources.otlp.refusals import Garbage, Refusal
from exporters.signals import Signal

_RESPONSES: dict[Signal, type[Message]] = {
    "logs": ExportLogsServiceResponse,
    "traces": ExportTraceServiceResponse,
    "metrics": ExportMetricsServiceResponse,
}


@lru_cache
def success(signal: Signal, quarantined: int = 0) -> Message:
    """All was taken. Records in quarantine are kept, so none of them is rejected, but they will not be where their
    sender looks for them: the specification's warning, with a message and a count of zero, says so."""
    response: Any = _RESPONSES[signal]()
    if quarantined:
        response.partial_success.error_message = (
            f"{quarantined} of the records could not be scrubbed for sure: they are kept in the gate's quarantine"
        )
    return response  # type: ignore[no-any-return]


def failure(refusal: Refusal) -> Status:
    """Why a request is refused, with the details that the specification asks for."""
    status = Status(code=code(refusal).value[0], message=str(refusal))
    if refusal.after is not None:
        seconds = int(refusal.after)
        delay = Duration(seconds=seconds, nanos=int((refusal.after - seconds) * 1e9))
        status.details.add().Pack(RetryInfo(retry_delay=delay))
    elif isinstance(refusal, Garbage):
        violation = BadRequest.FieldViolation(field="body", description=str(refusal))
        status.details.add().Pack(BadRequest(field_violations=[violation]))
    return status


def code(refusal: Refusal) -> StatusCode:
    return StatusCode[refusal.code]


def as_json(message: Message) -> bytes:
    return json_format.MessageToJson(message, indent=None).encode()
