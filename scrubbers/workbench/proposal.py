"""What was observed → rules to think about, as YAML that loads: likely ones as rules, possible ones as comments."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scrubbers.paths import Names
from scrubbers.policy import Policy
from scrubbers.workbench.likeness import LOOKS, near_somebody, words
from scrubbers.workbench.observation import Observation, Place, Seen, places

MAX_SUGGESTIONS = 200
_WHOLE = 0.3  # of a path's values: fewer that a detector takes for its own are chance (one in ten fits a check digit)
_FITTING = 0.5
_FEW_SHAPES = 1.0  # bits
_DIFFERENT = 0.8  # of the values
_ENOUGH = 3  # values to go by, where only their look speaks


@dataclass(slots=True, frozen=True)
class Suggestion:
    """A rule that would have found something. `key` is the name to list, or `detector` the one to list."""

    place: Place
    why: str
    likely: bool
    values: int
    records: int
    example: str  # masked
    key: str = ""
    detector: str = ""

    @property
    def path(self) -> str:
        return ".".join(self.place[1]) or "(no key)"

    @property
    def rule(self) -> str:
        return f"detector {self.detector}" if self.detector else f"key {self.key}" if self.key else "no name to go by"


def suggestions(observed: Observation, policy: Policy) -> list[Suggestion]:
    """At most MAX_SUGGESTIONS, the likely ones first, each by how many records it would touch."""
    listed = {rule.called for rule in policy.patterns}
    naming = _Naming(observed)
    found: list[Suggestion] = []
    for place, seen in places(observed.seen):
        found += _of(place, seen, listed, naming)
    found.sort(key=lambda each: (not each.likely, -each.records, each.path))
    return found[:MAX_SUGGESTIONS]


def _of(place: Place, seen: Seen, listed: set[str], naming: "_Naming") -> Iterator[Suggestion]:
    reasons = list(_reasons(place, seen))
    if place[1] and reasons:
        why, likely, label = max(reasons, key=lambda reason: reason[1])
        yield Suggestion(place, why, likely, seen.values, seen.records, seen.examples.get(label, ""), naming.key(place))
        return
    for detector, count in (seen.within + seen.whole).most_common():
        chance = not seen.within[detector] and count < _WHOLE * seen.looked
        if detector not in listed and not chance:
            values, records = (max(1, round(n * count / seen.looked)) for n in (seen.values, seen.records))
            yield Suggestion(
                place, f"text that holds {detector}", True, values, records, seen.examples[detector],
                detector=detector,
            )  # fmt: skip


def _reasons(place: Place, seen: Seen) -> Iterator[tuple[str, bool, str]]:
    """(why, whether it is likely, whose example) of a key, from the strongest on."""
    for detector, count in seen.whole.most_common(1):
        if count >= _WHOLE * seen.looked:
            yield f"{count / seen.looked:.0%} of the values are {detector}", True, detector
    if seen.kind is not None and seen.fitting >= _FITTING * seen.looked and seen.fitting:
        yield f"sounds like {seen.kind.name}", seen.kind.certain, seen.kind.name
    for look in LOOKS:
        count = seen.looks[look.name]
        if count >= max(_ENOUGH, look.share * seen.looked) and seen.differ() >= look.distinct:
            yield f"looks like {look.name}", False, look.name
    if (
        near_somebody(place[1])
        and seen.looked >= _ENOUGH
        and seen.disorder() <= _FEW_SHAPES
        and seen.differ() >= _DIFFERENT
    ):
        yield "one shape, nearly all different, of somebody", False, ""


class _Naming:
    """The shortest name for a path that means it and not what else is called so."""

    def __init__(self, observed: Observation) -> None:
        self._personal: dict[str, list[bool]] = defaultdict(list)
        for place, seen in observed.seen.items():
            if place[1]:
                self._personal[place[1][-1].lower()].append(any(True for _ in _reasons(place, seen)))

    def key(self, place: Place) -> str:
        """Empty where the path's last keys are not names that a policy can hold."""
        path = place[1]
        wanted = 1 if all(self._personal[path[-1].lower()]) and not _is_common(path[-1]) else 2
        for keys in (path[-wanted:], path[-1:]):
            name = ".".join(map(_snake, keys))
            if _matches(name, path):
                return name
        return ""


def _is_common(name: str) -> bool:
    """Words that mean nothing without what they stand in."""
    return words(name) in {(each,) for each in ("id", "name", "value", "number", "no", "code", "key", "text", "data")}


def _matches(name: str, path: tuple[str, ...]) -> bool:
    """Whether a rule with this name would apply to the path: the last word is the engine's."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_]*(\.[a-z0-9][a-z0-9_]*)*", name):
        return False
    segments = [segment for key in reversed(path) for segment in reversed(key.lower().encode().split(b"."))]
    return Names([[name]]).rule(segments) is not None


def _snake(name: str) -> str:
    """A key as a policy writes it: `custBirthDate` → `cust_birth_date`."""
    return re.sub(r"[- ]", "_", _HUMP.sub("_", name)).lower()


_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def as_yaml(suggested: Sequence[Suggestion], records: int, extends: str = "default") -> str:
    """A policy file of the suggestions; possible ones are comments in their places. It loads as it is.

    `extends` is the policy that was in force: a preset, or a path from where this file will stand.
    """
    keys = _entries([each for each in suggested if each.key])
    detectors = _entries([each for each in suggested if each.detector])
    lines = [
        f"# Suggested from {records:,} records: look at each, keep what is right, and test it.",
        "version: 1",
        f"extends: {json.dumps(extends)}",
        *_section(["keys:", "  - names:"], "      - ", keys),
        *_section(["patterns:"], "  - detector: ", detectors),
    ]
    if nameless := sum(not each.key and not each.detector for each in suggested):
        lines.append(f"# Beside these {nameless} that have keys which a policy cannot name.")
    return "\n".join([*lines, ""])


@dataclass(slots=True, frozen=True)
class _Entry:
    name: str
    likely: bool
    why: str


def _entries(suggested: Sequence[Suggestion]) -> list[_Entry]:
    """One for each name, whatever the number of places."""
    by_name: dict[str, list[Suggestion]] = defaultdict(list)
    for each in suggested:
        by_name[each.key or each.detector].append(each)
    entries = []
    for name, of_name in by_name.items():
        first = of_name[0]
        shown = f", such as {first.example}" if first.example else ""
        values = sum(each.values for each in of_name)
        counted = f"{values:,} value{'s' * (values != 1)}"
        entries.append(_Entry(name, first.likely, f"{counted}: {first.why}{shown}"))
    return entries


def _section(head: list[str], indent: str, entries: list[_Entry]) -> Iterator[str]:
    off = "" if any(entry.likely for entry in entries) else "# "  # a list without a member is no list
    if entries:
        yield from (off + line for line in head)
    for entry in entries:
        if entry.likely:
            yield f"{indent}{_scalar(entry.name)} # {entry.why}"
        elif off:
            yield f"{off}{indent}{_scalar(entry.name)} # possible: {entry.why}"
        else:
            yield f"{indent.replace('- ', '# - ', 1)}{_scalar(entry.name)} # possible: {entry.why}"


def _scalar(name: str) -> str:
    """Quoted where YAML would take it for something else than text."""
    return name if re.fullmatch(r"[a-z][a-z0-9_.]*", name) and name not in ("true", "false", "null") else f'"{name}"'
