"""JSON, tokenised with offsets: where keys, values and members begin and end. No recursion, so any depth goes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from scrubbers.detectors.detector import Span

_DOCUMENT = re.compile(rb'[{\[][ \t\r\n]*["{\[\]}0-9tfn-]')
_SPACE = rb"[ \t\r\n]*"
_STRING = rb'"([^"\\\n]*(?:\\.[^"\\\n]*)*)"'
_VALUE = rb"(?:" + _STRING + rb"|([-+.0-9A-Za-z]+)|[{\[])"
_OPEN = re.compile(_SPACE + rb"[{\[]").match
_ELEMENT = re.compile(_SPACE + _VALUE).match
_MEMBER = re.compile(_SPACE + _STRING + _SPACE + rb":" + _SPACE + _VALUE).match
_KEYED = re.compile(_SPACE + _STRING + _SPACE + rb":" + _SPACE).match
_NEXT = re.compile(_SPACE + rb"([,}\]])").match
_SCALAR = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null|NaN|-?Infinity").fullmatch
_MAX_PATH = 16  # segments that a key's path remembers, the innermost


@dataclass(slots=True)
class Member:
    """One member of an object. `key` is the span between its quotes; `value` includes quotes and brackets."""

    path: tuple[bytes, ...]  # keys as they are written, the innermost first
    key: Span
    value: Span


@dataclass(slots=True)
class Document:
    """A JSON object or array and all in it, in the order of the text.

    `broken`: it was read as far as it goes. Then `open` has the members whose value has not ended, outermost first,
    each with the members before it; of their values only the start is known.
    """

    start: int
    end: int = 0
    broken: bool = False
    objects: list[list[Member]] = field(default_factory=list)
    strings: list[Span] = field(default_factory=list)  # values, between the quotes
    scalars: list[Span] = field(default_factory=list)  # numbers and words
    open: list[tuple[list[Member], Member]] = field(default_factory=list)


@dataclass(slots=True)
class _Open:
    """An object or array that has not ended; `members` is None for an array."""

    start: int
    path: tuple[bytes, ...]
    members: list[Member] | None
    key: Span = (0, 0)
    key_path: tuple[bytes, ...] = ()


def documents(text: bytes) -> Iterator[Document]:
    """The JSON objects and arrays that stand in a text, outermost only."""
    first = _DOCUMENT.search(text)
    while first is not None:
        document = parse(text, first.start())
        assert document is not None
        yield document
        first = _DOCUMENT.search(text, document.end)


def parse(text: bytes, at: int = 0) -> Document | None:
    """The object or array that begins at `at` (after white space), or None where none does.

    JSON that is cut off or broken is read as far as it goes: its `end` is there.
    """
    first = _OPEN(text, at)
    if first is None:
        return None
    at = first.end()
    document = Document(at - 1)
    strings, scalars, objects = document.strings, document.scalars, document.objects
    current = _Open(at - 1, (), [] if text[at - 1] == 0x7B else None)
    outer: list[_Open] = []
    empty = True  # only white space since the bracket: it may close at once
    while True:
        members = current.members
        match = _ELEMENT(text, at) if members is None else _MEMBER(text, at)
        if match is None:
            closing = _NEXT(text, at) if empty else None
            if closing is None or closing[1] == b",":
                return _cut_off(document, at, current, outer, text)
            at = closing.end() - 1
        else:
            before, at = at, match.end()
            if members is not None:
                current.key = match.span(1)
                current.key_path = (match[1], *current.path[: _MAX_PATH - 1])
            kind = match.lastindex if members is None else (match.lastindex or 1) - 1
            if not kind:  # a bracket
                outer.append(current)
                path = current.path if members is None else current.key_path
                current = _Open(at - 1, path, [] if text[at - 1] == 0x7B else None)
                empty = True
                continue
            start, end = match.span(match.lastindex or 0)
            if kind == 1:
                strings.append((start, end))
                start -= 1
            else:
                if not _SCALAR(text, start, end):
                    return _cut_off(document, before, current, outer, text)
                scalars.append((start, end))
            if members is not None:
                members.append(Member(current.key_path, current.key, (start, at)))
        empty = False
        # What has ended is followed by a comma, or by the end of what it stands in, and so on.
        while True:
            closing = _NEXT(text, at)
            if closing is None:
                return _cut_off(document, at, current, outer)
            at = closing.end()
            if closing[1] == b",":
                break
            if (current.members is not None) is not (closing[1] == b"}"):
                return _cut_off(document, at - 1, current, outer)
            if current.members is not None:
                objects.append(current.members)
            if not outer:
                document.end = at
                return document
            start = current.start
            current = outer.pop()
            if current.members is not None:
                current.members.append(Member(current.key_path, current.key, (start, at)))


def _cut_off(document: Document, at: int, current: _Open, outer: list[_Open], text: bytes = b"") -> Document:
    """The document as far as it was read. `text` is given where a member may begin there, whose value is no JSON."""
    document.end = at
    document.broken = True
    for container, inner in zip(outer, [*outer, current][1:], strict=True):
        if container.members is not None:
            member = Member(container.key_path, container.key, (inner.start, inner.start))
            document.open.append((container.members, member))
    keyed = _KEYED(text, at) if current.members is not None else None
    if keyed is not None and current.members is not None:
        path = (keyed[1], *current.path[: _MAX_PATH - 1])
        document.open.append((current.members, Member(path, keyed.span(1), (keyed.end(), keyed.end()))))
    document.objects += [each.members for each in (current, *reversed(outer)) if each.members is not None]
    return document
