"""JSON, tokenised with offsets: where keys, values and members begin and end. No recursion, so any depth goes."""

import re
from dataclasses import dataclass, field

from scrubbers.detectors.detector import Span

_OPEN = re.compile(rb"[ \t\r\n]*([{\[])")
_TOKEN = re.compile(rb'[ \t\r\n]*(?:"((?:[^"\\\n]|\\.)*)"|([{}\[\],:])|([-+.0-9A-Za-z]+))')
_SCALAR = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null|NaN|-?Infinity")
_MAX_PATH = 16  # segments that a key's path remembers, the innermost


@dataclass(slots=True, frozen=True)
class Member:
    """One member of an object. `key` is the span between its quotes; `value` includes quotes and brackets."""

    path: tuple[bytes, ...]  # keys as they are written, the innermost first
    key: Span
    value: Span


@dataclass(slots=True)
class Document:
    """A JSON object or array and all in it, in the order of the text."""

    start: int
    end: int = 0
    objects: list[list[Member]] = field(default_factory=list)
    strings: list[Span] = field(default_factory=list)  # values, between the quotes
    scalars: list[Span] = field(default_factory=list)  # numbers and words


@dataclass(slots=True)
class _Open:
    is_object: bool
    path: tuple[bytes, ...]
    start: int
    members: list[Member] = field(default_factory=list)
    key: Span | None = None


def parse(text: bytes, at: int = 0) -> Document | None:
    """The object or array that begins at `at` (after white space), or None where there is no whole one."""
    first = _OPEN.match(text, at)
    if first is None:
        return None
    at = first.start(1)
    document = Document(at)
    open_: list[_Open] = []
    expects = _VALUE
    while True:
        match = _TOKEN.match(text, at)
        if match is None:
            return None
        at = match.end()
        start = match.start(match.lastindex or 0)
        if match.lastindex == 1:
            if expects & _KEY:
                open_[-1].key = match.span(1)
                expects = _COLON
                continue
            if not expects & _VALUE:
                return None
            document.strings.append(match.span(1))
            start -= 1
        elif match.lastindex == 3:
            if not expects & _VALUE or not _SCALAR.fullmatch(match[3]):
                return None
            document.scalars.append(match.span(3))
        else:
            sign = match[2]
            if sign in b"{[":
                if not expects & _VALUE:
                    return None
                open_.append(_Open(sign == b"{", _path(open_, text), start))
                expects = _KEY | _CLOSE if sign == b"{" else _VALUE | _CLOSE
                continue
            if sign in b"}]":
                if not expects & _CLOSE or open_[-1].is_object is not (sign == b"}"):
                    return None
                closed = open_.pop()
                start = closed.start
                if closed.is_object:
                    document.objects.append(closed.members)
                if not open_:
                    document.end = at
                    return document
            else:
                wanted = _COLON if sign == b":" else _COMMA
                if not expects & wanted:
                    return None
                expects = _VALUE if sign == b":" or not open_[-1].is_object else _KEY
                continue
        # A value has ended.
        parent = open_[-1]
        if parent.is_object:
            assert parent.key is not None
            parent.members.append(Member(_path(open_, text), parent.key, (start, at)))
            parent.key = None
        expects = _COMMA | _CLOSE


_VALUE, _KEY, _COLON, _COMMA, _CLOSE = 1, 2, 4, 8, 16


def _path(open_: list[_Open], text: bytes) -> tuple[bytes, ...]:
    """The path of the value that comes now."""
    if not open_:
        return ()
    parent = open_[-1]
    if parent.key is None:
        return parent.path
    return (text[parent.key[0] : parent.key[1]], *parent.path[: _MAX_PATH - 1])
