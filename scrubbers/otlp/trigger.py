"""The trigger for messages of protobuf: made of the same expressions as that for text.

In a message strings stand as they are, but their neighbours are lengths and tags, which can look like letters and
digits: so expressions have no guards here; what stands before a report is looked at afterwards. Nor need they tell what
they saw, only where; so all that has no literal is one automaton. Numbers are no text here, and have expressions of
their own.
"""

import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from scrubbers.detectors.detector import GUARD

Expression: TypeAlias = tuple[bytes, int, bool]
"""An expression in Hyperscan's syntax, what it reports, and whether it ignores case."""
Report: TypeAlias = Callable[[int, int, int, int, object], None]
Scan: TypeAlias = Callable[[bytes, Report], None]
Compile: TypeAlias = Callable[[list[Expression]], Callable[[], Scan]]
"""Makes a database, and gives what makes the scan of one thread."""

# int_value and double_value that have twelve digits and more, as cards do; or any numbers and words.
_LONG_INT = rb"\x18[\x80-\xff]{5}"
_LONG_DOUBLE = rb"\x21[\x00-\xff]{6}(?:[\x30-\xff][\x42\xc2]|[\x00-\x4f][\x43\xc3])"
_ANY_WORD, _ANY_DOUBLE = rb"[\x10\x18][\x00-\xff]", rb"\x21[\x00-\xff]{8}"
_IN_NUMBER = re.compile(r"[-+.0-9e]+|t?r?u?e?|f?a?l?s?e?|n?u?l?l?|n?a?n?|i?n?f?i?n?i?t?y?", re.IGNORECASE).fullmatch
# What a personal key's name is not followed by: the name goes on, and no field begins so behind a string.
_GOES_ON = frozenset(b"._cdfgklnostvwCDFGKLNOSTVW3467")
_SHORT = 4096  # bytes: below, one slower scan costs less than several calls


def in_number(text: str) -> bool:
    """Whether a text may stand in a number, or in a word of JSON."""
    return _IN_NUMBER(text) is not None


class WireTrigger:
    """Tells where in a message something may be personal or encoded. Made when first asked: not everybody sends OTLP.

    `instead`: expressions that other ones take the place of. `numbers`: whether the policy looks for more in numbers
    than what has the length of a card's. `key`: what is reported from there on are names of personal keys.
    """

    def __init__(
        self,
        groups: Iterable[Sequence[Expression]],
        instead: Mapping[bytes, bytes],
        compile_: Compile,
        *,
        numbers: bool,
        key: int,
    ) -> None:
        self._groups, self._instead, self._compile, self._key = groups, instead, compile_, key
        self._numbers = (_ANY_WORD, _ANY_DOUBLE) if numbers else (_LONG_INT, _LONG_DOUBLE)
        self._making = threading.Lock()
        self._made: list[list[Callable[[], Scan]]] = []
        self._local = threading.local()
        self._guarded: dict[int, Callable[[bytes, int, int], object]] = {}
        """Whether a shape that was reported at the end of a stretch of bytes may begin there."""

    def scan(self, message: bytes) -> list[int]:
        """Where the reports end, sorted."""
        seen: list[int] = []
        keys: list[int] = []
        shapes: list[tuple[int, int]] = []
        ready = self._ready()[len(message) < _SHORT]
        first, guarded = self._key, self._guarded
        saw, saw_key, saw_shape = seen.append, keys.append, shapes.append

        def report(what: int, _start: int, end: int, _flags: int, _context: object) -> None:
            if what >= first:
                saw_key(end)
            elif what in guarded:
                saw_shape((end, what))
            else:
                saw(end)

        for scan in ready:
            scan(message, report)
        seen += [end for end, what in shapes if guarded[what](message, max(0, end - _WIDEST), end)]
        if keys:
            goes_on, behind = _GOES_ON, len(message)
            seen += [end for end in keys if end == behind or message[end] not in goes_on]
        seen.sort()
        return seen

    def _ready(self) -> list[list[Scan]]:
        try:
            mine: list[list[Scan]] = self._local.ready
        except AttributeError:
            with self._making:
                self._made = self._made or self._make()
            self._local.ready = mine = [[each() for each in scans] for scans in self._made]
        return mine

    def _make(self) -> list[list[Callable[[], Scan]]]:
        joined, double = ([(number, 0, False)] for number in self._numbers)
        groups = [joined, double]
        for group in self._groups:
            apart: list[Expression] = []
            for expression, what, caseless in group:
                if expression.startswith(GUARD):
                    core = expression.removeprefix(GUARD)
                    self._guarded[what] = re.compile(_BEFORE + b"(?:" + core + rb")\Z", re.DOTALL).search
                (joined if expression.startswith(_GUARDED) else apart).append(
                    (self._instead.get(expression, expression.removeprefix(GUARD)), what, caseless)
                )
            groups.append(apart)
        return [
            [self._compile(group) for group in groups if group],
            [self._compile([each for group in groups for each in group])],
        ]


_GUARDED = GUARD[:-1]
# No letter or digit, or one that may be a length: behind a tag of OTLP, or within a number, or behind a control
# character, which no text has there. And one behind a backslash, which may be that of an escape.
_BEFORE = rb"(?:(?<![0-9A-Za-z])|(?<=[\x00-\x1f\x22*:b\x80-\xff\\][0-9A-Za-z]))"
_WIDEST = 14  # bytes of a shape
