"""The trigger for messages of protobuf: made of the same expressions as that for text.

In a message strings stand as they are, but their neighbours are lengths and tags, which can look like letters and
digits: so what has a guard in text has a looser one here, and what stands before a report is looked at afterwards. All
that has no literal is one automaton, which stays small only if its guards are small: it was made by measuring. Numbers
are no text here, and have expressions of their own.
"""

import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from scrubbers.detectors.detector import GROUPS_OF_THREE, GUARD, GUARD_OR_ESCAPE

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

    `instead`: expressions that other ones take the place of. `harmless`: what begins like one of the expressions and is
    nobody's. `shapes`: those that are joined into one, which reports `shape`. `numbers`: whether the policy looks for
    more in numbers than what has the length of a card's. `key`: what is reported from there on are names of personal
    keys.
    """

    def __init__(
        self,
        groups: Iterable[Sequence[Expression]],
        compile_: Compile,
        *,
        instead: Mapping[bytes, bytes],
        harmless: Mapping[bytes, bytes],
        shapes: Sequence[bytes],
        shape: int,
        numbers: bool,
        key: int,
    ) -> None:
        self._groups, self._instead, self._compile, self._key = groups, instead, compile_, key
        self._harmless, self._shapes, self._shape = harmless, shapes, shape
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
                guard = next((each for each in (GUARD, GUARD_OR_ESCAPE) if expression.startswith(each)), None)
                if guard is None:
                    apart.append((self._instead.get(expression, expression), what, caseless))
                    continue
                cores = self._shapes if what == self._shape else [expression.removeprefix(guard)]
                joined += [(each, what, False) for core in cores for each in _loosely_guarded(core)]
                self._guarded[what] = _begins(cores, self._harmless.get(expression))
            groups.append(apart)
        return [
            [self._compile(group) for group in groups if group],
            [self._compile([each for group in groups for each in group])],
        ]


def _loosely_guarded(core: bytes) -> list[bytes]:
    if not _DIGIT_FIRST(core):
        return [core]
    # Dates look like a digit and then groups of three: of those one digit more is asked for.
    more = b"[0-9 .-]" if core == GROUPS_OF_THREE else b""
    return [b"(?:^|[^0-9])" + core, b"(?:^|[^0-9.,])[0-9]" + core + more]


_DIGIT_FIRST = re.compile(rb"[(?:]*\[[0-9]").match


def _begins(cores: Sequence[bytes], harmless: bytes | None) -> Callable[[bytes, int, int], object]:
    """Whether one of these may begin within a stretch of bytes, at whose end it was reported."""
    but = b"(?!" + harmless + b")" if harmless else b""
    return re.compile(_BEFORE + but + b"(?:" + b"|".join(cores) + rb")[0-9 .-]?\Z", re.DOTALL).search


# No letter or digit, or one that may be a length: behind one of the tags that OTLP has for texts, or in a longer
# length. Two tags look like signs that are common in texts. Before `:` stands the length of the value that holds the
# bytes, two more than theirs; before `"` the end of a name, or such a length. And the letter of an escape (`\n`).
_BEFORE = (
    rb"(?:(?<![0-9A-Za-z])|(?<=[\x00\x0a\x12\x1a*b\x80-\xff\\][0-9A-Za-z])"
    rb"|(?<=[\x00-\x1f2-9:;C-Z\[\\c-z{|]:[0-9A-Za-z])|(?<=[^ :,=(\[{]\"[0-9A-Za-z])|(?<=:\"8)|(?<=\[\"Y)|(?<=\{\"y))"
)
_WIDEST = 16  # bytes of a shape
