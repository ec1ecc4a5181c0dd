"""Network addresses, and credentials as the web carries them."""

import base64
import binascii
import re
import socket

from scrubbers.detectors.detector import GUARDS, LEFT, RIGHT, Detector, Span, Trigger

_USERINFO = re.compile(rb"://[^\s/?#\"'<>@:]*:([^\s/?#\"'<>]*)\Z")
_USERINFO_WINDOW = 512


def in_userinfo(text: bytes, at: int) -> bool:
    """Whether the `@` at `at` ends the `user:password` of a URL."""
    return _userinfo(text, at) is not None


def _userinfo(text: bytes, at: int) -> Span | None:
    scheme = text.rfind(b"://", max(0, at - _USERINFO_WINDOW), at)
    found = _USERINFO.match(text, scheme, at) if scheme >= 0 else None
    return found.span(1) if found and found[1] else None


def _url_password(text: bytes, end: int) -> Span | None:
    found = _userinfo(text, end - 1)
    if found is None:
        return None
    # A password may hold an `@`: the last one before the host counts, and it reports for itself.
    rest = _HOST.match(text, end)
    if rest and rest[1]:
        return None
    # A token that stands for an address (`://[REDACTED:email]@`) is neither user nor password.
    token = text[found[1] - 1] == 0x5D and _TOKEN_NAME.search(text, max(0, found[0] - 16), found[0] - 1)
    return None if token else found


_TOKEN_NAME = re.compile(rb"\[[A-Z]{3,14}\Z")


_HOST = re.compile(rb"[^\s/?#\"'<>@]{0,255}(@?)")


def _ipv4(text: bytes, end: int) -> Span | None:
    head = text[end - 16 if end > 16 else 0 : end]
    found = _IPV4(text, end - len(head) + len(head.rstrip(b"0123456789.")))
    return found.span(1) if found else None


_OCTET = rb"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(
    rb"\.*"
    + LEFT
    # Infrastructure: this host, private (RFC 1918), link-local, shared (RFC 6598), multicast and beyond; and x.0.0.0,
    # which is a version (Chrome/120.0.0.0) or a network.
    + rb"(?!(?:0|10|127|169\.254|192\.168|172\.(?:1[6-9]|2[0-9]|3[01])|100\.(?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])"
    + rb"|22[4-9]|2[3-9][0-9])\.|[0-9]+\.0\.0\.0(?![0-9]))("
    + rb"\.".join([_OCTET] * 4)
    + rb")"
    + RIGHT
    + rb"(?!\.[0-9])"
).match


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


def _jwt(text: bytes, end: int) -> Span | None:
    found = _JWT.match(text, end - 3)
    return found.span() if found else None


_JWT = re.compile(rb"(?:(?<![0-9A-Za-z_-])|(?<=\\[bfnrt]))eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*")


def _http_credentials(text: bytes, end: int) -> Span | None:
    found = _CREDENTIALS.match(text, end)
    if found is None:
        return None
    value = found[1]
    if text[end - 2] in b"rR":  # bearer: a token, not a word of prose
        personal = len(value) >= 8 and (len(value) >= 20 or any(0x30 <= byte <= 0x39 for byte in value))
    else:
        personal = _is_basic(value)
    return found.span(1) if personal else None


_CREDENTIALS = re.compile(rb" {0,8}([A-Za-z0-9._~+/-]+={0,2})")


_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def _is_basic(value: bytes) -> bool:
    value = value.rstrip(b"=").translate(_URL_SAFE)
    value = value[: len(value) - (len(value) % 4 == 1)]  # what follows it is no part of it
    try:
        return len(value) >= 4 and b":" in base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False


DETECTORS = (
    Detector(
        name="ipv4",
        about="Public IPv4 addresses; private, loopback, link-local and multicast ones are infrastructure.",
        triggers=(
            Trigger(
                rb"(?:^|[^0-9A-Za-z]|[bfnrt])(?:[1-9]|1[1-9]|[2-9][0-9]|1[013-9][0-9]|12[0-68-9]|2[0-5][0-9])"
                rb"\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]",
                _ipv4,
            ),
        ),
        unmistakable=True,
        must=("81.2.69.142", "203.0.113.9:443", "[8.8.8.8]", "from 198.51.100.7,"),
        must_not=("10.2.0.17", "192.168.1.1", "127.0.0.1", "172.16.3.4", "1.2.3.4.5", "999.1.2.3", "120.0.0.0"),
    ),
    Detector(
        name="ipv6",
        about="Public IPv6 addresses (2000::/3).",
        triggers=(Trigger(rb"[23][0-9a-fA-F][0-9a-fA-F][0-9a-fA-F]:", _ipv6, guarded=True, last=b":", sixth=GUARDS),),
        unmistakable=True,
        must=("2a02:8071:1234::1", "2001:db8::8a2e:370:7334", "[2606:4700::1111]:443", "2001:DB8:0:0:8:800:200C:417A"),
        must_not=("fe80::1", "::1", "fd00:2001:db8::1", "std::vector", "2026:09:21", "12:34:56"),
    ),
    Detector(
        name="jwt",
        about="JSON Web Tokens.",
        triggers=(Trigger(b"eyJ", _jwt),),
        canonical=bytes,
        unmistakable=True,
        must=(
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLW9mLXRoaXM",
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.",
            "t=eyJ0eXAiOiJKV1QifQ.eyJpZCI6NDJ9.x_-x",
        ),
        must_not=("eyJ", "eyJhbGciOiJIUzI1NiJ9", "eyJ.a.b"),
    ),
    Detector(
        name="http_credentials",
        about="The credential after `Bearer` or `Basic`.",
        triggers=(
            Trigger(b"bearer ", _http_credentials, caseless=True),
            Trigger(b"basic ", _http_credentials, caseless=True),
        ),
        canonical=bytes,
        unmistakable=True,
        must=("Bearer 8f3a9c2e41d7", "basic dXNlcjpwYXNz", "authorization: bearer abcdefghijklmnopqrstuvwx"),
        must_not=("bearer of news", "basic auth", "Basic authentication", "the bearer token"),
    ),
    Detector(
        name="url_password",
        about="The password in a URL's `user:password@`.",
        triggers=(Trigger(rb"://[^\s/?#\x22'<>@:]*:[^\s/?#\x22'<>]*@", _url_password),),
        canonical=bytes,
        must=("postgres://app:hunter2@db:5432/x", "redis://:s3cr3t@cache", "https://u:p%40ss@example.com/"),
        must_not=("https://example.com/@user", "http://host:8080/a@b", "ssh://git@example"),
    ),
)
