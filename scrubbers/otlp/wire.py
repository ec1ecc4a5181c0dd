"""Protobuf on the wire: varints and fields."""

from collections.abc import Iterator
from typing import TypeAlias

Field: TypeAlias = tuple[int, int, int, int, int]
"""(number, wire type, where the field begins, where what it holds begins and ends)."""

VARINT, FIXED64, BYTES, OPEN_GROUP, CLOSE_GROUP, FIXED32 = range(6)
_MAX_DEPTH = 100  # of groups in groups: they are older than OTLP, and in it only where a field is unknown


class Malformed(ValueError):
    """What is no well-formed OTLP request. The message says what is wrong, never what stands there."""


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """The number that begins at `at`, and where it ends; raises Malformed."""
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
    raise Malformed("a number is cut off or too long")


def encoded(number: int) -> bytes:
    """A number as a varint, as short as it can be."""
    if number < 0x80:
        return _SMALL[number]
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


_SMALL = [bytes([number]) for number in range(0x80)]


def fields(data: bytes, at: int, end: int) -> Iterator[Field]:
    """The fields of the message that stands from `at` to `end`; raises Malformed."""
    while at < end:
        start = at
        tag = data[at]
        at += 1
        if tag >= 0x80:
            tag, at = varint(data, start, end)
        wire = tag & 7
        if wire == BYTES:
            if at >= end:
                raise Malformed("a length is missing")
            size = data[at]
            at += 1
            if size >= 0x80:
                size, at = varint(data, at - 1, end)
            stop = at + size
        elif wire == VARINT:
            stop = varint(data, at, end)[1]
        else:
            stop = skipped(data, at, end, tag)
        if stop > end:
            raise Malformed("a field reaches beyond its message")
        if tag < 8 or tag > 0xFFFF_FFFF:
            raise Malformed("a field has no valid number")
        yield tag >> 3, wire, start, at, stop
        at = stop


def placed(data: bytes, at: int, end: int, several: int, one: int) -> tuple[int, int, int]:
    """In a message: where the last of the fields of bytes with the number `several` ends, and where the last number
    with the number `one` begins and ends; 0 where there is none. Raises Malformed.
    """
    several, one = several << 3 | BYTES, one << 3
    behind = begins = ends = 0
    while at < end:
        start = at
        tag = data[at]
        at += 1
        if tag >= 0x80:
            tag, at = varint(data, start, end)
        wire = tag & 7
        if wire == BYTES and at < end:
            size = data[at]
            at += 1
            if size >= 0x80:
                size, at = varint(data, at - 1, end)
            at += size
            if tag == several:
                behind = at
        elif wire == VARINT:
            _, at = varint(data, at, end)
            if tag == one:
                begins, ends = start, at
        else:
            at = skipped(data, at, end, tag)
    return behind, begins, ends


def skipped(data: bytes, at: int, end: int, tag: int) -> int:
    """Where a field ends that begins with this tag and is no number and no bytes; raises Malformed."""
    open_: list[int] = []
    while True:
        wire = tag & 7
        if wire == FIXED64:
            at += 8
        elif wire == FIXED32:
            at += 4
        elif wire == VARINT:
            _, at = varint(data, at, end)
        elif wire == BYTES:
            size, at = varint(data, at, end)
            at += size
        elif wire == OPEN_GROUP:
            open_.append(tag >> 3)
            if len(open_) > _MAX_DEPTH:
                raise Malformed("groups are nested too deep")
        elif wire == CLOSE_GROUP and open_ and open_[-1] == tag >> 3:
            open_.pop()
        else:
            raise Malformed("a field has no valid type")
        if at > end:
            raise Malformed("a field reaches beyond its message")
        if not open_:
            return at
        tag, at = varint(data, at, end)
