"""Key matching: which names are personal, in every spelling that the trigger can see.

A name is segments with dots between them; it matches the end of a key's path, whether that is nested or flat. Elements
of arrays are no segments. `*` stands in a segment for any run of characters; as a segment between others for one
segment or none; as the last one for everything below.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import TypeAlias

_SEPARATORS = (b"", b"_", b"-", b" ")
_MAX_WORDS = 5  # of a name whose separators are taken in every combination
_LEAST = 3  # letters of a literal: what is shorter stands everywhere
_MOST_CACHED = 4096

Segment: TypeAlias = Callable[[bytes], object] | None
"""Whether a segment fits, by something true; None: any or none."""


@lru_cache(4096)
def spellings(segment: str) -> frozenset[bytes]:
    """Lower-case spellings of a name's segment.

    Between its words (as the policy writes them: `credit_card`) stands any separator or none, and at one place more a
    separator may stand, so that `e-mail` is `email`. This set *is* the definition of a match: the trigger database is
    made from it and the locators look names up in it, so that neither can be wider than the other.
    """
    words = [word.encode() for word in segment.lower().replace("-", "_").replace(" ", "_").split("_") if word]
    usual = (
        {
            b"".join(map(bytes.__add__, words, (*separators, b"")))
            for separators in product(_SEPARATORS, repeat=len(words) - 1)
        }
        if len(words) <= _MAX_WORDS
        else {separator.join(words) for separator in _SEPARATORS}
    )
    joined = b"".join(words)
    extra = {joined[:at] + mark + joined[at:] for at in range(1, len(joined)) for mark in _SEPARATORS[1:]}
    return frozenset(usual | extra)


def folded(name: str) -> str:
    """A name as two of them are compared that people wrote."""
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def can_be_found(name: str) -> bool:
    """Whether a name with `*` in it has a literal that is long enough to look for."""
    return "*" not in name or any(len(folded(piece)) >= _LEAST for piece in re.split(r"[.*]", name))


class _Glob:
    """A name with `*` in it."""

    def __init__(self, name: str, rule: int) -> None:
        self.rule = rule
        *before, last = name.split(".")
        self.below = last == "*" and bool(before)
        self.before = tuple(_segment(each) for each in reversed(before))
        self.last: Segment = None if self.below else _segment(last)
        ending = last.rpartition("*")[2]
        self.ending = frozenset() if len(folded(ending)) < _LEAST else spellings(ending)
        """Spellings that its keys end in."""
        pieces = [piece for each in (last.split("*"), *(each.split("*") for each in before)) for piece in each]
        nearest = next((piece for piece in pieces if len(folded(piece)) >= _LEAST), "")
        self.pieces = frozenset() if self.ending or not nearest else spellings(nearest)
        """Spellings of which one stands in its keys, or in keys around them, where it has no ending."""
        self.around = nearest not in last.split("*")

    def matches(self, path: Sequence[bytes]) -> bool:
        if self.below:
            return any(_fits(self.before, path, at) for at in range(1, len(path)))
        return bool(self.last is None or self.last(path[0])) and _fits(self.before, path, 1)


def _segment(pattern: str) -> Segment:
    if pattern == "*":
        return None
    if "*" not in pattern:
        return spellings(pattern).__contains__
    pieces = (
        b"|".join(map(re.escape, sorted(spellings(piece), key=len, reverse=True))) if folded(piece) else b""
        for piece in pattern.split("*")
    )
    return re.compile(b".*".join(b"(?:" + piece + b")" for piece in pieces), re.DOTALL).fullmatch


def _fits(wanted: Sequence[Segment], path: Sequence[bytes], at: int) -> bool:
    for number, segment in enumerate(wanted):
        if segment is None:
            rest = wanted[number + 1 :]
            return _fits(rest, path, at) or (at < len(path) and _fits(rest, path, at + 1))
        if at >= len(path) or not segment(path[at]):
            return False
        at += 1
    return True


class Names:
    """The names of all key rules, looked up by the path of a key.

    A name that is written out wins over one with `*`; among the same kind the earlier rule wins.
    """

    def __init__(self, rules: Iterable[Iterable[str]], undecided: "Names | None" = None) -> None:
        """`undecided`: what these may match never decides by itself, since something else has a say."""
        self.spelled: dict[bytes, int] = {}
        """Every spelling of the names of one segment → rule: nearly all names."""
        self._longer: dict[bytes, list[tuple[tuple[frozenset[bytes], ...], int]]] = {}
        self._globs: list[_Glob] = []
        for rule, names in enumerate(rules):
            for name in names:
                if "*" in name:
                    self._globs.append(_Glob(name, rule))
                    continue
                *before, last = name.split(".")
                for spelling in spellings(last):
                    if before:
                        wanted = tuple(spellings(segment) for segment in reversed(before))
                        self._longer.setdefault(spelling, []).append((wanted, rule))
                    else:
                        self.spelled.setdefault(spelling, rule)
        self._undecided = undecided
        self._lasts = frozenset(self.spelled) | frozenset(self._longer)
        self.endings = self._lasts.union(*(glob.ending for glob in self._globs))
        """Every spelling that a personal key can end in; but see `pieces`."""
        self.pieces: frozenset[bytes] = frozenset().union(*(glob.pieces for glob in self._globs))
        """Spellings of which one stands in a personal key, or in a key around it, that has none of the endings."""
        self.around = any(glob.around for glob in self._globs)
        """Whether a key may be personal for what stands in keys around it alone."""
        self.decided = {
            spelling: rule
            for spelling, rule in self.spelled.items()
            if all(rule <= other for _, other in self._longer.get(spelling, ()))
            and not (undecided and undecided.may_end(spelling))
        }
        """The spellings that decide by themselves, whatever they stand in: the fast path's whole question."""
        self._cache: dict[bytes, int | None] = {}
        self._flat: dict[bytes, int | None] = {}

    def rule(self, path: Sequence[bytes]) -> int | None:
        """The first rule that a key at this path falls under. `path`: lower-case segments, the innermost first."""
        found = [
            rule
            for wanted, rule in self._longer.get(path[0], ())
            if len(wanted) < len(path) and all(map(_contains, wanted, path[1:]))
        ]
        if path[0] in self.spelled:
            found.append(self.spelled[path[0]])
        if found or not self._globs:
            return min(found, default=None)
        return next((glob.rule for glob in self._globs if glob.matches(path)), None)

    def decide(self, last: bytes) -> int | None:
        """The rule of a key that ends in this segment, if that alone decides."""
        number = self.decided.get(last)
        if number is not None or not self._globs or last in self._lasts:
            return number
        if last not in self._cache:
            if len(self._cache) > _MOST_CACHED:
                self._cache.clear()
            self._cache[last] = self._by_glob(last)
        return self._cache[last]

    def decide_whole(self, name: bytes) -> int | None:
        """The rule of a key of this name, lower-case, if the name decides: its last segment, or all of it as a flat
        path (`db.statement.parameters`), whatever it stands in.
        """
        last = name[name.rfind(b".") + 1 :]
        number = self.decide(last)
        if number is not None or last not in self._longer or len(last) == len(name):
            return number
        if name not in self._flat:
            if len(self._flat) > _MOST_CACHED:
                self._flat.clear()
            self._flat[name] = self._by_flat_path(name.split(b".")[::-1])
        return self._flat[name]

    def _by_flat_path(self, path: Sequence[bytes]) -> int | None:
        if self._undecided and self._undecided.may_end(path[0]):
            return None
        rule = self.rule(path)
        # Around the key there may be what an earlier rule asks for, or any that is written out, if this one is not.
        others = [other for _, other in self._longer[path[0]]]
        if rule is None or rule > min(others) or (rule not in others and rule != self.spelled.get(path[0])):
            return None
        return rule

    def _by_glob(self, last: bytes) -> int | None:
        if self._undecided and self._undecided.may_end(last):
            return None
        first = next(self._may_end(last), None)
        return None if first is None or first.below or first.before else first.rule

    def may_end(self, last: bytes) -> bool:
        """Whether a key that ends in this segment may fall under a rule."""
        return last in self._lasts or next(self._may_end(last), None) is not None

    def _may_end(self, last: bytes) -> Iterator[_Glob]:
        return (glob for glob in self._globs if glob.last is None or glob.last(last))

    @property
    def tails(self) -> "frozenset[bytes] | _Everything":
        """The last three bytes of every spelling that a key can end in."""
        if self._globs or any(len(name) < 3 for name in self._lasts):
            return _Everything()
        return frozenset(name[-3:] for name in self._lasts)


class _Everything:
    def __contains__(self, _: object) -> bool:
        return True


def _contains(names: frozenset[bytes], name: bytes) -> bool:
    return name in names
