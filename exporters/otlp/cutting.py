"""Cuts a request that is too large into several, on the wire.

All three signals are built alike: a request is resources (field 1), each with a resource (1), scopes (2) and a schema
URL (3); a scope has a scope (1), records (2) and a schema URL (3). Whatever is not a record is repeated in each part.
"""

from collections.abc import Iterator

_RECORDS = {0: 1, 1: 2, 2: 2}  # by level: the field of what is below


class Malformed(ValueError):
    """Not a well-formed request."""


def cut(request: bytes, limit: int) -> Iterator[bytes]:
    """Requests of at most `limit` bytes that hold the same records in the same order; a single record may be more.

    Raises Malformed.
    """
    yield from _cut(request, limit, 0)


def _cut(message: bytes, limit: int, level: int) -> Iterator[bytes]:
    if len(message) <= limit:
        yield message
        return
    around, inner = bytearray(), []
    for number, start, begin, end in _fields(message):
        if number == _RECORDS[level]:
            inner.append((start, begin, end))
        else:
            around += message[start:end]
    room = max(1, limit - len(around))
    part: list[bytes] = []
    size = 0
    for start, begin, end in inner:
        whole = [message[start:end]]
        if end - start > room and level < 2:
            below = _cut(message[begin:end], max(1, room - 12), level + 1)
            whole = [_field(_RECORDS[level], piece) for piece in below]
        for piece in whole:
            if part and size + len(piece) > room:
                yield b"".join((around, *part))
                part, size = [], 0
            part.append(piece)
            size += len(piece)
    yield b"".join((around, *part))


def _fields(message: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Number, where the field begins, where what it holds begins and ends."""
    at = 0
    while at < len(message):
        start = at
        tag, at = _varint(message, at)
        match tag & 7:
            case 0:
                begin = at
                _, at = _varint(message, at)
            case 1:
                begin, at = at, at + 8
            case 2:
                size, begin = _varint(message, at)
                at = begin + size
            case 5:
                begin, at = at, at + 4
            case _:
                raise Malformed("a field of a kind that is not used")
        if at > len(message):
            raise Malformed("a field is cut off")
        yield tag >> 3, start, begin, at


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 70:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise Malformed("a number is cut off or too long")


def _field(number: int, content: bytes) -> bytes:
    size, head = len(content), bytearray([number << 3 | 2])
    while size >= 0x80:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + content
