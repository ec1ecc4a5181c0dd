"""`truncate`: a value that says less. TRUNCATIONS maps what it is cut down to, to the function that cuts.

Each takes a value as it stands and gives what is left of it, or None where the value is none of its kind (then a token
stands for it). What is left, cut once more, is the same.
"""

import re
import socket
from collections.abc import Callable
from datetime import date
from typing import Final, Literal, TypeAlias

To: TypeAlias = Literal["network", "domain", "year"]
Truncation: TypeAlias = Callable[[bytes], bytes | None]

_LONGEST = 512  # bytes of a value that is looked at
_ADDRESS = re.compile(rb"(\[?)([0-9A-Fa-f.:]{2,45})(\]?(?::[0-9]{1,5})?)").fullmatch
_IPV4_PORT = re.compile(rb"([0-9.]{7,15})(:[0-9]{1,5})").fullmatch
_MAPPED = bytes(10) + b"\xff\xff"  # ::ffff:192.0.2.1 (RFC 4291)


def network(value: bytes) -> bytes | None:
    """IPv4 to its /24, IPv6 to its /48; a port stays. Of a list (`X-Forwarded-For`) every address."""
    if len(value) > _LONGEST:
        return None
    networks = [_network(each) for each in value.split(b",")]
    return None if None in networks else b",".join(each for each in networks if each is not None)


def _network(value: bytes) -> bytes | None:
    bare = value.strip(b" ")
    found = _IPV4_PORT(bare)
    opening, address, closing = (b"", found[1], found[2]) if found else (b"", bare, b"")
    if not found and bare.startswith(b"["):
        bracketed = _ADDRESS(bare)
        if bracketed is None or not bracketed[3].startswith(b"]"):
            return None
        opening, address, closing = bracketed[1], bracketed[2], bracketed[3]
    cut = _prefix(address)
    return None if cut is None else value.replace(bare, opening + cut + closing)


def _prefix(address: bytes) -> bytes | None:
    try:
        if b":" not in address:
            socket.inet_pton(socket.AF_INET, address.decode("ascii"))
            return address[: address.rfind(b".")] + b".0"
        packed = socket.inet_pton(socket.AF_INET6, address.decode("ascii"))
    except (OSError, ValueError):  # ValueError: not ASCII, or a zero byte
        return None
    # A mapped address is an IPv4 address: its /48 would be that of all of them.
    kept = packed[:15] + b"\0" if packed.startswith(_MAPPED) else packed[:6] + bytes(10)
    return socket.inet_ntop(socket.AF_INET6, kept).encode()


_MAIL = re.compile(rb"[^\s@\"'<>\\]{1,320}@((?:[A-Za-z0-9-]{1,63}\.){1,10}[A-Za-z][A-Za-z0-9-]{1,62})").fullmatch


def domain(value: bytes) -> bytes | None:
    """An e-mail address to its domain, written `*@example.com`: so it is no name of a host, and no address either."""
    found = _MAIL(value) if len(value) <= _LONGEST else None
    return b"*@" + found[1] if found else None


_DAY = re.compile(
    rb"(?:(?P<iso>[0-9]{4})(?P<sign>[-/.]?)[0-9]{2}(?P=sign)[0-9]{2}(?:[T ][0-9:.,Z+-]{1,24})?"
    rb"|[0-9]{1,2}([-/.])[0-9]{1,2}\3(?P<last>[0-9]{4}))"
).fullmatch
_YEAR = re.compile(rb"(?:1[89]|20)[0-9]{2}").fullmatch


def year(value: bytes) -> bytes | None:
    """A date in figures to its year: `1990-05-17` (with or without a time), `17.05.1990`, `05/17/1990`, `19900517`."""
    if _YEAR(value):
        return value
    found = _DAY(value)
    if found is None:
        return None
    cut: bytes = found["iso"] or found["last"]
    if found["iso"] and not _is_day(value):
        return None
    return cut if _YEAR(cut) else None


def _is_day(value: bytes) -> bool:
    digits = re.sub(rb"[^0-9]", b"", value[:10])[:8]
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return True


TRUNCATIONS: Final[dict[To, Truncation]] = {"network": network, "domain": domain, "year": year}

BY_DETECTOR: Final[dict[str, To]] = {"ipv4": "network", "ipv6": "network", "email": "domain", "date_of_birth": "year"}
"""What `truncate` leaves of what a detector finds."""
