"""National identifiers."""

import re

from scrubbers.detectors.detector import (
    DIGITS,
    GROUPS_OF_THREE,
    LEFT,
    RIGHT,
    Detector,
    Span,
    Trigger,
    digits,
    published,
)


def _us_ssn(text: bytes, end: int) -> Span | None:
    found = _US_SSN.match(text, end - 9) if end >= 9 and text[end - 3] == 0x2D else None
    return found.span() if found else None


# Area 000, 666 and 900-999, group 00 and serial 0000 are never issued (SSA, POMS RM 10201.035).
_US_SSN = re.compile(LEFT + rb"(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}" + RIGHT + rb"(?!-[0-9])")

# Numbers that were printed on cards and leaflets for show (SSA, "Misused SSNs").
_FOR_SHOW = published(digits, "078051120", "219099999")

DETECTORS = (
    Detector(
        name="us_ssn",
        about="US social security numbers, written with dashes; ranges that are never issued are left out.",
        triggers=(Trigger(GROUPS_OF_THREE, _us_ssn, guarded=True, last=DIGITS, sixth=b"-"),),
        canonical=digits,
        documented=_FOR_SHOW,
        must=("536-81-7623", "ssn=001-01-0001", "(212-09-6709)"),
        must_not=("000-12-3456", "666-12-3456", "912-12-3456", "123-00-4567", "123-45-0000", "9123-45-6789"),
    ),
)
