"""Credentials as the web carries them."""

import base64
import binascii
import re

from scrubbers.detectors.detector import Confidence, Detector, Span, Trigger, published

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


def _jwt(text: bytes, end: int) -> Span | None:
    found = _JWT.match(text, end - 3)
    return found.span() if found else None


_JWT = re.compile(rb"(?:(?<![0-9A-Za-z_-])|(?<=\\[bfnrt]))eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*")


def _is_example(value: bytes) -> bool:
    """Whether it says what the examples of jwt.io and RFC 7519 say."""
    return value.split(b".")[1][:40] in _EXAMPLES


_EXAMPLES = frozenset(
    base64.urlsafe_b64encode(each)[:40]
    for each in (
        b'{"sub":"1234567890","name":"John Doe","iat":1516239022}',
        b'{"sub":"1234567890","name":"John Doe","admin":true,"iat":1516239022}',
        b'{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}',
    )
)


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
        name="jwt",
        about="JSON Web Tokens.",
        triggers=(Trigger(b"eyJ", _jwt, Confidence.CHECKSUM),),
        canonical=bytes,
        documented=_is_example,
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
            Trigger(b"bearer ", _http_credentials, Confidence.CONTEXT, caseless=True),
            Trigger(b"basic ", _http_credentials, Confidence.CONTEXT, caseless=True),
        ),
        canonical=bytes,
        # RFC 6750 2.1, RFC 7617 2 and 2.1.
        documented=published(bytes, "mF_9.B5f-4.1JqM", "QWxhZGRpbjpvcGVuIHNlc2FtZQ" + "==", "dGVzdDoxMjPCow" + "=="),
        unmistakable=True,
        must=("Bearer 8f3a9c2e41d7", "basic dXNlcjpwYXNz", "authorization: bearer abcdefghijklmnopqrstuvwx"),
        must_not=("bearer of news", "basic auth", "Basic authentication", "the bearer token"),
    ),
    Detector(
        name="url_password",
        about="The password in a URL's `user:password@`.",
        triggers=(Trigger(rb"://[^\s/?#\x22'<>@:]*:[^\s/?#\x22'<>]*@", _url_password, Confidence.CHECKSUM),),
        canonical=bytes,
        must=("postgres://app:hunter2@db:5432/x", "redis://:s3cr3t@cache", "https://u:p%40ss@example.com/"),
        must_not=("https://example.com/@user", "http://host:8080/a@b", "ssh://git@example"),
    ),
)
