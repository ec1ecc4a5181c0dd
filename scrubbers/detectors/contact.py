"""E-mail addresses and phone numbers."""

import re
from functools import lru_cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

from scrubbers.detectors.detector import DIGIT_GROUPS, LEFT, RIGHT, Detector, Span, Trigger, digits
from scrubbers.detectors.web import in_userinfo

# Beyond ASCII: addresses may be internationalised (RFC 6531), and bytes from 0x80 on are letters of some script.
_LOCAL = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%&*+-./^_~" + bytes(range(0x80, 0x100))
_DOMAIN = re.compile(rb"[A-Za-z0-9\x80-\xff-]+(?:\.[A-Za-z0-9\x80-\xff-]+)*\.[A-Za-z\x80-\xff]{2,63}")
_WINDOW = 320  # RFC 5321: 64 for the local part, 255 for the domain
_NO_USERINFO = frozenset(b" \"'\n\t<>")
_FILES = (b".png", b".jpg", b".jpeg", b".gif", b".svg", b".webp", b".css", b".js")  # logo@2x.png


def _email(text: bytes, end: int) -> Span | None:
    domain = _DOMAIN.match(text, end)
    if domain is None:
        return None
    at = end - 1
    head = text[max(0, at - _WINDOW) : at]
    start = at - len(head) + len(head.rstrip(_LOCAL))
    if start and text[start - 1] == 0x5C and text[start] in b"bfnrt":
        start += 1  # the letter of an escape
    head = text[start:at]
    start = at - len(head.lstrip(b".-+&%/!#$*^~"))
    if start == at:
        return None
    if start and text[start - 1] not in _NO_USERINFO and in_userinfo(text, at):
        return None
    if domain[0].lower().endswith(_FILES):
        return None
    return start, domain.end()


def _phone_international(text: bytes, end: int) -> Span | None:
    found = _INTERNATIONAL.match(text, text.rfind(b"+", max(0, end - 16), end))
    if found is None:
        return None
    groups = found[0]
    while groups:
        number = digits(groups.replace(b"(0)", b""))
        if len(number) < 7:
            return None
        if _possible(number):
            return found.start(), found.start() + len(groups)
        # What follows a number may be another ("+4930901820 200"): try without the last group.
        groups = groups[: -len(_LAST_GROUP.search(groups)[0])]  # type: ignore[index]
    return None


_INTERNATIONAL = re.compile(LEFT + rb"\+[1-9](?:[ ().-]{0,2}[0-9]){6,16}(?![0-9])")
_LAST_GROUP = re.compile(rb"(?:^\+[0-9]*|[ ().-]+[0-9]+)$")


def _possible(number: bytes) -> bool:
    """Whether country code and length fit the number plan."""
    for size in (1, 2, 3):
        lengths = _lengths(int(number[:size]))
        if lengths:
            return len(number) - size in lengths
    return False


@lru_cache(1024)
def _lengths(country_code: int) -> frozenset[int]:
    lengths: set[int] = set()
    for region in COUNTRY_CODE_TO_REGION_CODE.get(country_code, ()):
        plan = PhoneMetadata.metadata_for_region_or_calling_code(country_code, region)
        if plan is not None and plan.general_desc is not None:
            lengths.update(plan.general_desc.possible_length)
    return frozenset(lengths)


def _phone_nanp(text: bytes, end: int) -> Span | None:
    for start in (end - 10, end - 11):
        found = _NANP.match(text, start) if start >= 0 else None
        if found is None:
            continue
        if found[1]:  # the area code's closing parenthesis asks for the opening one
            if text[start - 1 : start] != b"(":
                return None
            start -= 1
        prefix = _TRUNK.search(text, max(0, start - 4), start)
        return (prefix.start() if prefix else start), found.end()
    return None


# Area code and exchange begin with 2-9 (North American Numbering Plan).
_NANP = re.compile(LEFT + rb"[2-9][0-9]{2}(?:(\))[ .-]?|[ .-])[2-9][0-9]{2}[ .-][0-9]{4}" + RIGHT)
_TRUNK = re.compile(LEFT + rb"\+?1[ .-]?$")


def _phone(text: bytes, end: int) -> Span | None:
    return _phone_nanp(text, end) or _phone_international(text, end)


DETECTORS = (
    Detector(
        name="email",
        about="E-mail addresses, internationalised ones too.",
        triggers=(Trigger(b"@"),),
        find=_email,
        must=("x@y.io", "anna.smith+news@mail.example.co.uk", "jörg@müller.example", "<bob@example.com>"),
        must_not=("git@github", "icon@2x.png", "@property", "user@", "root@localhost"),
    ),
    Detector(
        name="phone",
        about="Phone numbers: international with `+`, and North American with area code and separators.",
        triggers=(
            Trigger(rb"\+[0-9](?:[ ().-]?[ ().-]?[0-9]){4}", guarded=True, ends=b"0123456789"),
            DIGIT_GROUPS,
        ),
        find=_phone,
        canonical=digits,
        must=("+4930901820", "+44 20 7946 0123", "(415) 234-1023", "415-234-1023", "+1 415 234 1023", "1.415.234.1023"),
        must_not=("115-234-1023", "415-134-1023", "+12", "2026-09-21 14:02:11", "1790000000390524"),
    ),
)
