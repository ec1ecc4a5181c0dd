"""Why a request is refused, in words that either protocol translates.

Refusal
├── Garbage           it is not what OTLP says: never to be sent again          400 · INVALID_ARGUMENT
├── TooLarge          over a limit of size: never to be sent again              413 · RESOURCE_EXHAUSTED
├── Unauthenticated   no token, or none of ours                                 401 · UNAUTHENTICATED
├── TooSlow           the client did not send it in time                        408 · DEADLINE_EXCEEDED
├── Busy              over a limit of concurrency: later                        429 · RESOURCE_EXHAUSTED and RetryInfo
├── Full              the spool takes nothing at the moment: later              503 · RESOURCE_EXHAUSTED and RetryInfo
└── Stopping          this process is about to end: later                       503 · UNAVAILABLE and RetryInfo

Messages are for whoever runs the client. They say nothing of what was sent.
"""

from typing import ClassVar


class Refusal(Exception):
    """A request is not taken. `outcome` is its word in metrics; `after`: seconds until it may be sent again."""

    outcome: ClassVar[str]
    status: ClassVar[int]  # of HTTP
    code: ClassVar[str]  # of gRPC
    after: float | None = None


class Garbage(Refusal):
    outcome, status, code = "malformed", 400, "INVALID_ARGUMENT"


class TooLarge(Refusal):
    outcome, status, code = "too_large", 413, "RESOURCE_EXHAUSTED"

    def __init__(self, limit: int) -> None:
        super().__init__(f"the request is larger than {limit} bytes (max_request_bytes)")


class Unauthenticated(Refusal):
    outcome, status, code = "unauthenticated", 401, "UNAUTHENTICATED"

    def __init__(self) -> None:
        super().__init__("send one of the configured tokens as `Authorization: Bearer TOKEN`")


class TooSlow(Refusal):
    outcome, status, code = "too_slow", 408, "DEADLINE_EXCEEDED"

    def __init__(self) -> None:
        super().__init__("the request did not arrive in time (limits.receive_timeout)")


class Busy(Refusal):
    outcome, status, code = "busy", 429, "RESOURCE_EXHAUSTED"
    after = 1.0


class Full(Refusal):
    outcome, status, code = "full", 503, "RESOURCE_EXHAUSTED"

    def __init__(self, message: str, after: float) -> None:
        super().__init__(message)
        self.after = after


class Stopping(Refusal):
    outcome, status, code = "stopping", 503, "UNAVAILABLE"
    after = 1.0

    def __init__(self) -> None:
        super().__init__("this gate is about to end")
