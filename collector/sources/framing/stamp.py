"""RFC 3339 times as container runtimes write them, between text and nanoseconds."""

import re
from datetime import UTC, datetime
from functools import lru_cache

from collector.batch import Nanoseconds

SECOND = 1_000_000_000
HOUR = 3600 * SECOND

UTC_STAMP = rb"\d{4}-\d\d-\d\dT\d\d:[0-5]\d:[0-5]\d(?:\.\d{1,9})?"
"""The expression of a time without its zone."""

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


def utc(zoned: bytes) -> bytes | None:
    """A time with its zone as `UTC_STAMP`, spelled as it was if it was UTC; None if it is no time."""
    match = _ZONED.fullmatch(zoned)
    if match is None:
        return None
    stamp, sign, hours, minutes = match.groups()
    try:
        time = nanoseconds(stamp)
        if sign is None:
            return bytes(stamp)
        shift = (int(hours) * 60 + int(minutes)) * 60 * SECOND
        return text(time - shift if sign == b"+" else time + shift)
    except (ValueError, OverflowError, OSError):
        return None
