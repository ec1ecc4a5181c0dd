"""Findings → bytes: which of them stand, and one join."""

from collections.abc import Iterable
from operator import itemgetter
from typing import TypeAlias

from scrubbers.plan import Rule

Finding: TypeAlias = tuple[int, int, bytes | None, Rule | None]
"""(start, end, replacement, rule): the bytes from `start` to `end` become the replacement.

Replacement None: the last member of an object is deleted, and the comma before it goes too. Rule None: a whole record
as the reference path gives it, whose findings are counted there.
"""


def splice(text: bytes, findings: Iterable[Finding]) -> bytes:
    """`text` with the findings replaced; they are sorted and do not overlap."""
    parts: list[bytes] = []
    append = parts.append
    done = 0
    for start, end, replacement, _ in findings:
        append(text[done:start])
        if replacement is None:
            _drop_comma(parts)
        elif replacement:
            append(replacement)
        done = end
    append(text[done:])
    return b"".join(parts)


def _drop_comma(parts: list[bytes]) -> None:
    # All members that stood between may be deleted, too: the comma is in the last part that is not empty.
    at = len(parts) - 1
    while at > 0 and not parts[at]:
        at -= 1
    head = parts[at].rstrip(b" \t\r\n")
    if head.endswith(b","):
        parts[at] = head[:-1]


def standing(findings: list[Finding]) -> tuple[list[Finding], list[int]]:
    """Sort; drop what lies within a longer finding; and tell the starts of those that overlap in part.

    Partial overlaps are for the reference path: which part stands decides what is found in the rest.
    """
    findings.sort(key=_order)
    kept: list[Finding] = []
    overlapping: list[int] = []
    reached = -1
    for finding in findings:
        start, end = finding[0], finding[1]
        if start >= reached:
            kept.append(finding)
            reached = end
        elif end > reached:
            overlapping.append(start)
            reached = end
    return kept, overlapping


_start = itemgetter(0)


def _order(finding: Finding) -> tuple[int, int]:
    return finding[0], -finding[1]
