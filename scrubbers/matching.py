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
        self._budget = budget

    def fullmatch(self, value: bytes) -> bool:
        """Whether all of the value matches."""
        text = value.decode("utf-8", "surrogateescape")
        with self._time():
            return self._pattern.fullmatch(text, timeout=PATIENCE) is not None

    def spans(self, value: bytes) -> list[Span]:
        """Where it is found, as spans of bytes."""
        text = value.decode("utf-8", "surrogateescape")
        spans: list[Span] = []
        until = time.thread_time() + self._budget.left
        with self._time():
            for match in self._pattern.finditer(text, timeout=PATIENCE):
                spans.append(match.span())
                if time.thread_time() > until:
                    raise TimeoutError
        if len(text) == len(value):
            return spans
        return [(_bytes_in(text[:start]), _bytes_in(text[:end])) for start, end in spans]

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


def _bytes_in(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def compiled(expression: str) -> "regex.Pattern[str]":
    """The expression in the syntax of the `regex` module, its older rules (`V0`); raises regex.error."""
    return regex.compile(expression, regex.VERSION0)
