r"""From a person's regular expression to a Hyperscan expression that reports inside of all that it matches.

The tree that the `regex` module itself runs is walked, and a new expression is written from it: a person's text is
never given to Hyperscan, which reads some of it otherwise (`[[a-z]--[aeiou]]`, `{e<=1}`). What is written may match
more, never less:
- what looks around without taking anything (`\b`, `^`, `(?<=…)`) is left out;
- what repeats at the ends stands there as often as it must;
- a character beyond ASCII is some bytes; one that JSON escapes may stand escaped (`\n`, `\"`).
A node that is not known makes the expression slow: then its longest known part is looked for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import regex
from regex import _regex
from regex import _regex_core as core

LEAST = 3  # characters that must be looked for: fewer stand everywhere
_MOST_COUNTED = 32  # repeats that are counted: each is a state of the automaton
_MOST_BYTES = 4  # of a character in UTF-8

_ESCAPED = frozenset(b'\b\f\n\r\t"\\/')
_ESCAPE = rb"\\+[\"\\/bfnrt]"
_BEYOND = rb"[\x80-\xff]"

_LOOKS_AROUND = (
    core.Boundary, core.DefaultBoundary, core.DefaultEndOfWord, core.DefaultStartOfWord, core.EndOfLine,
    core.EndOfLineU, core.EndOfString, core.EndOfStringLine, core.EndOfStringLineU, core.EndOfWord, core.StartOfLine,
    core.StartOfLineU, core.StartOfString, core.StartOfWord, core.LookAround,
)  # fmt: skip


@dataclass(slots=True, frozen=True)
class Emitted:
    """An expression for Hyperscan. `width`: the characters that it takes at least; `slow`: what is not known in it."""

    expression: bytes
    width: int
    slow: str | None = None


@dataclass(slots=True, frozen=True)
class _Chars:
    """One character out of a set: of ASCII these, and perhaps any beyond."""

    ascii: frozenset[int]
    beyond: bool

    def emit(self) -> bytes:
        ways = [_class(self.ascii)] if self.ascii else []
        if self.beyond:
            ways.append(_BEYOND + b"{1,%d}" % _MOST_BYTES)
        if self.ascii & _ESCAPED:
            ways.append(_ESCAPE)
        return ways[0] if len(ways) == 1 else b"(?:" + b"|".join(ways) + b")"

    def emit_many(self, least: int, most: int | None) -> bytes:
        """One class for all of them, blurred: small automata."""
        if self.ascii & _ESCAPED:
            most = None
        elif self.beyond and most is not None:
            most *= _MOST_BYTES
        return self.blurred() + _count(least, most)

    def blurred(self) -> bytes:
        """All bytes that may be of such a character."""
        escaped = frozenset(b'\\"/bfnrt') if self.ascii & _ESCAPED else frozenset()
        return _class(self.ascii | escaped, beyond=self.beyond)


@dataclass(slots=True, frozen=True)
class _Many:
    item: "_Item"
    least: int
    most: int | None
    edge: bool = False  # at an end of what is looked for: as many bytes as there are characters at least will do


@dataclass(slots=True, frozen=True)
class _Row:
    items: "tuple[_Item, ...]"


@dataclass(slots=True, frozen=True)
class _Either:
    ways: "tuple[_Item, ...]"


@dataclass(slots=True, frozen=True)
class _Unknown:
    what: str


_Item: TypeAlias = "_Chars | bytes | _Many | _Row | _Either | _Unknown"


def emit(expression: str) -> Emitted:
    """The Hyperscan expression for one in the syntax of the `regex` module. Raises regex.error, ValueError."""
    tree, flags = _parsed(expression)
    item = _item(tree, flags)
    unknown = next(_unknown(item), None)
    if unknown is None:
        item = _trimmed(_trimmed(item, last=True), last=False)
        return Emitted(_emit(item), _width(item))
    parts = [_trimmed(_trimmed(part, last=True), last=False) for part in _known_parts(item)]
    best = max(parts, key=_width, default=_Row(()))
    return Emitted(_emit(best), _width(best), slow=unknown)


def _parsed(expression: str) -> tuple[Any, int]:
    flags = int(regex.VERSION0)
    while True:
        try:
            source = core.Source(expression)
            info = core.Info(flags, source.char_type, {})
            info.guess_encoding = core.UNICODE
            source.ignore_space = bool(info.flags & regex.VERBOSE)
            tree = core._parse_pattern(source, info)
            break
        except core._UnscopedFlagSet:
            flags = info.global_flags
    if info.flags & regex.REVERSE:
        raise ValueError("searches backwards")
    if not info.flags & (regex.ASCII | regex.LOCALE | regex.UNICODE):
        info.flags |= regex.UNICODE
    tree.fix_groups(expression, False, False)
    return tree, int(info.flags)


# The regex module's nodes → ours


def _item(node: Any, flags: int) -> "_Item":
    match node:
        case core.Sequence():
            return _Row(tuple(_item(each, flags) for each in node.items))
        case core.StringSet():
            return _Unknown("a named list")
        case core.Branch():
            return _Either(tuple(_item(each, flags) for each in node.branches))
        case core.Group() | core.Atomic():
            return _item(node.subpattern, flags)
        case core.GreedyRepeat():  # and its kinds
            return _Many(_item(node.subpattern, flags), node.min_count, node.max_count)
        case core.String():
            return _Row(tuple(_characters(code, node.case_flags, flags) for code in node.characters))
        case core.Character() if node.positive and not node.zerowidth:
            return _characters(node.value, node.case_flags, flags)
        case core.Any():
            return _Chars(frozenset(range(128)) - (frozenset() if type(node) is core.AnyAll else {0x0A}), beyond=True)
        case core.Character() | core.Property() | core.Range() | core.SetBase() if not node.zerowidth:
            return _set(node, flags)
        case _ if type(node) in _LOOKS_AROUND:
            return _Row(())
        case _:
            return _Unknown(_NAMES.get(type(node).__name__, type(node).__name__))


_NAMES = {
    "RefGroup": "a reference to a group",
    "Fuzzy": "an approximate match",
    "Conditional": "a condition",
    "LookAroundConditional": "a condition",
    "CallGroup": "a recursion",
    "CallRef": "a recursion",
    "Grapheme": r"\X",
    "Keep": r"\K",
    "SearchAnchor": r"\G",
}


def _characters(code: int, case: int, flags: int) -> "_Item":
    """One character, in every case that it may have."""
    if case & core.FULLCASE:
        return _Unknown("full case folding")
    codes = sorted({code, *_regex.get_all_cases(flags, code)}) if case else [code]
    plain = frozenset(each for each in codes if each < 128)
    beyond = [chr(each).encode("utf-8", "surrogatepass") for each in codes if each >= 128]
    if not beyond:
        return _Chars(plain, beyond=False)
    ways: list[_Item] = [*([_Chars(plain, beyond=False)] if plain else []), *beyond]
    return ways[0] if len(ways) == 1 else _Either(tuple(ways))


def _set(node: Any, flags: int) -> "_Item":
    if getattr(node, "case_flags", 0) & core.FULLCASE:
        return _Unknown("full case folding")
    if isinstance(node, core.SetBase):
        found = [_set(each, flags) for each in node.items]
        if any(isinstance(each, _Unknown) for each in found):
            return _Unknown("a set")
    case = bool(getattr(node, "case_flags", 0)) or bool(flags & regex.IGNORECASE)

    def has(code: int) -> bool:
        return any(node.matches(each) for each in ({code, *_regex.get_all_cases(flags, code)} if case else {code}))

    plain = frozenset(code for code in range(128) if has(code))
    return _Chars(plain, beyond=not _only_ascii(node) or case)


def _only_ascii(node: Any) -> bool:
    """Whether a set surely holds nothing beyond ASCII."""
    match node:
        case core.Character():
            return bool(node.positive and node.value < 128)
        case core.Range():
            return bool(node.positive and node.upper < 128)
        case core.SetUnion():
            return bool(node.positive and all(map(_only_ascii, node.items)))
        case _:
            return False


# Ours → what is looked for


def _unknown(item: "_Item") -> Iterator[str]:
    match item:
        case _Unknown():
            yield item.what
        case _Many():
            yield from _unknown(item.item)
        case _Row():
            for each in item.items:
                yield from _unknown(each)
        case _Either():
            for each in item.ways:
                yield from _unknown(each)


def _known_parts(item: "_Item") -> Iterator["_Item"]:
    """Runs of known things in a row, one of which stands in every match."""
    items = list(_flat(item))
    run: list[_Item] = []
    for each in items:
        if next(_unknown(each), None) is None:
            run.append(each)
        elif run:
            yield _Row(tuple(run))
            run = []
    if run:
        yield _Row(tuple(run))


def _flat(item: "_Item") -> Iterator["_Item"]:
    if isinstance(item, _Row):
        for each in item.items:
            yield from _flat(each)
    else:
        yield item


def _trimmed(item: "_Item", *, last: bool) -> "_Item":
    """The same with what repeats at one end as often as it must be there: any part of a match will do."""
    match item:
        case _Row():
            items = list(_flat(item))
            while items:
                end = _trimmed(items[-1 if last else 0], last=last)
                if end == _Row(()):
                    items.pop(-1 if last else 0)
                    continue
                items[-1 if last else 0] = end
                break
            return _Row(tuple(items))
        case _Either():
            return _Either(tuple(_trimmed(each, last=last) for each in item.ways))
        case _Many():
            return _Row(()) if item.least == 0 else _Many(item.item, item.least, item.least, edge=True)
        case _:
            return item


def _width(item: "_Item") -> int:
    match item:
        case _Many():
            return item.least * _width(item.item)
        case _Row():
            return sum(map(_width, item.items))
        case _Either():
            return min(map(_width, item.ways), default=0)
        case bytes() | _Chars():
            return 1
        case _:
            return 0


def _emit(item: "_Item") -> bytes:
    match item:
        case bytes():
            return _bytes(item)
        case _Chars():
            return item.emit()
        case _Many(item=_Chars() as chars, edge=True):
            return chars.blurred() + _count(item.least, item.least)
        case _Many(item=_Chars() as chars) if (item.least, item.most) != (0, 1):
            return chars.emit_many(item.least, item.most)
        case _Many():
            return b"(?:" + _emit(item.item) + b")" + _count(item.least, item.most)
        case _Row():
            return b"".join(map(_emit, item.items))
        case _Either():
            return b"(?:" + b"|".join(map(_emit, item.ways)) + b")"
        case _Unknown():
            raise ValueError(item.what)


def _count(least: int, most: int | None) -> bytes:
    least = min(least, _MOST_COUNTED)
    if most is None or most > _MOST_COUNTED:
        return b"{%d,}" % least
    return b"{%d}" % least if least == most else b"{%d,%d}" % (least, most)


def _class(codes: frozenset[int], *, beyond: bool = False) -> bytes:
    ranges: list[list[int]] = []
    for code in sorted(codes):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    if not ranges and not beyond:
        return b"[^\\x00-\\xff]"
    return (
        b"["
        + b"".join(_bytes([low]) + b"-" + _bytes([high]) for low, high in ranges)
        + (b"\\x80-\\xff" * beyond)
        + b"]"
    )


def _bytes(codes: Sequence[int] | bytes) -> bytes:
    return b"".join(b"\\x%02x" % code for code in codes)
