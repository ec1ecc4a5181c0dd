"""What a destination's answer means: taken, to be tried again, or refused for good.

By the OTLP specification a client tries again after a few codes only. Codes that blame this side's configuration (who
we are, where we send) are not about the data: it is kept and tried seldom, as by every exporter, so that an expired
token costs nothing. What a destination says in words is never shown: it may quote a record.
"""

import time
from email.utils import parsedate_to_datetime

from exporters.exporter import ExportError, Rejected, Retryable

_TRY_AGAIN = {
    "CANCELLED": "the request was cancelled",
    "DEADLINE_EXCEEDED": "no answer within `timeout`",
    "ABORTED": "the request was aborted",
    "OUT_OF_RANGE": "the destination cannot take it now",
    "UNAVAILABLE": "the destination is unavailable",
    "DATA_LOSS": "the destination lost it",
}
_MEND = {
    "UNAUTHENTICATED": "it wants to know who sends; mend `headers` or the client certificate",
    "PERMISSION_DENIED": "it does not allow this sender; mend `headers` or the sender's rights",
    "UNIMPLEMENTED": "it does not take this signal or compression; mend `endpoint`, `signals` or `compression`",
    "NOT_FOUND": "there is nothing; mend `endpoint`",
}
_TRY_AGAIN_STATUS = {
    429: "the destination asks for fewer requests",
    502: "a gateway does not reach it",
    503: "the destination is unavailable",
    504: "a gateway got no answer",
}
_MEND_STATUS = {
    401: _MEND["UNAUTHENTICATED"],
    403: _MEND["PERMISSION_DENIED"],
    404: "there is nothing; mend `endpoint` (its path) or `signals`",
    405: "it does not take requests there; mend `endpoint`",
    407: "a proxy wants to know who sends",
    415: "it does not take this compression; mend `compression`",
}


def of_grpc(code: str, asked: float | None, place: str) -> ExportError:
    """The error for a status code, by name; `asked` is the wait of its RetryInfo, in seconds."""
    if code in _TRY_AGAIN:
        return Retryable(f"{place}: {_TRY_AGAIN[code]} ({code})", after=asked)
    if code == "RESOURCE_EXHAUSTED" and asked is not None:
        return Retryable(f"{place}: the destination asks for fewer requests ({code})", after=asked)
    if code in _MEND:
        return Retryable(f"{place}: {_MEND[code]} ({code})")
    return Rejected(f"{place}: refused ({code})")


def of_http(status: int, retry_after: str | None, place: str) -> ExportError:
    """The error for an HTTP status other than success."""
    if status in _TRY_AGAIN_STATUS:
        return Retryable(f"{place}: {_TRY_AGAIN_STATUS[status]} ({status})", after=_seconds(retry_after))
    if status in _MEND_STATUS or 300 <= status < 400:
        words = _MEND_STATUS.get(status, "it is elsewhere; mend `endpoint`")
        return Retryable(f"{place}: {words} ({status})")
    return Rejected(f"{place}: refused ({status})")


def _seconds(retry_after: str | None) -> float | None:
    """The wait in a Retry-After header: seconds, or a date."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal() and len(retry_after) < 10:
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
