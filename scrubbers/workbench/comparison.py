"""What another policy would do with the same logs: counts by rule, and how records change, with masked examples."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from scrubbers.engine import Explained, Scrubber
from scrubbers.outcome import Scrubbed
from scrubbers.policy import Policy
from scrubbers.workbench.masked import masked

MAX_CHANGES = 1_000
"""Kinds of changes that are told apart: policies have fewer, but for two large ones that share nothing."""

Named: TypeAlias = tuple[str, str]  # rule, action


@dataclass(slots=True, frozen=True, order=True)
class Change:
    """What happens to a value by the old policy and by the new one; None: it is not found. Both None: the record is
    withheld by one of them, or differs by what single findings do not show."""

    old: Named | None
    new: Named | None

    def __str__(self) -> str:
        if self.old is None and self.new is None:
            return "otherwise"
        if self.old is None or self.new is None:
            rule, action = self.old or self.new or ("", "")
            return f"{rule} ({action}): {'new' if self.new else 'no longer'}"
        if self.old == self.new:
            return f"{self.old[0]} ({self.old[1]}): written otherwise"
        if self.old[0] == self.new[0]:
            return f"{self.old[0]}: {self.old[1]} → {self.new[1]}"
        return "{} ({}) → {} ({})".format(*self.old, *self.new)


@dataclass(slots=True)
class Occurred:
    """How often a change came, and where first."""

    file: str
    line: int
    example: str  # masked
    records: int = 0


def in_force(policy: Policy) -> Scrubber:
    """The scrubber of a policy, also of one that only observes."""
    return Scrubber(policy.model_copy(update={"mode": "enforce"}))


class Comparison:
    """Takes blocks of records through the scrubbers of both policies."""

    def __init__(self, old: Scrubber, new: Scrubber) -> None:
        self.records = 0
        self.differing = 0
        self.counts: tuple[Counter[Named], Counter[Named]] = (Counter(), Counter())
        self.withheld = [0, 0]
        self.changes: dict[Change, Occurred] = {}
        self._scrubbers = (old, new)
        self._file, self._line = "", 0

    def add(self, file: str, body: bytes) -> None:
        """Compare the records of a body; `file` is its name, as the examples give it."""
        if file != self._file:
            self._file, self._line = file, 0
        old, new = (scrubber.scrub(body) for scrubber in self._scrubbers)
        for number, scrubbed in enumerate((old, new)):
            self.counts[number].update(scrubbed.findings)
            self.withheld[number] += len(scrubbed.quarantined)
        lines = body.removesuffix(b"\n").split(b"\n")
        self.records += len(lines)
        if old.body != new.body or old.quarantined != new.quarantined:
            pairs = zip(lines, _outcomes(old, len(lines)), _outcomes(new, len(lines)), strict=True)
            for number, (line, by_old, by_new) in enumerate(pairs, 1):
                if by_old != by_new:
                    self._differs(line, self._line + number, withheld=by_old is None or by_new is None)
        self._line += body.count(b"\n")

    def _differs(self, line: bytes, number: int, *, withheld: bool) -> None:
        self.differing += 1
        changes: dict[Change, str] = {}
        if not withheld:
            old, new = (scrubber.explain(line) for scrubber in self._scrubbers)
            for change, start, end in _changes(old, new):
                changes.setdefault(change, masked(_value(line[start:end])))
        for change, example in (changes or {Change(None, None): ""}).items():
            if change not in self.changes and len(self.changes) < MAX_CHANGES:
                self.changes[change] = Occurred(self._file, number, example)
            if change in self.changes:
                self.changes[change].records += 1


def _outcomes(scrubbed: Scrubbed, count: int) -> Iterator[bytes | None]:
    """What each of the records became; None: it is withheld."""
    after = iter(scrubbed.body.removesuffix(b"\n").split(b"\n"))
    withheld = {record.index for record in scrubbed.quarantined}
    return (None if index in withheld else next(after, b"") for index in range(count))


def _changes(old: list[Explained], new: list[Explained]) -> Iterator[tuple[Change, int, int]]:
    """What only one of them finds, or both but not alike: findings that overlap belong together."""
    known = {_told(each) for each in old} & {_told(each) for each in new}
    left = [each for each in new if _told(each) not in known]
    paired: set[int] = set()
    for each in old:
        if _told(each) in known:
            continue
        partner = next((at for at, other in enumerate(left) if other.start < each.end and each.start < other.end), None)
        instead: Named | None = None
        if partner is not None:
            paired.add(partner)
            instead = left[partner].rule, left[partner].action
        yield Change((each.rule, each.action), instead), each.start, each.end
    for at, each in enumerate(left):
        if at not in paired:
            yield Change(None, (each.rule, each.action)), each.start, each.end


def _value(text: bytes) -> str:
    """A finding's value: of a member that goes as a whole, what stands behind its name."""
    member = _MEMBER.match(text)
    return (member[1] if member else text).decode(errors="replace").strip(' \t\\",')


_MEMBER = re.compile(rb"[ \t,]*\\*\"(?:[^\"\\]|\\.)*\"[ \t]*:(.*)", re.DOTALL)


def _told(finding: Explained) -> tuple[str, str, int, int, bytes]:
    return finding.rule, finding.action, finding.start, finding.end, finding.replacement
