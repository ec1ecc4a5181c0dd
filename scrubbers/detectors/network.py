"""Network addresses."""

import re
import socket

from scrubbers.detectors.context import after, signed
from scrubbers.detectors.detector import GUARD_OR_ESCAPE, LEFT, RIGHT, Confidence, Detector, Span, Trigger, alnum


def _ipv4(text: bytes, end: int) -> Span | None:
    head = text[end - 16 if end > 16 else 0 : end]
    found = _IPV4(text, end - len(head) + len(head.rstrip(b"0123456789.")))
    return found.span(1) if found else None


# This host, private (RFC 1918), link-local, shared (RFC 6598), multicast and beyond.
_INFRASTRUCTURE = (
    rb"(?:0|10|127|169\.254|192\.168|172\.(?:1[6-9]|2[0-9]|3[01])|100\.(?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])"
    rb"|22[4-9]|2[3-9][0-9])\."
)
_OCTET = rb"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(
    rb"\.*"
    + LEFT
    + rb"(?!"
    + _INFRASTRUCTURE
    + rb"|[0-9]+\.0\.0\.0(?![0-9]))("  # a version (Chrome/120.0.0.0) or a network
    + rb"\.".join([_OCTET] * 4)
    + rb")"
    + RIGHT
    + rb"(?!\.[0-9])"
).match


# None of x.0.0.0: they are versions, and common.
_CORE = (
    rb"(?:[1-9]|1[1-9]|[2-9][0-9]|1[013-9][0-9]|12[0-68-9]|2[0-5][0-9])\."
    rb"(?:[1-9][0-9]{0,2}\.[0-9]{1,3}\.[0-9]|0\.(?:[1-9][0-9]{0,2}\.[0-9]|0\.[1-9]))"
)


def _ipv6(text: bytes, end: int) -> Span | None:
    start = end - 5
    found = _IPV6.match(text, start) if start >= 0 else None
    if found is None:
        return None
    before = _GROUP_BEFORE.search(text, max(0, start - 6), start)
    if before:  # a group of a longer address, which is judged by its own beginning
        return None
    token = found[0]
    if token.endswith(b":") and not token.endswith(b"::"):
        token = token[:-1]
    try:
        socket.inet_pton(socket.AF_INET6, token.decode())
    except OSError:
        return None
    return start, start + len(token)


# Public addresses are 2000::/3 (IANA), so the first group has four digits and begins with 2 or 3.
_IPV6 = re.compile(LEFT + rb"[23][0-9a-fA-F]{3}:[0-9a-fA-F:]{1,34}" + RIGHT)
_GROUP_BEFORE = re.compile(rb"(?<![0-9A-Za-z])[0-9A-Fa-f]{1,4}:\Z")


# RFC 5737, and RFC 2544 for benchmarks; RFC 3849 and RFC 9637.
_DOCUMENTATION = (b"192.0.2.", b"198.51.100.", b"203.0.113.", b"198.18.", b"198.19.")
_DOCUMENTATION_6 = re.compile(rb"2001:0?db8:|3fff:0?[0-9a-f]{0,3}:", re.I)


def _is_documentation(value: bytes) -> bool:
    return value.startswith(_DOCUMENTATION)


def _is_documentation_6(value: bytes) -> bool:
    return _DOCUMENTATION_6.match(value) is not None


# The word may be the first of a line and the address its last; times and fingerprints look the same.
_TO_MAC = rb"[A-Za-z0-9 .:=#'_()/>-]{0,40}?(?<![0-9A-Za-z:*.-])"
_OCTET_16 = rb"[0-9A-Fa-f]{2}"
_MAC = (
    rb"(?:" + _OCTET_16 + rb"(?P<sign>[:-])" + _OCTET_16 + rb"(?:(?P=sign)" + _OCTET_16 + rb"){4}"
    + rb"(?:(?::" + _OCTET_16 + rb"){8})?"  # the kernel's log of packets writes receiver, sender and protocol as one
    + rb"|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4})(?![0-9A-Za-z]|[:.-][0-9A-Fa-f])"
)  # fmt: skip


def _is_device(value: bytes) -> bool:
    """Whether one is a device's: no group, not nobody, and not made up by Docker."""
    octets = alnum(value)
    return any(
        not int(each[:2], 16) & 1 and each.strip(b"0") != b"" and not each.startswith(b"0242")
        for each in (octets[:12], octets[12:24])
        if each
    )


def _is_documentation_mac(value: bytes) -> bool:
    return alnum(value).startswith(b"00005E0053")  # RFC 7042


DETECTORS = (
    Detector(
        name="ipv4",
        about="Public IPv4 addresses; private, loopback, link-local and multicast ones are infrastructure.",
        triggers=(
            Trigger(
                GUARD_OR_ESCAPE + _CORE,
                _ipv4,
                harmless=_INFRASTRUCTURE,
            ),
        ),
        documented=_is_documentation,
        unmistakable=True,
        must=("81.2.69.142", "203.0.113.9:443", "[8.8.8.8]", "from 198.51.100.7,"),
        must_not=("10.2.0.17", "192.168.1.1", "127.0.0.1", "172.16.3.4", "1.2.3.4.5", "999.1.2.3", "120.0.0.0"),
    ),
    Detector(
        name="ipv6",
        about="Public IPv6 addresses (2000::/3).",
        triggers=(
            Trigger(
                rb"[23][0-9a-fA-F][0-9a-fA-F][0-9a-fA-F]:",
                _ipv6,
                Confidence.CHECKSUM,
                guarded=True,
                tail=rb"[0-9a-fA-F]{4}:",
            ),
        ),
        documented=_is_documentation_6,
        unmistakable=True,
        must=(
            "2a09:9c80:1::9",
            "2a02:8071:1234::1",
            "2001:db8::8a2e:370:7334",
            "[2606:4700::1111]:443",
            "2001:DB8:0:0:8:800:200C:417A",
        ),
        must_not=("fe80::1", "::1", "fd00:2001:db8::1", "std::vector", "2026:09:21", "12:34:56"),
    ),
    Detector(
        name="mac_address",
        about="Hardware (MAC) addresses, by context; those of groups and of Docker are infrastructure.",
        triggers=after(
            (
                *(*signed("mac"), "mac addr", "hwaddr", "link/ether", "ether ", "bssid", "lladdr"),
                *("dhcpack", "dhcpreq|uest", "dhcpdisc|over", "dhcpoffer"),
            ),
            _MAC,
            _is_device,
            gap=_TO_MAC,
        ),
        canonical=alnum,
        documented=_is_documentation_mac,
        must=(
            "mac: 00:1b:44:11:3a:b7",
            "HWaddr 00-1B-44-11-3A-B7",
            "DHCPACK on 10.0.0.5 to 00:1b:44:11:3a:b7 via eth0",
            "IN=eth0 MAC=ff:ff:ff:ff:ff:ff:00:1b:44:11:3a:b8:08:00 SRC=10.0.0.7",
            "mac address 001b.4411.3ab7",
        ),
        must_not=(
            "mac: ff:ff:ff:ff:ff:ff",
            "link/ether 02:42:ac:11:00:02",
            "00:1b:44:11:3a:b7",
            "mac: 12:34:56",
            "mac: 00:1b:44:11:3a:b7:00:1b",
        ),
    ),
)
