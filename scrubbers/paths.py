"""Key matching: which names are personal, in every spelling that the trigger can see."""

from collections.abc import Container, Iterable, Sequence
from itertools import product
from operator import contains

_SEPARATORS = (b"", b"_", b"-", b" ")
_MAX_WORDS = 5  # of a name whose separators are taken in every combination


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


class Names:
    """The names of all key rules, looked up by the path of a key. Earlier rules win over later ones."""

    def __init__(self, rules: Iterable[Iterable[str]], undecided: Container[bytes] = ()) -> None:
        """`undecided`: spellings that never decide by themselves, since something else may have a say."""
        self.spelled: dict[bytes, int] = {}
        """Every spelling of the names of one segment → rule: nearly all names."""
        self._longer: dict[bytes, list[tuple[tuple[frozenset[bytes], ...], int]]] = {}
        for rule, names in enumerate(rules):
            for name in names:
                *before, last = name.split(".")
                for spelling in spellings(last):
                    if before:
                        wanted = tuple(spellings(segment) for segment in reversed(before))
                        self._longer.setdefault(spelling, []).append((wanted, rule))
                    else:
                        self.spelled.setdefault(spelling, rule)
        self.lasts = frozenset(self.spelled) | frozenset(self._longer)
        """Every spelling that a personal key can end in."""
        self.decided = {
            spelling: rule
            for spelling, rule in self.spelled.items()
            if spelling not in undecided and all(rule <= other for _, other in self._longer.get(spelling, ()))
        }
        """The spellings that decide by themselves, whatever they stand in: the fast path's whole question."""

    def rule(self, path: Sequence[bytes]) -> int | None:
        """The first rule that a key at this path falls under. `path`: lower-case segments, the innermost first."""
        found = [
            rule
            for wanted, rule in self._longer.get(path[0], ())
            if len(wanted) < len(path) and all(map(contains, wanted, path[1:]))
        ]
        if path[0] in self.spelled:
            found.append(self.spelled[path[0]])
        return min(found, default=None)
