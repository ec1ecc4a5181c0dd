"""What a policy leaves in real logs that looks personal: counted by key path, in bounded memory, no value kept.

The policy scrubs first; what is left of each record is taken apart and looked at three ways: by every detector there
is, also those that the policy does not use; by names that sound personal; by what values look like. Of a value a
masked example stays, and nothing else: how many differ is told from 32-bit checksums.
"""

import json
import math
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from scrubbers.detectors import DETECTORS
from scrubbers.engine import Scrubber
from scrubbers.paths import Names
from scrubbers.policy import Policy
from scrubbers.workbench.leaves import Leaf, Notation, leaves
from scrubbers.workbench.likeness import LOOKS, Kind, kind_of, shape
from scrubbers.workbench.masked import masked

MAX_PATHS = 4_000
MAX_CHILDREN = 200
"""Keys below one path that are told apart. More are data themselves (a map by user, say): all are one `*` then."""
MAX_RECORD = 1 << 20  # bytes
_EACH_OF = 200  # values of a path that are looked at one by one; of those that follow, every _ONE_IN-th
_ONE_IN = 8
_SHAPES = 32
_DISTINCT = 128  # checksums kept of a path's values: the smallest ones tell how many there are
_ANY = "*"

Place = tuple[Notation, tuple[str, ...]]


@dataclass(slots=True)
class Seen:
    """What was seen at one path."""

    values: int = 0
    records: int = 0
    looked: int = 0
    last: int = -1  # the record that was counted last
    kind: Kind | None = None
    fitting: int = 0  # values that bear out what the name says
    whole: Counter[str] = field(default_factory=Counter)  # by detector: values that are one
    within: Counter[str] = field(default_factory=Counter)  # and values that hold one
    looks: Counter[str] = field(default_factory=Counter)
    shapes: Counter[str] = field(default_factory=Counter)
    sums: set[int] = field(default_factory=set)
    examples: dict[str, str] = field(default_factory=dict)  # by reason, masked

    def differ(self) -> float:
        """How many of the values differ, estimated, as a share of those that were looked at."""
        if len(self.sums) < _DISTINCT:
            return len(self.sums) / max(1, self.looked)
        return min(1.0, (_DISTINCT - 1) / (max(self.sums) / 2**32) / self.looked)

    def disorder(self) -> float:
        """The entropy of the values' shapes, in bits: 0 where all are of one shape."""
        total = self.shapes.total()
        return -sum(n / total * math.log2(n / total) for n in self.shapes.values()) if total else 0.0

    def absorb(self, other: "Seen") -> None:
        """Take over what was seen at another path, which is no longer told apart from this one."""
        self.values += other.values
        self.records += other.records - (self.last == other.last)
        self.last = max(self.last, other.last)
        self.looked += other.looked
        self.fitting += other.fitting
        for name in ("whole", "within", "looks", "shapes"):
            getattr(self, name).update(getattr(other, name))
        self.sums = set(sorted(self.sums | other.sums)[:_DISTINCT])
        self.examples = other.examples | self.examples


class Observation:
    """Takes blocks of records and counts. `policy`: what is in force; what it finds is not looked at again."""

    def __init__(self, policy: Policy) -> None:
        self.records = 0
        self.findings = 0  # of the policy
        self.skipped = 0  # records that were withheld
        self.crowded = 0  # values at paths that were not counted, for there were too many
        self.seen: dict[Place, Seen] = {}
        self._policy = Scrubber(_enforced(policy))
        self._all = _every_detector(*_let_stay(policy))
        self._named = (Names(rule.names for rule in policy.keys), Names(rule.names for rule in policy.keep))
        self._resolved: dict[Place, Seen | None] = {}
        self._children: dict[Place, dict[str, str]] = {}
        self._crowded: set[Place] = set()

    def add(self, block: bytes) -> None:
        r"""Look at records, each ended by `\n`."""
        scrubbed = self._policy.scrub(block)
        self.findings += sum(scrubbed.findings.values())
        self.skipped += len(scrubbed.quarantined)
        self.records += len(scrubbed.quarantined)
        body = scrubbed.body
        suspect = bool(self._all.scrub(body).findings)
        for record in body.split(b"\n"):
            if record:
                self.records += 1
                self._record(record, suspect and bool(self._all.scrub(record).findings))

    def _record(self, record: bytes, suspect: bool) -> None:
        for leaf in leaves(record):
            if not leaf.value or _is_scrubbed(leaf.value):
                continue
            place = leaf.notation, leaf.path
            seen = self._resolved[place] if place in self._resolved else self._resolve(place)
            if seen is None:
                continue
            seen.values += 1
            if seen.last != self.records:
                seen.last = self.records
                seen.records += 1
            if seen.values <= _EACH_OF or seen.values % _ONE_IN == 0:
                self._look(leaf, seen, suspect)

    def _resolve(self, place: Place) -> Seen | None:
        """Where values at a path are counted; None: the policy knows the name, or it says nothing."""
        if len(self._resolved) >= 4 * MAX_PATHS:
            self._resolved.clear()
        notation, path = place
        kind = kind_of(path)
        prose = notation is Notation.TEXT and kind is None  # half of all prose is `word: word`
        if prose or (path and self._covers(path)):
            self._resolved[place] = None
            return None
        told: tuple[str, ...] = ()
        for key in path:
            told = (*told, self._key((notation, told), key))
        seen = self.seen.get((notation, told))
        if seen is None:
            if len(self.seen) >= MAX_PATHS:
                self.crowded += 1
                return None
            seen = self.seen[notation, told] = Seen(kind=kind)
        self._resolved[place] = seen
        return seen

    def _covers(self, path: tuple[str, ...]) -> bool:
        segments = [segment for key in reversed(path) for segment in reversed(key.lower().encode().split(b"."))]
        return any(names.rule(segments) is not None for names in self._named)

    def _key(self, parent: Place, key: str) -> str:
        if parent in self._crowded:
            return key if _sounds(parent, key) else _ANY
        names = self._children.setdefault(parent, {})
        if key not in names:
            if len(names) >= MAX_CHILDREN:
                self._crowd(parent)
                return self._key(parent, key)
            names[key] = _ANY if _is_data(key) or self._all.scrub(key.encode()).findings else key
        return names[key]

    def _crowd(self, parent: Place) -> None:
        """Too many keys stand below one path: from now on they are one, and what was counted comes together."""
        self._crowded.add(parent)
        self._resolved.clear()
        del self._children[parent]
        notation, path = parent
        depth = len(path)
        for place in [place for place in self.seen if place[0] == notation and place[1][:depth] == path]:
            if len(place[1]) > depth and not _sounds(parent, place[1][depth]):
                merged = notation, (*path, _ANY, *place[1][depth + 1 :])
                if merged != place:
                    gone = self.seen.pop(place)
                    self.seen.setdefault(merged, Seen(kind=gone.kind)).absorb(gone)
        for below in [each for each in self._children if each[0] == notation and each[1][:depth] == path]:
            if len(below[1]) > depth and below[1][depth] != _ANY and not _sounds(parent, below[1][depth]):
                del self._children[below]

    def _look(self, leaf: Leaf, seen: Seen, suspect: bool) -> None:
        value = leaf.value
        seen.looked += 1
        if seen.kind is not None and seen.kind.fits(value):
            seen.fitting += 1
            seen.examples.setdefault(seen.kind.name, masked(value))
        for look in LOOKS:
            if not leaf.number and look.fits(value):
                seen.looks[look.name] += 1
                seen.examples.setdefault(look.name, masked(value))
        if suspect:
            self._detect(value, seen)
        kept = shape(value)
        if kept in seen.shapes or len(seen.shapes) < _SHAPES:
            seen.shapes[kept] += 1
        _note(zlib.crc32(value.encode(errors="replace")), seen.sums)

    def _detect(self, value: str, seen: Seen) -> None:
        text = value.encode(errors="replace")
        found: dict[str, bool] = {}
        for each in self._all.explain(text):
            found[each.rule] = found.get(each.rule, False) or (each.start == 0 and each.end == len(text))
            seen.examples.setdefault(each.rule, masked(text[each.start : each.end].decode(errors="replace")))
        for rule, whole in found.items():
            (seen.whole if whole else seen.within)[rule] += 1


def _note(checksum: int, sums: set[int]) -> None:
    """Keep the smallest ones."""
    if len(sums) < _DISTINCT:
        sums.add(checksum)
    elif checksum not in sums and checksum < (largest := max(sums)):
        sums.remove(largest)
        sums.add(checksum)


def _enforced(policy: Policy) -> Policy:
    """The policy with all its rules in force: what is only counted today is known all the same."""
    lists = {
        name: tuple(rule.model_copy(update={"mode": "enforce"}) for rule in getattr(policy, name))
        for name in ("keys", "patterns", "deny")
    }
    return policy.model_copy(update={"mode": "enforce", **lists})


def _let_stay(policy: Policy) -> tuple[str, str]:
    """What the policy lets stay on purpose, as JSON: identifiers, and values by detector."""
    keep = json.dumps([rule.model_dump(mode="json") for rule in policy.keep])
    allow = {rule.detector: rule.allow.model_dump(mode="json") for rule in policy.patterns if rule.detector}
    return keep, json.dumps({"": policy.allow.model_dump(mode="json"), **allow})


@lru_cache(4)
def _every_detector(keep: str, allow: str) -> Scrubber:
    """All detectors at their least confidence; what is kept and allowed stays so."""
    allowed = json.loads(allow)
    patterns = [{"detector": name, "allow": allowed.get(name, {})} for name in DETECTORS]
    return Scrubber(Policy.model_validate({"patterns": patterns, "keep": json.loads(keep), "allow": allowed[""]}))


def _is_scrubbed(value: str) -> bool:
    return value.startswith(("[REDACTED:", "[HMAC:")) or value.count("*") * 2 >= len(value)


def _sounds(parent: Place, key: str) -> bool:
    """Whether a key is told apart however many stand beside it."""
    return kind_of((*parent[1], key)) is not None and not _is_data(key)


def _is_data(key: str) -> bool:
    """Whether a key is an identifier, an address, a sentence: no name that somebody gave to a field."""
    return (
        len(key) > 48
        or not key.replace("_", "").replace("-", "").replace(".", "").replace(" ", "").isalnum()
        or (sum(map(str.isdigit, key)) >= 4)
    )


Findings = Mapping[Place, Seen]


def places(seen: Findings) -> Iterator[tuple[Place, Seen]]:
    """By path, the most frequent first."""
    yield from sorted(seen.items(), key=lambda each: (-each[1].records, each[0]))
