"""Sites: the places in a request that are looked at, each as a line of JSON; and what stands there once it is clean."""

from typing import NamedTuple, Protocol

from scrubbers.otlp.values import (
    SPECIAL,
    Attribute,
    Reader,
    Value,
    attribute_back,
    quoted,
    text_back,
    text_line,
    value_back,
)
from scrubbers.otlp.wire import encoded, varint


class Site(Protocol):
    """A field of bytes in the request: from `start` to `end`, its length at `length_at`; and the line that it is."""

    start: int
    length_at: int
    end: int
    line: bytes

    def back(self, line: bytes, *, hidden: bool) -> bytes | None:
        """What the field holds instead, now that its line became `line`; None: it goes. `hidden`: what no reader of the
        message sees was personal, and must go.
        """


class Text:
    """A text by itself. One that is a single line is looked at as it stands, as a line of a log would be."""

    __slots__ = ("_plain", "end", "length_at", "line", "start")

    def __init__(self, start: int, length_at: int, end: int, text: bytes) -> None:
        self.start, self.length_at, self.end = start, length_at, end
        self._plain = b"\n" not in text
        self.line = text if self._plain else text_line(text)

    def back(self, line: bytes, *, hidden: bool) -> bytes | None:  # noqa: ARG002
        return self._text(line)

    def _text(self, line: bytes) -> bytes:
        return line if self._plain else text_back(line)


class TextValue(Text):
    """An AnyValue that is a text and nothing else."""

    __slots__ = ()

    def back(self, line: bytes, *, hidden: bool) -> bytes | None:  # noqa: ARG002
        text = self._text(line)
        return b"\x0a" + encoded(len(text)) + text


class Unknown(Text):
    """A field that is not known: nothing can be done to it but to take it out."""

    __slots__ = ()

    def back(self, line: bytes, *, hidden: bool) -> bytes | None:  # noqa: ARG002
        return None


class SimpleAttribute(NamedTuple):
    """An attribute with a string, written as nearly all are, and with nothing in it that JSON escapes.

    `head`: the field of its key, as it stands.
    """

    head: bytes
    key: bytes
    text: bytes


class Simple:
    """The site of such an attribute."""

    __slots__ = ("_head", "_key", "end", "length_at", "line", "start")

    def __init__(self, start: int, length_at: int, end: int, attribute: SimpleAttribute) -> None:
        self.start, self.length_at, self.end = start, length_at, end
        self._key, key, text = attribute
        self._head = b'{"' + key + b'":"'
        self.line = self._head + text + b'"}'

    def back(self, line: bytes, *, hidden: bool) -> bytes | None:
        head = self._head
        if line == b"{}":
            return None
        if line.startswith(head) and line.endswith(b'"}') and b"\\" not in line:
            text = line[len(head) : -2]
            value = b"\x0a" + encoded(len(text)) + text
            return self._key + b"\x12" + encoded(len(value)) + value
        raw = self._key + b"\x12" + _of_text(self.line[len(head) : -2])
        return attribute_back(Reader().attribute(raw), self.line, line, hidden=hidden)


def _of_text(text: bytes) -> bytes:
    value = b"\x0a" + encoded(len(text)) + text
    return encoded(len(value)) + value


class Full:
    """Any attribute or value."""

    __slots__ = ("_read", "end", "length_at", "line", "start")

    def __init__(self, start: int, length_at: int, end: int, read: Attribute | Value) -> None:
        self.start, self.length_at, self.end = start, length_at, end
        self._read = read
        if isinstance(read, Attribute):
            self.line = b"{" + quoted(read.key) + b":" + read.value.json + b"}"
        else:
            self.line = b"[" + read.json + b"]"

    def back(self, line: bytes, *, hidden: bool) -> bytes | None:
        if isinstance(self._read, Attribute):
            return attribute_back(self._read, self.line, line, hidden=hidden)
        return value_back(self._read, self.line, line, hidden=hidden)


def attribute(raw: bytes, start: int, length_at: int, end: int) -> tuple[Site, list[bytes]]:
    """The site of a KeyValue, and what is hidden in it. Raises Malformed, Unscrubbable."""
    reader = Reader()
    return Full(start, length_at, end, reader.attribute(raw)), reader.hidden


def value(raw: bytes, start: int, length_at: int, end: int) -> tuple[Site, list[bytes]]:
    """The site of an AnyValue, and what is hidden in it. Raises Malformed, Unscrubbable."""
    if raw.startswith(b"\x0a"):
        size, at = varint(raw, 1, len(raw))
        if at + size == len(raw):
            return TextValue(start, length_at, end, raw[at:]), _NONE
    reader = Reader()
    return Full(start, length_at, end, reader.value(raw)), reader.hidden


_NONE: list[bytes] = []


def simple_attribute(raw: bytes) -> SimpleAttribute | None:
    """What a KeyValue holds that is a key, a string and nothing else."""
    try:
        size = raw[1]
        at = size + 2
        if raw[0] != 0x0A or size >= 0x80 or raw[at] != 0x12:
            return None
        key = raw[2:at]
        size, value = raw[at + 1], at + 2
        if size >= 0x80:
            size, value = size & 0x7F | raw[value] << 7, value + 1
        if size >= 0x4000 or value + size != len(raw) or raw[value] != 0x0A:
            return None
        size, text_at = raw[value + 1], value + 2
        if size >= 0x80:
            size, text_at = size & 0x7F | raw[text_at] << 7, text_at + 1
        if size >= 0x4000 or text_at + size != len(raw):
            return None
    except IndexError:
        return None
    text = raw[text_at:]
    return None if SPECIAL(key) or SPECIAL(text) else SimpleAttribute(raw[:at], key, text)
