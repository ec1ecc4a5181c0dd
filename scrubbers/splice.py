"""Findings → bytes: which of them stand, and one join."""

from collections.abc import Sequence
from itertools import islice
from operator import gt, itemgetter
from typing import TypeAlias

from scrubbers.plan import Rule

Finding: TypeAlias = tuple[int, int, bytes, Rule | None]
"""(start, end, replacement, rule): the bytes from `start` to `end` become the replacement.

Rule None: a part of another finding that stands elsewhere (a comma), or a whole record as the reference path gives it,
whose findings are counted there.
"""


def splice(text: bytes, findings: Sequence[Finding]) -> bytes:
    """`text` with the findings replaced; they are sorted and do not overlap."""
    if not findings:
        return text
    starts, ends, replacements, _ = zip(*findings, strict=True)
    parts = [b""] * (2 * len(starts) + 1)
    parts[::2] = map(text.__getitem__, map(slice, (0, *ends), (*starts, None)))
    parts[1::2] = replacements
    return b"".join(parts)


def standing(findings: list[Finding]) -> tuple[list[Finding], list[int]]:
    """Sort; drop what lies within a longer finding; and tell the starts of those that overlap in part.

    Partial overlaps are for the reference path: which part stands decides what is found in the rest. So is what lies
    within a value of which a part stays.
    """
    findings.sort(key=_start)
    if not any(map(gt, map(_end, findings), map(_start, islice(findings, 1, None)))):
        return findings, []
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
        elif kept[-1][3] is not None and kept[-1][3].partial:
            overlapping.append(start)  # it may be in the part that stays
    return kept, overlapping


_start, _end = itemgetter(0), itemgetter(1)


def _order(finding: Finding) -> tuple[int, int, int]:
    return finding[0], -finding[1], rank(finding)


def rank(finding: Finding) -> int:
    """Which of two findings of the same bytes wins: the lower one."""
    return 0 if finding[3] is None else finding[3].rank
