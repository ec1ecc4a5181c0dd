"""Phone numbers."""

import re
from functools import lru_cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

from scrubbers.detectors.context import NEAR, after, signed
from scrubbers.detectors.detector import GROUPS_OF_THREE, LEFT, RIGHT, Detector, Span, Trigger, digits
from scrubbers.detectors.phone_regions import phone_triggers


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


# Between digits; a bracket belongs to a number if it closes behind a few digits ("+4930901820 (2 of 3)").
_OPENING = rb"\((?=[0-9]{1,5}\))"
_SIGNS = rb"(?:[ .-]{0,2}| ?" + _OPENING + rb"|\)[ .-]?)"
_INTERNATIONAL = re.compile(LEFT + rb"\+[1-9](?:" + _SIGNS + rb"[0-9]){6,16}(?![0-9])")
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
_NANP_TAIL = rb"[) .-](?:[ .-][0-9]{3}[ .-]|[0-9]{3}[ .-][0-9])"
_TRUNK = re.compile(LEFT + rb"\+?1[ .-]?\Z")
_AFTER_TRUNK = (b"1", b" ", b".", b"-")


_WORDS = (  # a letter beyond ASCII is no part of a word: so "phone" is "téléphone", too
    *("phone", "telephone", "mobile no", "mobile number", "cell no", "cell number", "whatsapp", "msisdn"),
    *(*signed("tel", "fax"), "tel. ", "telefon", "telefonnummer", "handynummer", "rufnummer"),
    *("telefono", "teléfono", "telefone", "telefoon"),
)
_DIALLED = rb"\+?(?:" + _OPENING + rb")?[0-9](?:(?:" + _SIGNS + rb"| ?/ ?)[0-9]){6,14}" + RIGHT
_NO_PHONE = re.compile(  # a date, a network address, a time in milliseconds
    rb"[0-9]{4}-[0-9]{2}-[0-9]{2}.*|[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9]{13,}", re.S
).fullmatch


def _may_be_dialled(value: bytes) -> bool:
    return _NO_PHONE(value) is None


# Kept free for films, books and tests, in digits with country code: 555-0100 to 555-0199 (NANPA); Ofcom, "Telephone
# numbers for use in TV and radio drama programmes"; ACMA, "Phone numbers for use in TV shows, films and creative
# works"; ARCEP, decision 2018-0881 (numbers for audiovisual works); PTS, "Telefonnummer för användning i fiktion".
_FICTION = re.compile(
    rb"1?[2-9][0-9]{2}55501[0-9]{2}"
    rb"|44(?:1(?:1[3-8]|[2-6]1)496|191498|207946|292018|808157|909879)0[0-9]{3}"
    rb"|44(?:1632960|2896496|3069990|7700900)[0-9]{3}"
    rb"|61[2378](?:5550|7010)[0-9]{4}|61491570(?:006|110|15[6-9])"
    rb"|33(?:19900|26191|35301|46571|53649|63998)[0-9]{4}"
    rb"|46701740(?:60[5-9]|6[1-9][0-9])"
)


def _fiction(value: bytes) -> bool:
    return _FICTION.fullmatch(digits(value.replace(b"(0)", b""))) is not None


DETECTORS = (
    Detector(
        name="phone",
        about="Phone numbers: international with `+`, North American with separators, others by context or `regions`.",
        triggers=(
            Trigger(rb"\+[1-9](?:[ ().-]?[ ().-]?[0-9]){4}", _phone_international),
            Trigger(GROUPS_OF_THREE, _phone_nanp, guarded=True, tail=_NANP_TAIL),
            *after(_WORDS, _DIALLED, _may_be_dialled, gap=NEAR),
        ),
        in_regions=phone_triggers,
        canonical=digits,
        documented=_fiction,
        must=(
            "+4930901820",
            "+44 20 7946 0123",
            "(415) 234-1023",
            "415-234-1023",
            "+1 415 234 1023",
            "1.415.234.1023",
            "phone: 030 901820",
            "Tel. 0171/3920001",
            "téléphone : 01 43 21 65 87",
        ),
        must_not=(
            "115-234-1023",
            "415-134-1023",
            "+12",
            "2026-09-21 14:02:11",
            "1790000000390524",
            "phone: 2026-09-21",
            "phone 10.20.30.40",
            "microphone 1234567",
            "phone verification took 1234567 ns",
        ),
    ),
)
