"""E-mail addresses."""

import re

from scrubbers.detectors.detector import Confidence, Detector, Span, Trigger, after_escape
from scrubbers.detectors.web import in_userinfo

# Beyond ASCII: addresses may be internationalised (RFC 6531), and bytes from 0x80 on are letters of some script.
_LOCAL = b"abcdefghijklmnopqrstuvwxyz.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%&*+-/^_~" + bytes(range(0x80, 0x100))
_DOMAIN = re.compile(
    rb"(?:[A-Za-z0-9\x80-\xff-]+\.)+(?:[xX][nN]--[A-Za-z0-9-]{0,58}[A-Za-z0-9]|[A-Za-z\x80-\xff]{2,63})"
).match
_USUAL, _LONGEST = 64, 320  # bytes before the `@`: RFC 5321 allows 64; what writes more is followed as far as that
_NO_USERINFO = frozenset(b" \"'\n\t<>")
_NOT_FIRST = b".-+&%/!#$*^~"
_MAY_BE_CUT = frozenset(_NOT_FIRST)
# logo@2x.png, and units of systemd: user@1000.service
_FILES = (b".png", b".jpg", b".jpeg", b".gif", b".svg", b".webp", b".css", b".js")
_UNITS = (b".service", b".socket", b".timer", b".target", b".mount", b".slice", b".scope", b".device")
_NO_MAIL = (*_FILES, *_UNITS)
_NO_MAIL_END = frozenset(each[-1] for name in _NO_MAIL for each in (name, name.upper()))


def _email(text: bytes, end: int) -> Span | None:
    domain = _DOMAIN(text, end)
    if domain is None:
        return None
    at = end - 1
    head = text[at - _USUAL if at > _USUAL else 0 : at]
    left = len(head.rstrip(_LOCAL))
    if not left and at > _USUAL:
        head = text[max(0, at - _LONGEST) : at]
        left = len(head.rstrip(_LOCAL))
    start = at - len(head) + left
    before = text[start - 1] if start else 0x0A
    if before == 0x5C and text[start] in b"bfnrt" and after_escape(text, start + 1):
        start += 1
    if text[start] in _MAY_BE_CUT:
        start = at - len(text[start:at].lstrip(_NOT_FIRST))
    if start == at:
        return None
    if before not in _NO_USERINFO and in_userinfo(text, at):
        return None
    stop = domain.end()
    if text[stop - 1] in _NO_MAIL_END and domain[0].lower().endswith(_NO_MAIL):
        return None
    if at - start == 3 and text[start:at] == b"git":  # git@github.com:owner/name.git
        return None
    return start, stop


# Reserved for examples and tests: RFC 2606, RFC 6761.
_RESERVED = re.compile(rb"(?:.*[@.])?(?:example\.(?:com|net|org)|(?:[^.]+\.)?(?:example|test|invalid|localhost))", re.I)


def _reserved(value: bytes) -> bool:
    return _RESERVED.fullmatch(value[value.rfind(b"@") + 1 :]) is not None


DETECTORS = (
    Detector(
        name="email",
        about="E-mail addresses, internationalised ones too.",
        triggers=(Trigger(b"@", _email, Confidence.CHECKSUM, wire=rb"@[A-Za-z0-9\x80-\xff-]+\."),),
        unmistakable=True,
        must=("x@y.io", "anna.smith+news@mail.example.co.uk", "jörg@müller.example", "<bob@example.com>"),
        must_not=("git@github", "icon@2x.png", "@property", "user@", "root@localhost", "user@1000.service"),
        documented=_reserved,
    ),
)
