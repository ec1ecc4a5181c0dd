"""Phone numbers as they are dialled at home, in the countries that a policy names (`regions`).

A number plan says which digits are a number; how a country groups them, and whether they begin with a zero, says what
to look for. Groups are needed where there is no zero: nine digits in a row are everywhere.
"""

import re
from collections.abc import Callable
from functools import lru_cache

from phonenumbers import (
    SUPPORTED_REGIONS,
    PhoneMetadata,
    PhoneNumberFormat,
    PhoneNumberType,
    example_number_for_type,
    format_number,
)

from scrubbers.detectors.detector import GUARD_OR_ESCAPE, LEFT, RIGHT, Find, Span, Trigger, digits

REGIONS = frozenset(SUPPORTED_REGIONS)
"""Countries by their two letters (ISO 3166)."""

_ZERO = "0"
_SIZE = 8
_HEADS: dict[str, bytes] = {  # by how a number begins: its first bytes, _SIZE of them; times have dots, hosts dashes
    _ZERO: rb"0[1-9](?:[0-9 ()/-][0-9 ()/-][0-9 ()/-][0-9 ()/-][0-9 ()/-][0-9 ()/-]|\.[0-9][0-9]\.[0-9][0-9])",
    "99": rb"[1-9][0-9][ )][0-9 -][0-9 -][0-9 -][0-9 -][0-9 -]",
    "999": rb"[1-9][0-9][0-9][ .)-][0-9 .-][0-9 .-][0-9 .-][0-9 .-]",
    "9999": rb"[1-9][0-9][0-9][0-9][ -][0-9][0-9][0-9]",
}
_DIALLED = re.compile(
    LEFT
    + rb"(?<![+.])(?<![0-9][-/])(?:[0-9]{2,5}(?:\.[0-9]{2,4}){2,5}|[0-9](?:(?:[ -]{0,2}|\)[ -]?| ?/ ?)[0-9]){6,13})"
    + RIGHT
    + rb"(?![-.:/][0-9])"
).match
_LAST = re.compile(rb" [0-9]+\Z").search
_DAY = re.compile(rb"[0-9]{1,2}([-./])[0-9]{1,2}\1(?:19|20)[0-9]{2}(?:[ -].*)?").fullmatch


def phone_triggers(regions: tuple[str, ...]) -> tuple[Trigger, ...]:
    """What finds numbers without a word, written as people in these countries do."""
    return (_trigger(regions),) if regions else ()


@lru_cache(16)
def _trigger(regions: tuple[str, ...]) -> Trigger:
    """An automaton of its own: with the other shapes it would outgrow what is fast."""
    heads = sorted({head for region in regions for head in _plan(region)[0]})
    expression = b"(?:" + b"|".join(_HEADS[head] for head in heads) + b")"
    return Trigger(GUARD_OR_ESCAPE + expression, _finder(expression, [_plan(region)[1:] for region in regions]))


_Valid = Callable[[bytes], "re.Match[bytes] | None"]


@lru_cache(512)
def _plan(region: str) -> tuple[frozenset[str], bytes, _Valid]:
    """How numbers of a country begin, the digits before them that are only dialled, and which are in use."""
    metadata = PhoneMetadata.metadata_for_region(region)
    assert metadata is not None
    kinds = (
        *(metadata.fixed_line, metadata.mobile, metadata.toll_free, metadata.premium_rate, metadata.shared_cost),
        *(metadata.personal_number, metadata.voip, metadata.pager, metadata.uan, metadata.voicemail),
    )
    patterns = [kind.national_number_pattern for kind in kinds if kind and kind.national_number_pattern]
    prefix = metadata.national_prefix or ""
    heads = {_head(region, kind, prefix) for kind in (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE)}
    valid = re.compile("|".join(f"(?:{pattern})" for pattern in patterns).encode()).fullmatch
    return frozenset(heads & set(_HEADS)), prefix.encode(), valid


def _head(region: str, kind: int, prefix: str) -> str:
    example = example_number_for_type(region, kind)
    if example is None:
        return ""
    written = str(format_number(example, PhoneNumberFormat.NATIONAL)).lstrip("(")
    if written.startswith(_ZERO):
        return _ZERO
    if prefix:  # "8 (912) 345-67-89": it stands apart
        written = written.removeprefix(prefix).lstrip(" (")
    return "9" * (len(written) - len(written.lstrip("0123456789")))


def _finder(expression: bytes, plans: list[tuple[bytes, _Valid]]) -> Find:
    """Finds a number that begins as the expression says, _SIZE bytes before the report's end."""
    begins = re.compile(expression).match

    def find(text: bytes, end: int) -> Span | None:
        start = end - _SIZE
        found = _DIALLED(text, start) if start >= 0 and begins(text, start) else None
        if found is None or _DAY(found[0]):
            return None
        groups, zero = found[0], text[start] == 0x30
        while len(groups) >= _SIZE:
            number = digits(groups)
            for prefix, valid in plans:
                if valid(number[len(prefix) :] if zero and number.startswith(prefix) else number):
                    opened = text[start - 1 : start] == b"(" and b")" in groups
                    return start - opened, start + len(groups)
            # What follows a number may be another: try without the last group.
            last = _LAST(groups)
            groups = groups[: last.start()].rstrip() if last else b""
        return None

    return find
