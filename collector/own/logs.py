"""The gate's log lines as OTLP log records, and what the SDK says as an event of ours."""

import logging

from opentelemetry._logs import Logger, SeverityNumber

from collector import events, own_log

_SEVERITIES = {
    logging.DEBUG: SeverityNumber.DEBUG,
    logging.INFO: SeverityNumber.INFO,
    logging.WARNING: SeverityNumber.WARN,
    logging.ERROR: SeverityNumber.ERROR,
    logging.CRITICAL: SeverityNumber.FATAL,
}
_MOST_CHARACTERS = 300  # of what the SDK says


class ToOtlp(logging.Handler):
    """Passes on what is logged; not that passing on fails, or that would never end."""

    def __init__(self, logger: Logger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        name = getattr(record, "event", record.name)
        if name == events.OwnTelemetryFailed.__name__:
            return
        attributes = {key: _plain(value) for key, value in getattr(record, "attributes", {}).items()}
        if record.exc_info:
            attributes["error.type"] = own_log.where(record)
        self._logger.emit(
            timestamp=int(record.created * 1e9),
            severity_number=_SEVERITIES.get(record.levelno, SeverityNumber.UNSPECIFIED),
            severity_text=own_log.severity(record),
            body=record.getMessage(),
            attributes=attributes,
            event_name=name,
        )


class FromSdk(logging.Handler):
    """What the SDK warns of is told as one event, in our form and as seldom as all events."""

    def emit(self, record: logging.LogRecord) -> None:
        text = " ".join(record.getMessage().split())
        events.OwnTelemetryFailed(text[:_MOST_CHARACTERS]).emit()


def _plain(value: object) -> str | int | float | bool:
    return value if isinstance(value, str | int | float | bool) else str(value)
