"""E-mail addresses and phone numbers."""

import re
from functools import lru_cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

from scrubbers.detectors.detector import DIGITS, GROUPS_OF_THREE, LEFT, RIGHT, Detector, Span, Trigger, digits
from scrubbers.detectors.web import in_userinfo

# Beyond ASCII: addresses may be internationalised (RFC 6531), and bytes from 0x80 on are letters of some script.
_LOCAL = b"abcdefghijklmnopqrstuvwxyz.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%&*+-/^_~" + bytes(range(0x80, 0x100))
_DOMAIN = re.compile(rb"(?:[A-Za-z0-9\x80-\xff-]+\.)+[A-Za-z\x80-\xff]{2,63}").match
_USUAL, _LONGEST = 64, 320  # bytes before the `@`: RFC 5321 allows 64; what writes more is followed as far as that
_NO_USERINFO = frozenset(b" \"'\n\t<>")
_NOT_FIRST = b".-+&%/!#$*^~"
_MAY_BE_CUT = frozenset(_NOT_FIRST)
_FILES = (b".png", b".jpg", b".jpeg", b".gif", b".svg", b".webp", b".css", b".js")  # logo@2x.png
_FILES_END = frozenset(b"gfpsGFPS")


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
    if before == 0x5C and text[start] in b"bfnrt" and _is_escape(text, start):
        start += 1
    if text[start] in _MAY_BE_CUT:
        start = at - len(text[start:at].lstrip(_NOT_FIRST))
    if start == at:
        return None
    if before not in _NO_USERINFO and in_userinfo(text, at):
        return None
    stop = domain.end()
    if text[stop - 1] in _FILES_END and domain[0].lower().endswith(_FILES):
        return None
    return start, stop


def _is_escape(text: bytes, at: int) -> bool:
    """Whether the letter there is that of an escape: an odd number of backslashes stands before it."""
    head = text[max(0, at - 64) : at]
    return (len(head) - len(head.rstrip(b"\\"))) % 2 == 1


def _phone_international(text: bytes, end: int) -> Span | None:
    start = text.rfind(b"+", end - 16 if end > 16 else 0, end)
    found = _INTERNATIONAL.match(text, start) if start >= 0 else None
    if found is None:
        return None
    groups = found[0]
    while groups:
        number = digits(groups.replace(b"(0)", b""))
        if len(number) < 7:
            return None
        if _possible(number):
            return start, start + len(groups)
        # What follows a number may be another ("+4930901820 200"): try without the last group.
        groups = groups[: -len(_LAST_GROUP.search(groups)[0])]  # type: ignore[index]
    return None


_INTERNATIONAL = re.compile(LEFT + rb"\+[1-9](?:[ ().-]{0,2}[0-9]){6,16}(?![0-9])")
_LAST_GROUP = re.compile(rb"(?:^\+[0-9]*|[ ().-]+[0-9]+)\Z")


def _possible(number: bytes) -> bool:
    """Whether country code and length fit the number plan."""
    return len(number) in _lengths(number[:3])


@lru_cache(1024)
def _lengths(head: bytes) -> frozenset[int]:
    """How many digits numbers with this beginning have, country code included; no code is the beginning of another."""
    for size in (1, 2, 3):
        lengths = _national_lengths(int(head[:size]))
        if lengths:
            return frozenset(size + length for length in lengths)
    return frozenset()


def _national_lengths(country_code: int) -> set[int]:
    lengths: set[int] = set()
    for region in COUNTRY_CODE_TO_REGION_CODE.get(country_code, ()):
        plan = PhoneMetadata.metadata_for_region_or_calling_code(country_code, region)
        if plan is not None and plan.general_desc is not None:
            lengths.update(plan.general_desc.possible_length)
    return lengths


def _phone_nanp(text: bytes, end: int) -> Span | None:
    start = end - 9
    found = _NANP.match(text, start) if start >= 0 else None
    if found is None:
        return None
    if found[1]:  # the area code's closing parenthesis asks for the opening one
        if text[start - 1 : start] != b"(":
            return None
        start -= 1
    if text[start - 1 : start] in _AFTER_TRUNK:
        prefix = _TRUNK.search(text, max(0, start - 4), start)
        if prefix:
            start = prefix.start()
    return start, found.end()


# Area code and exchange begin with 2-9 (North American Numbering Plan).
_NANP = re.compile(LEFT + rb"[2-9][0-9]{2}(?:(\))[ .-]?|[ .-])[2-9][0-9]{2}[ .-][0-9]{4}" + RIGHT)
_TRUNK = re.compile(LEFT + rb"\+?1[ .-]?\Z")
_AFTER_TRUNK = (b"1", b" ", b".", b"-")


DETECTORS = (
    Detector(
        name="email",
        about="E-mail addresses, internationalised ones too.",
        triggers=(Trigger(b"@", _email),),
        unmistakable=True,
        must=("x@y.io", "anna.smith+news@mail.example.co.uk", "jörg@müller.example", "<bob@example.com>"),
        must_not=("git@github", "icon@2x.png", "@property", "user@", "root@localhost"),
    ),
    Detector(
        name="phone",
        about="Phone numbers: international with `+`, and North American with area code and separators.",
        triggers=(
            Trigger(rb"\+[1-9](?:[ ().-]?[ ().-]?[0-9]){4}", _phone_international),
            Trigger(GROUPS_OF_THREE, _phone_nanp, guarded=True, last=DIGITS + b" .-", sixth=b") .-"),
        ),
        canonical=digits,
        must=("+4930901820", "+44 20 7946 0123", "(415) 234-1023", "415-234-1023", "+1 415 234 1023", "1.415.234.1023"),
        must_not=("115-234-1023", "415-134-1023", "+12", "2026-09-21 14:02:11", "1790000000390524"),
    ),
)
