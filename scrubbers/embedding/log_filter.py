"""A filter for `logging`: what a record says leaves the process without personal data.

Put it on every handler. On a logger it would see that logger's own records alone, not those of the loggers below.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final

from scrubbers.actions import label, token
from scrubbers.embedding.values import UNSCRUBBABLE, Values
from scrubbers.engine import Scrubber

# What `logging` itself sets, and what says nothing of data: all else is `extra`, or a name that the application gave.
_OWN: Final = frozenset(logging.makeLogRecord({}).__dict__) - {"threadName", "processName", "taskName"}
_FORMATTER: Final = logging.Formatter()


class ScrubbingFilter(logging.Filter):
    """Scrubs message, arguments, exception, stack and `extra` of log records. Lets every record through.

    The message is formatted once. If nothing personal is in it, the record stays as it is, template and arguments and
    all; otherwise its text becomes the clean message. Of a record that cannot be made clean only the place, time and
    level stay. Never raises.
    """

    def __init__(self, scrubber: Scrubber) -> None:
        super().__init__()
        self._values = Values(scrubber)

    def filter(self, record: logging.LogRecord) -> bool:
        """Scrub a record in place."""
        try:
            self._scrub(record)
        except Exception:
            _withhold(record)
        return True

    def _scrub(self, record: logging.LogRecord) -> None:
        fields = record.__dict__
        extra = {name: fields[name] for name in fields if name not in _OWN}
        raised = _FORMATTER.formatException(record.exc_info) if record.exc_info else None
        before = [record.getMessage(), record.args or None, raised, record.exc_text, record.stack_info, extra]
        after = self._values.scrub(before)
        if after is before:
            return
        if not isinstance(after, list) or len(after) != len(before):
            _withhold(record)
            return
        message, arguments, clean_raised, trace, stack, clean_extra = after
        if arguments != before[1]:
            message = self._values.scrub(_message(record, arguments))
        if message != before[0] or arguments != before[1]:
            record.msg, record.args = message, None
        if clean_raised != raised:
            # The exception itself says it all again, to whoever asks it.
            record.exc_info, trace = None, trace or clean_raised
        record.exc_text, record.stack_info = trace, stack
        for name in extra:
            if name not in clean_extra:
                del fields[name]
        fields.update(clean_extra)


def _message(record: logging.LogRecord, clean: Any) -> str:
    """The message with clean arguments: once they are text, their names and kinds are gone (`"user %(email)s"`)."""
    given = record.args
    if isinstance(given, Mapping):
        clean = {name: clean.get(name, token(label(str(name))).decode()) for name in given}
    try:
        return str(str(record.msg) % clean)
    except TypeError:  # a token where the template wants a number
        if isinstance(given, Mapping):
            raise
        return record.getMessage()


def _withhold(record: logging.LogRecord) -> None:
    """Leave of a record what says nothing of data."""
    fields: dict[str, Any] = record.__dict__
    for name in [name for name in fields if name not in _OWN]:
        fields[name] = None
    record.msg, record.args = UNSCRUBBABLE, None
    record.exc_info = record.exc_text = record.stack_info = None
