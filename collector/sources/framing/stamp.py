"""RFC 3339 times as container runtimes write them, between text and nanoseconds."""

import re
import struct
from datetime import UTC, datetime
from functools import lru_cache

from collector.batch import Nanoseconds

SECOND = 1_000_000_000
HOUR = 3600 * SECOND

UTC_STAMP = rb"\d{4}-\d\d-\d\dT\d\d:[0-5]\d:[0-5]\d(?:\.\d{1,9})?"
"""The expression of a time without its zone."""

SIZE = 29
"""Bytes of a time with nine digits behind the second, without its zone: as we write them."""

_FULL = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:[0-5]\d:[0-5]\d\.\d{9}")
_ZONED = re.compile(rb"(" + UTC_STAMP + rb")(?:Z|([+-])(\d\d):([0-5]\d))")


@lru_cache(maxsize=1024)
def _hour(text: bytes) -> Nanoseconds:
    return int(datetime.strptime(text.decode(), "%Y-%m-%dT%H").replace(tzinfo=UTC).timestamp()) * SECOND


def nanoseconds(stamp: bytes) -> Nanoseconds:
    """The time of a `UTC_STAMP`. ValueError: there is no such day or hour."""
    fraction = stamp[20:]
    return (
        _hour(stamp[:13])
        + (int(stamp[14:16]) * 60 + int(stamp[17:19])) * SECOND
        + (int(fraction) * 10 ** (9 - len(fraction)) if fraction else 0)
    )


def text(time: Nanoseconds) -> bytes:
    """RFC 3339 in UTC with nine digits, without the `Z`."""
    seconds, rest = divmod(time, SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}".encode()


def full(stamp: bytes) -> bytes:
    """A `UTC_STAMP` with nine digits behind the second."""
    return stamp.ljust(SIZE, b"0") if len(stamp) > 19 else stamp + b".000000000"


def padded(stamp: bytes) -> bytes | None:
    """A shorter time with nine digits behind the second; None if it has another number of bytes than a time."""
    return full(stamp) if len(stamp) == 19 or 20 < len(stamp) <= SIZE else None


def chunks(data: bytes, width: int) -> tuple[bytes, ...]:
    """Every `width` bytes of `data`, in half the time of as many slices."""
    return struct.unpack(b"%ds" % width * (len(data) // width), data)


def same_hour(stamps: bytes, width: int) -> bool:
    """Whether all are times, and lie in one hour.

    `stamps`: for each time its `SIZE` bytes, followed by bytes that are the same for all, `width` bytes together.
    Compared by column: what is cut out with a step costs a nanosecond a time (a regular expression, half a micro).
    """
    count, rest = divmod(len(stamps), width)
    first = stamps[:width]
    if not count or rest or _FULL.fullmatch(first[:SIZE]) is None:
        return False
    try:
        nanoseconds(first[:SIZE])
    except ValueError:
        return False
    if any(stamps[at::width] != first[at : at + 1] * count for at in (*range(14), 16, 19, *range(SIZE, width))):
        return False
    tens = stamps[14::width] + stamps[17::width]
    digits = b"".join([stamps[at::width] for at in (15, 18, *range(20, SIZE))])
    return digits.isdigit() and not tens.translate(None, b"012345")


def utc(zoned: bytes) -> bytes | None:
    """A time with its zone as `UTC_STAMP` with nine digits behind the second; None if it is no time."""
    match = _ZONED.fullmatch(zoned)
    if match is None:
        return None
    stamp, sign, hours, minutes = match.groups()
    try:
        time = nanoseconds(stamp)
        if sign is None:
            return full(stamp)
        shift = (int(hours) * 60 + int(minutes)) * 60 * SECOND
        return text(time - shift if sign == b"+" else time + shift)
    except (ValueError, OverflowError, OSError):
        return None
