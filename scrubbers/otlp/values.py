r"""Attributes and values of OTLP as lines of JSON, and back: as JSON they are records like any others, so keys at any
depth, JSON in strings, encodings and precedence are what they are for lines.

An attribute is the object `{"key":value}`, any other text or value is the one element of an array. Strings and bytes
are written as they stand, valid UTF-8 or not. On the way back all that did not change keeps its bytes, unknown fields
included.
"""

import json
import math
import re
import struct
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeAlias

from scrubbers.matching import Unscrubbable
from scrubbers.otlp.wire import BYTES, FIXED64, OPEN_GROUP, VARINT, encoded, fields, varint

Tree: TypeAlias = Any
"""JSON as Python has it; but an object is an `_Object`, and a number a tuple of its text, so that both stay exact."""

MAX_DEPTH = 64  # of values in values
_special = re.compile(rb"[\x00-\x1f\"\\]")
SPECIAL = _special.search
"""Whether there is something in a text that JSON escapes."""
_SHORT = {b"\b": b"\\b", b"\f": b"\\f", b"\n": b"\\n", b"\r": b"\\r", b"\t": b"\\t", b'"': b'\\"', b"\\": b"\\\\"}
_double = struct.Struct("<d")


def _escape(found: "re.Match[bytes]") -> bytes:
    return _SHORT.get(found[0]) or b"\\u%04x" % found[0][0]


def quoted(text: bytes) -> bytes:
    """A string of JSON."""
    return b'"' + (_special.sub(_escape, text) if SPECIAL(text) else text) + b'"'


def text_line(text: bytes) -> bytes:
    """The line of a text by itself, without a newline, as all of them here."""
    return b"[" + quoted(text) + b"]"


def text_back(line: bytes) -> bytes:
    """The text that a line says."""
    if b"\\" not in line:
        return line[2:-2]
    return _bytes(_tree(line)[0])


def text_of(value: "Value") -> str:
    """A value as a text: a string as it is, anything else as JSON."""
    if value.is_ in (_Is.TEXT, _Is.BYTES):
        return text_back(b"[" + value.json + b"]").decode("utf-8", "replace")
    return value.json.decode("utf-8", "replace")


class _Is(IntEnum):
    NOTHING = 0
    TEXT = 1
    BOOL = 2
    INT = 3
    DOUBLE = 4
    ARRAY = 5
    OBJECT = 6
    BYTES = 7


_WIRE = {
    _Is.TEXT: BYTES, _Is.BOOL: VARINT, _Is.INT: VARINT, _Is.DOUBLE: FIXED64, _Is.ARRAY: BYTES, _Is.OBJECT: BYTES,
    _Is.BYTES: BYTES,
}  # fmt: skip
_TAGS = {kind: encoded(kind << 3 | wire) for kind, wire in _WIRE.items()}


@dataclass(slots=True)
class Value:
    """An AnyValue. `raw`: as it stands; `unknown`: fields that are not known, as they stand; `inner`: those of the list
    that it is.
    """

    raw: bytes
    is_: _Is = _Is.NOTHING
    json: bytes = b"null"
    items: "list[Value]" = field(default_factory=list)
    members: "list[Attribute]" = field(default_factory=list)
    unknown: list[bytes] = field(default_factory=list)
    inner: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Attribute:
    """A KeyValue. `absent`: it has no value, not even an empty one."""

    raw: bytes
    key: bytes
    value: Value
    unknown: list[bytes]
    absent: bool = False


class Reader:
    """Reads values. `hidden` are texts that no reader of the message sees: what a later field of the same number
    overrides, and what stands in unknown fields.
    """

    def __init__(self) -> None:
        self.hidden: list[bytes] = []

    def attribute(self, raw: bytes, depth: int = 0) -> Attribute:
        """Raises Malformed, Unscrubbable."""
        key, value, unknown = b"", None, []
        values: list[bytes] = []
        for number, wire, start, at, stop in fields(raw, 0, len(raw)):
            if number == 1 and wire == BYTES:
                self._hide(key)
                key = raw[at:stop]
            elif number == 2 and wire == BYTES:
                values.append(raw[at:stop])
            else:
                unknown.append(self._unknown(raw, wire, start, at, stop))
        # Parts of one message, wherever they stand, are one message.
        value = self.value(values[0] if len(values) == 1 else b"".join(values), depth + 1)
        return Attribute(raw, key, value, unknown, absent=not values)

    def value(self, raw: bytes, depth: int = 0) -> Value:
        """Raises Malformed, Unscrubbable."""
        if depth > MAX_DEPTH:
            raise Unscrubbable("nested too deep")
        value = Value(raw)
        for number, wire, start, at, stop in fields(raw, 0, len(raw)):
            kind = _KINDS.get((number, wire))
            if kind is None:
                value.unknown.append(self._unknown(raw, wire, start, at, stop))
                continue
            if kind is not value.is_ or kind not in (_Is.ARRAY, _Is.OBJECT):
                self._override(value)
                value.is_ = kind
            _READ[kind](self, value, raw[at:stop], depth)
        value.json = _json(value)
        return value

    def _override(self, value: Value) -> None:
        if value.is_ is not _Is.NOTHING:
            self._hide(_json(value))
            value.items, value.members, value.inner = [], [], []

    def _hide(self, text: bytes) -> None:
        if text:
            self.hidden.append(text)

    def _unknown(self, raw: bytes, wire: int, start: int, at: int, stop: int) -> bytes:
        if wire in (BYTES, OPEN_GROUP):
            self._hide(raw[at:stop])
        return raw[start:stop]

    def _text(self, value: Value, raw: bytes, _depth: int) -> None:
        value.json = quoted(raw)

    def _bool(self, value: Value, raw: bytes, _depth: int) -> None:
        value.json = b"true" if varint(raw, 0, len(raw))[0] else b"false"

    def _int(self, value: Value, raw: bytes, _depth: int) -> None:
        number = varint(raw, 0, len(raw))[0]
        value.json = b"%d" % (number - (1 << 64) if number >> 63 else number)

    def _float(self, value: Value, raw: bytes, _depth: int) -> None:
        number: float = _double.unpack(raw)[0]
        if math.isfinite(number):
            value.json = repr(number).encode()
        else:
            value.json = b"NaN" if math.isnan(number) else b"Infinity" if number > 0 else b"-Infinity"

    def _array(self, value: Value, raw: bytes, depth: int) -> None:
        for number, wire, start, at, stop in fields(raw, 0, len(raw)):
            if number == 1 and wire == BYTES:
                value.items.append(self.value(raw[at:stop], depth + 1))
            else:
                value.inner.append(self._unknown(raw, wire, start, at, stop))

    def _object(self, value: Value, raw: bytes, depth: int) -> None:
        for number, wire, start, at, stop in fields(raw, 0, len(raw)):
            if number == 1 and wire == BYTES:
                value.members.append(self.attribute(raw[at:stop], depth + 1))
            else:
                value.inner.append(self._unknown(raw, wire, start, at, stop))


_KINDS = {(int(kind), wire): kind for kind, wire in _WIRE.items()}
_READ: dict[_Is, Callable[[Reader, Value, bytes, int], None]] = {
    _Is.TEXT: Reader._text, _Is.BYTES: Reader._text, _Is.BOOL: Reader._bool, _Is.INT: Reader._int,
    _Is.DOUBLE: Reader._float, _Is.ARRAY: Reader._array, _Is.OBJECT: Reader._object,
}  # fmt: skip


def _json(value: Value) -> bytes:
    if value.is_ is _Is.ARRAY:
        return b"[" + b",".join([each.json for each in value.items]) + b"]"
    if value.is_ is _Is.OBJECT:
        return b"{" + b",".join([quoted(each.key) + b":" + each.value.json for each in value.members]) + b"}"
    return value.json


# Back


class _Object(list[tuple[str, Tree]]):
    """The members of an object, in order, names twice and all."""


def attribute_back(attribute: Attribute, before: bytes, after: bytes, *, hidden: bool) -> bytes | None:
    """The KeyValue of an attribute whose line became `after`; None if it is gone. `hidden`: what is hidden in it must
    go.
    """
    old, new = _tree(before), _tree(after)
    if not new:
        return None
    return _attribute(attribute, old[0], new[0], hidden=hidden)


def value_back(value: Value, before: bytes, after: bytes, *, hidden: bool) -> bytes:
    """The AnyValue whose line became `after`."""
    return _value(value, _tree(before)[0], _tree(after)[0], hidden=hidden)


def _tree(line: bytes) -> Tree:
    return _DECODER.decode(line.decode("utf-8", "surrogateescape"))


def _number(text: str) -> tuple[str]:
    return (text,)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_Object, parse_int=_number, parse_float=_number, parse_constant=_number, strict=False
)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _field(tag: bytes, body: bytes) -> bytes:
    return tag + encoded(len(body)) + body


def _attribute(attribute: Attribute, old: tuple[str, Tree], new: tuple[str, Tree], *, hidden: bool) -> bytes:
    if old == new and not hidden:
        return attribute.raw
    unknown = b"" if hidden else b"".join(attribute.unknown)
    value = _value(attribute.value, old[1], new[1], hidden=hidden)
    if attribute.absent and new[1] is None:
        return _field(b"\x0a", _bytes(new[0])) + unknown
    return _field(b"\x0a", _bytes(new[0])) + _field(b"\x12", value) + unknown


def _value(value: Value, old: Tree, new: Tree, *, hidden: bool) -> bytes:
    if old == new and not hidden:
        return value.raw
    unknown, inner = (b"", b"") if hidden else (b"".join(value.unknown), b"".join(value.inner))
    if isinstance(new, str):
        return _field(_TAGS[_Is.BYTES if value.is_ is _Is.BYTES else _Is.TEXT], _bytes(new)) + unknown
    if isinstance(new, _Object) and value.is_ is _Is.OBJECT:
        members = [
            _fresh_member(each) if at is None else _attribute(value.members[at], old[at], each, hidden=hidden)
            for at, each in zip(_aligned(old, new), new, strict=True)
        ]
        return _field(_TAGS[_Is.OBJECT], _listed(members) + inner) + unknown
    if isinstance(new, list) and value.is_ is _Is.ARRAY and len(new) == len(old):
        items = [_value(*each, hidden=hidden) for each in zip(value.items, old, new, strict=True)]
        return _field(_TAGS[_Is.ARRAY], _listed(items) + inner) + unknown
    return _fresh(new) + unknown


def _listed(items: Iterable[bytes]) -> bytes:
    return b"".join([_field(b"\x0a", each) for each in items])


def _aligned(old: Sequence[tuple[str, Tree]], new: Sequence[tuple[str, Tree]]) -> list[int | None]:
    """Which of the old members each of the new ones was; None: that is not known, for its name was personal."""
    if len(old) == len(new):
        return list(range(len(new)))
    where: dict[str, list[int]] = {}
    for at, (name, _) in enumerate(old):
        where.setdefault(name, []).append(at)
    found: list[int | None] = []
    reached = 0
    for name, _ in new:
        places = where.get(name, ())
        next_ = bisect_left(places, reached)
        found.append(places[next_] if next_ < len(places) else None)
        reached = reached if found[-1] is None else found[-1] + 1
    return found


def _fresh_member(member: tuple[str, Tree]) -> bytes:
    return _field(b"\x0a", _bytes(member[0])) + _field(b"\x12", _fresh(member[1]))


def _fresh(tree: Tree) -> bytes:
    """A value of which nothing is known but its JSON."""
    if tree is None:
        return b""
    if isinstance(tree, bool):
        return _TAGS[_Is.BOOL] + encoded(tree)
    if isinstance(tree, str):
        return _field(_TAGS[_Is.TEXT], _bytes(tree))
    if isinstance(tree, _Object):
        return _field(_TAGS[_Is.OBJECT], _listed(map(_fresh_member, tree)))
    if isinstance(tree, list):
        return _field(_TAGS[_Is.ARRAY], _listed(map(_fresh, tree)))
    if tree[0].lstrip("-").isdigit() and -(1 << 63) <= int(tree[0]) < 1 << 63:
        return _TAGS[_Is.INT] + encoded(int(tree[0]) & 0xFFFF_FFFF_FFFF_FFFF)
    return _TAGS[_Is.DOUBLE] + _double.pack(float(tree[0]))
