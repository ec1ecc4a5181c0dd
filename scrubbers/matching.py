r"""Regular expressions that a person wrote, run within limits: a slow one costs a record its way, nobody their time.

They are searched in text, not bytes: `\w` is a letter of any script. A byte that is no UTF-8 counts as one character.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import regex

from scrubbers.detectors.detector import Span

PATIENCE = 0.1  # seconds that one search may take
BUDGET = 1.0  # seconds of CPU time for all searches in one block


class Unscrubbable(Exception):
    """A record that cannot be made clean for sure; the message is a reason, without contents."""


class Budget(threading.local):
    """What is left of the time for one block. Every thread has its own."""

    def __init__(self) -> None:
        self.left = BUDGET

    def renew(self) -> None:
        self.left = BUDGET


class Matcher:
    """One expression. Raises Unscrubbable where it takes too long."""

    def __init__(self, expression: str, budget: Budget) -> None:
        self._pattern = compiled(expression)
        self._has_value = "value" in self._pattern.groupindex
        self._budget = budget

    def fullmatch(self, value: bytes) -> bool:
        """Whether all of the value matches."""
        text = value.decode("utf-8", "surrogateescape")
        with self._time():
            return self._pattern.fullmatch(text, timeout=PATIENCE) is not None

    def matches(self, value: bytes) -> list[tuple[Span, Span]]:
        """All matches that take something, as spans of bytes, each with that of its group `value` if it has one."""
        text = value.decode("utf-8", "surrogateescape")
        found: list[tuple[Span, Span]] = []
        until = time.thread_time() + self._budget.left
        with self._time():
            for match in self._pattern.finditer(text, timeout=PATIENCE):
                taken = match.span("value") if self._has_value and match["value"] else match.span()
                if taken[0] < taken[1]:
                    found.append((match.span(), taken))
                if time.thread_time() > until:
                    raise TimeoutError
        if len(text) == len(value):
            return found
        return [(_in_bytes(text, match), _in_bytes(text, taken)) for match, taken in found]

    @contextmanager
    def _time(self) -> Iterator[None]:
        if self._budget.left <= 0:
            raise Unscrubbable("pattern timed out")
        started = time.thread_time()
        try:
            yield
        except TimeoutError:
            raise Unscrubbable("pattern timed out") from None
        finally:
            self._budget.left -= time.thread_time() - started


def _in_bytes(text: str, span: Span) -> Span:
    start = len(text[: span[0]].encode("utf-8", "surrogateescape"))
    return start, start + len(text[span[0] : span[1]].encode("utf-8", "surrogateescape"))


def compiled(expression: str) -> "regex.Pattern[str]":
    """The expression in the syntax of the `regex` module, its older rules (`V0`); raises regex.error."""
    return regex.compile(expression, regex.VERSION0)
