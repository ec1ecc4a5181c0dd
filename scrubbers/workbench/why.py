"""Why a policy finds something in a line, and why it does not: by asking what it would do if it were otherwise.

Nothing here knows how the engine decides. A rule is tried alone, without what a policy may hold against it; what it
finds then and not in the policy is tried with one restriction taken away after the other. Where a rule finds nothing
even alone, the trigger tells where it looked closer, and the same place is tried with its neighbours or digits changed.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from scrubbers.actions import Action
from scrubbers.detectors import DETECTORS
from scrubbers.detectors.detector import Find, Span
from scrubbers.engine import Explained, Resource, Scrubber
from scrubbers.outcome import Scrubbed
from scrubbers.paths import spellings
from scrubbers.plan import BASE64, END, KEY, WHAT, Plan
from scrubbers.policy import Allow, DenyRule, KeyRule, PatternRule, PatternScope, Policy, Scope

Rule: TypeAlias = KeyRule | PatternRule | DenyRule

CONFIDENCE = ("checksum", "context", "shape")  # the surest first
_WINDOW = 64  # bytes around a trigger's report that are changed
_MOST_MISSES = 8  # of one rule in a line
_LEAST = 7  # digits of a number that is tried free of the letters beside it


@dataclass(slots=True, frozen=True)
class Miss:
    """A place in a line that a rule nearly found, and what held it back; no place: the whole line."""

    rule: str
    why: str
    start: int | None = None
    end: int | None = None


@dataclass(slots=True, frozen=True)
class Origin:
    """Where the line is said to come from; None: not said, and every scope holds."""

    signal: str = "logs"
    source: str | None = None
    resource: Resource | None = None


class Inquiry:
    """Answers for one policy; what it compiles is kept for the next line."""

    def __init__(self, policy: Policy, origin: Origin = Origin()) -> None:
        self.scrubber = Scrubber(policy)
        self._policy = policy
        self._origin = origin
        self._rules = _by_name(policy)
        self._scrubbers: dict[tuple[str, str], Scrubber] = {}
        self._plans: dict[str, Plan] = {}

    def findings(self, line: bytes) -> list[tuple[Explained, str]]:
        """What is found, and how sure it is; no confidence where the rule goes by a name or a list."""
        return [(found, self._confidence(line, found)) for found in self._explain(self.scrubber, line)]

    def near_misses(self, line: bytes) -> list[Miss]:
        """What the policy's rules, or detectors that it does not use, nearly found."""
        found = self._explain(self.scrubber, line)
        misses: list[Miss] = []
        for name in dict.fromkeys([*self._rules, *DETECTORS]):
            misses += [miss for miss in self._misses(name, line, found) if miss.start is not None]
        return misses

    def why(self, line: bytes, name: str) -> list[Miss]:
        """Everything about one rule: a detector, `key:NAME`, the name of a key, of a pattern or of a list of values."""
        found = self._explain(self.scrubber, line)
        name = self._named(name)
        told = [Miss(name, "finds this", each.start, each.end) for each in found if each.rule == name]
        told += self._misses(name, line, found, all_of_them=True)
        return told or [Miss(name, self._absent(name, line))]

    def _named(self, name: str) -> str:
        return name if name in self._rules or name in DETECTORS or name.startswith("key:") else f"key:{name}"

    def scrub(self, line: bytes) -> Scrubbed:
        """What becomes of the line."""
        return self._scrub(self.scrubber, line)

    def _scrub(self, scrubber: Scrubber, line: bytes) -> Scrubbed:
        origin = self._origin
        return scrubber.scrub(line, signal=origin.signal, source=origin.source, resource=origin.resource)

    def _explain(self, scrubber: Scrubber, line: bytes) -> list[Explained]:
        """Nothing, where the record is withheld: `scrub` says so."""
        origin = self._origin
        if self._scrub(scrubber, line).quarantined:
            return []
        return scrubber.explain(line, signal=origin.signal, source=origin.source, resource=origin.resource)

    def _confidence(self, line: bytes, found: Explained) -> str:
        if not isinstance(self._rules.get(found.rule), PatternRule):
            return ""
        for level in CONFIDENCE:
            surely = self._scrubber(found.rule, f"at least {level}", min_confidence=level)
            if _overlapping(self._explain(surely, line), found.start, found.end, found.rule):
                return level
        return CONFIDENCE[-1]

    # What a rule finds alone, and what the policy holds against it

    def _misses(
        self, name: str, line: bytes, found: Sequence[Explained], *, all_of_them: bool = False
    ) -> Iterator[Miss]:
        alone = self._explain(self._scrubber(name, "alone"), line)
        for each in alone:
            if _overlapping(found, each.start, each.end, name):
                continue
            by_other = _overlapping(found, each.start, each.end)
            if by_other is None or all_of_them:
                yield Miss(name, self._held_back(name, line, each, by_other), each.start, each.end)
        rule = self._rule(name)
        if isinstance(rule, PatternRule) and rule.regex is not None:
            yield from self._unmet(name, line, [*alone, *found])
        elif isinstance(rule, PatternRule):
            glued = list(self._glued(name, line))
            for miss in dict.fromkeys([*glued, *self._refused(name, line, all_of_them=all_of_them)]):
                if not _overlapping([*alone, *found], miss.start or 0, miss.end or 0):
                    yield miss

    def _unmet(self, name: str, line: bytes, known: Sequence[Explained]) -> Iterator[Miss]:
        """What a pattern of the policy's own would find without its conditions."""
        for why, changes in _CONDITIONS:
            for each in self._explain(self._scrubber(name, why, **changes), line):
                if not _overlapping(known, each.start, each.end):
                    yield Miss(name, why, each.start, each.end)

    def _held_back(self, name: str, line: bytes, alone: Explained, by_other: Explained | None) -> str:
        rule = self._rules.get(name)
        if rule is None:
            return "the policy does not use this rule; listed, it would find this"
        if by_other is not None:
            return f"{by_other.rule} takes it, or more around it"
        for why, changes in _RESTRICTIONS:
            freed = self._scrubber(name, why, **changes, restricted=True)
            if _overlapping(self._explain(freed, line), alone.start, alone.end, name):
                return why
        return "several of keep, allow, min_confidence and scope hold it back"

    def _scrubber(self, name: str, label: str, *, restricted: bool = False, **changes: Any) -> Scrubber:
        key = name, label
        if key not in self._scrubbers:
            self._scrubbers[key] = Scrubber(self._alone(name, changes if restricted else {**_FREE, **changes}))
        return self._scrubbers[key]

    def _alone(self, name: str, changes: Mapping[str, Any]) -> Policy:
        """The policy with one rule, and with changes to both."""
        rule = self._rule(name)
        of_rule = {field: value for field, value in changes.items() if field in type(rule).model_fields}
        if isinstance(rule, PatternRule) and "scope" in of_rule:
            of_rule["scope"] = PatternScope()
        of_policy: dict[str, Any] = {field: value for field, value in changes.items() if field in Policy.model_fields}
        where = "keys" if isinstance(rule, KeyRule) else "deny" if isinstance(rule, DenyRule) else "patterns"
        lists = {"keys": (), "patterns": (), "deny": (), where: (rule.model_copy(update=of_rule),)}
        return self._policy.model_copy(update={**of_policy, **lists})

    def _rule(self, name: str) -> Rule:
        known = self._rules.get(name)
        if known is not None:
            return known
        if name.startswith("key:"):
            return KeyRule.model_validate({"names": [name.removeprefix("key:")]})
        return PatternRule.model_validate({"detector": name})

    # What the trigger reported, and the closer look refused

    def _refused(self, name: str, line: bytes, *, all_of_them: bool) -> list[Miss]:
        plan = self._plan(name)
        text = line.replace(b"\n", b" ") + b"\n"
        misses: dict[tuple[int, int], Miss] = {}
        for hit in plan.scan(text):
            end, what = hit >> END, hit & WHAT
            if what <= BASE64 or what >= KEY or len(misses) >= _MOST_MISSES:
                continue
            for find, *_ in plan.finders[what]:
                if find(text, end) is None and (refused := _why_refused(find, text, end)):
                    why, span = refused
                    if all_of_them or why is not _FORM:
                        misses.setdefault(span, Miss(name, why, *span))
        kept = list(misses.values())
        if any(miss.why is not _FORM for miss in kept):
            return [miss for miss in kept if miss.why is not _FORM]
        return kept

    def _glued(self, name: str, line: bytes) -> Iterator[Miss]:
        """Numbers with a letter beside them: there not even the trigger reports."""
        for run in list(_RUN.finditer(line))[:_MOST_MISSES]:
            start, end = run.span()
            free = _blank(_blank(line, start - 1), end)
            if free != line and end - start >= _LEAST:
                found = _overlapping(self._explain(self._scrubber(name, "alone"), free), start, end, name)
                if found and (found.start, found.end) == (start, end):
                    yield Miss(name, _GUARD, start, end)

    def _plan(self, name: str) -> Plan:
        if name not in self._plans:
            self._plans[name] = Plan(self._alone(name, _FREE))
        return self._plans[name]

    # Nothing came near

    def _absent(self, name: str, line: bytes) -> str:
        if not name.startswith("key:"):
            return "nothing in the line has its shape"
        key = name.removeprefix("key:")
        *before, last = key.split(".")
        if "*" in last:
            return "no key in the line matches this name, or none has a value"
        places = [
            match
            for match in re.finditer(b"|".join(map(re.escape, spellings(last))), line.lower())
            if not (line[match.start() - 1 : match.start()].isalnum() or line[match.end() : match.end() + 1].isalnum())
        ]
        if not places:
            inside = any(spelling in line.lower() for spelling in spellings(last))
            return "its name stands only inside longer words" if inside else "its name does not stand in the line"
        if before and self._explain(self._scrubber(f"key:{last}", "alone"), line):
            return f"`{last}` stands in the line, but not inside `{'.'.join(before)}`"
        return "its name stands in the line, but no value follows it, or one that was replaced before"


_FREE: Mapping[str, Any] = {
    "allow": Allow(documented=False), "min_confidence": "shape", "scope": Scope(), "mode": "enforce", "keep": (),
    "action": Action.REPLACE, "replacement": None,
}  # fmt: skip
"""Nothing that holds a rule back: fields of the rule, of the policy, or of both."""

_RESTRICTIONS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("a rule that stands before it decides", {}),
    ("`keep` holds it: key and shape are those of an identifier", {"keep": ()}),
    ("`allow` lets it stay", {"allow": Allow(documented=False)}),
    ("it is less sure than `min_confidence` asks", {"min_confidence": "shape"}),
    ("the rule's `scope` leaves this place out", {"scope": Scope()}),
)


_CONDITIONS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("none of its `context` words stands near it", {"context": ()}),
    ("its check digits are wrong: the rule's `validator` says no", {"validator": None}),
)


def _by_name(policy: Policy) -> dict[str, Rule]:
    """The rules as findings name them; of several with one name the first decides."""
    named: list[tuple[str, Rule]] = [
        (f"key:{name}", rule.model_copy(update={"names": (name,)})) for rule in policy.keys for name in rule.names
    ]
    named += [(rule.called, rule) for rule in policy.patterns]
    named += [(rule.name, rule) for rule in policy.deny]
    return dict(reversed(named))


def _overlapping(found: Sequence[Explained], start: int, end: int, rule: str | None = None) -> Explained | None:
    return next(
        (each for each in found if each.start < end and start < each.end and (rule is None or each.rule == rule)), None
    )


_FORM = "the closer look said no: it has not the form"
_GUARD = "something stands directly beside it; free, it would be one"
_NUMBER = "its check digits are wrong, or its range is not that of one"

Refused: TypeAlias = tuple[str, Span]


def _why_refused(find: Find, text: bytes, end: int) -> Refused:
    """Try the place again with other digits, and with its neighbours taken away."""
    return _other_numbers(find, text, end) or _set_free(find, text, end) or (_FORM, _token(text, end))


def _other_numbers(find: Find, text: bytes, end: int) -> Refused | None:
    for run in _RUN.finditer(text, max(0, end - _WINDOW), end + _WINDOW):
        digits = [at for at in range(*run.span()) if text[at : at + 1].isdigit()]
        if run.end() < end - 1 or len(digits) < 4:
            continue
        for places, signs in _tries(text, run.start(), run.end(), digits):
            changed = bytearray(text)
            for at, sign in zip(places, signs, strict=True):
                changed[at] = sign
            span = find(bytes(changed), end)
            if span is not None and span[0] <= run.start() and span[1] > digits[-1]:
                return _NUMBER, span
    return None


def _tries(text: bytes, start: int, end: int, digits: list[int]) -> Iterator[tuple[Sequence[int], bytes]]:
    """Other check digits, at the end or behind a country's letters, a check letter, other ranges."""
    pairs = [f"{number:02}".encode() for number in range(100)]
    yield from ((digits[-2:], pair) for pair in pairs)
    yield from ((digits[:3], head) for head in (b"212", b"415", b"536", b"411"))
    if text[end : end + 1].isalpha() and not text[end + 1 : end + 2].isalnum():
        yield from (((end,), bytes([sign])) for sign in b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    if text[start - 2 : start].isalpha():
        yield from ((digits[:2], pair) for pair in pairs)


def _set_free(find: Find, text: bytes, end: int) -> Refused | None:
    low, high = max(0, end - _WINDOW), min(len(text) - 1, end + _WINDOW)
    for at in [*range(end - 1, low - 1, -1), *range(end, high)]:
        if not _beside(text[at]):
            continue
        span = find(text[:at] + b" " + text[at + 1 :], end)
        if span is not None and (span[0] == at + 1 or span[1] == at) and span[1] - span[0] >= 4:
            return _GUARD, span
    return None


def _blank(line: bytes, at: int) -> bytes:
    """The line with the letter there blanked."""
    return line[:at] + b" " + line[at + 1 :] if at >= 0 and line[at : at + 1].isalpha() else line


def _beside(byte: int) -> bool:
    return bytes([byte]).isalnum() or byte in b"-._+:@"


def _token(text: bytes, end: int) -> Span:
    """The word around a trigger's report."""
    start = max(text.rfind(sign, 0, end - 1) for sign in (b" ", b'"', b"\t", b",", b"=")) + 1
    stop = _WORD_END.search(text, end)
    return min(start, end - 1), stop.start() if stop else end


_RUN = re.compile(rb"[0-9](?:[ .()/-]{0,2}[0-9])*")
_WORD_END = re.compile(rb"[\s\",]")
