"""National identifiers: how their detectors are made; those of North America.

Check digits, dates and ranges are judged by python-stdnum. Most of these numbers look like any other number, so they
count only behind a word that names them (in the languages of their country, and in English).
"""

import importlib
import re
from collections.abc import Callable

from scrubbers.detectors.context import after, signed
from scrubbers.detectors.detector import (
    GROUPS_OF_THREE,
    LEFT,
    RIGHT,
    Detector,
    Span,
    Trigger,
    alnum,
    digits,
    published,
)


def identifier(
    name: str,
    about: str,
    module: str,
    shape: bytes,
    words: tuple[str, ...],
    right: tuple[str, ...],
    wrong: str,
    *,
    acronyms: tuple[str, ...] = (),
    triggers: tuple[Trigger, ...] = (),
    alone: str = "",
) -> Detector:
    """A detector of an identifier behind words, checked by a module of stdnum (none: it has no check digit).

    `acronyms` are short words that need a sign behind them. `right` and `wrong` are examples; `wrong` has its digits in
    the right places, but is none. `triggers`: where it is found by its shape alone, too, as `alone` is.
    """
    valid = validator(module) if module else None
    value = b"(?:" + shape + b")" + RIGHT
    named = words[0].replace("|", "")
    return Detector(
        name=name,
        about=about,
        triggers=(*after((*words, *signed(*acronyms)), value, valid), *triggers),
        canonical=alnum,
        must=(
            *([alone, f"({alone})"] if alone else []),
            f"{named}: {right[0]}",
            f"{named}={right[0]}",
            *(f"{named} is {each}" for each in right),
            *(f"{short.upper()}: {right[-1]}" for short in acronyms),
        ),
        must_not=(f"{named}: {wrong}", f"{named}: 42", f"{named} 2026-09-21"),
    )


def validator(module: str) -> Callable[[bytes], bool]:
    """Whether a value is valid by a module of stdnum; what it fails to judge counts as valid."""
    is_valid = importlib.import_module(f"stdnum.{module}").is_valid

    def valid(value: bytes) -> bool:
        try:
            return bool(is_valid(value.decode("ascii")))
        except LookupError:  # places that its tables know in part (stdnum.cn.ric)
            return True

    return valid


def _us_ssn(text: bytes, end: int) -> Span | None:
    found = _US_SSN.match(text, end - 9) if end >= 9 and text[end - 3] == 0x2D else None
    return found.span() if found else None


# Area 000, 666 and 900-999, group 00 and serial 0000 are never issued (SSA, POMS RM 10201.035).
_US_SSN = re.compile(LEFT + rb"(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}" + RIGHT + rb"(?!-[0-9])")


def _us_itin(text: bytes, end: int) -> Span | None:
    found = _US_ITIN.match(text, end - 9) if end >= 9 and text[end - 3] == 0x2D else None
    return found.span() if found and _is_itin(found[0]) else None


_US_ITIN = re.compile(LEFT + rb"9[0-9]{2}-[5-9][0-9]-[0-9]{4}" + RIGHT + rb"(?!-[0-9])")
_GROUPS = rb"-[0-9][0-9]-[0-9][0-9]"
_is_itin = validator("us.itin")
_is_ssn = validator("us.ssn")
# Numbers that were printed on cards and leaflets for show (SSA, "Misused SSNs"): stdnum takes them for invalid.
_FOR_SHOW = published(digits, "078051120", "219099999")

DETECTORS = (
    Detector(
        name="us_ssn",
        about="US social security numbers, with dashes or by context; ranges that are never issued are left out.",
        triggers=(
            Trigger(GROUPS_OF_THREE, _us_ssn, guarded=True, tail=_GROUPS),
            *after(
                ("ssn", "social security", "soc sec"),
                rb"[0-9]{3}[ .-]?[0-9]{2}[ .-]?[0-9]{4}" + RIGHT,
                lambda value: _is_ssn(digits(value)) or _FOR_SHOW(value),
            ),
        ),
        canonical=digits,
        documented=_FOR_SHOW,
        must=("536-81-7623", "ssn=001-01-0001", "(212-09-6709)", "SSN 536817623", "social security no. 536 81 7623"),
        must_not=(
            "000-12-3456",
            "666-12-3456",
            "912-12-3456",
            "123-00-4567",
            "123-45-0000",
            "9123-45-6789",
            "536817623",
        ),
    ),
    Detector(
        name="us_itin",
        about="US individual taxpayer identification numbers, with dashes or by context.",
        triggers=(
            Trigger(GROUPS_OF_THREE, _us_itin, guarded=True, tail=_GROUPS),
            *after(
                ("itin", "taxpayer id", "taxpayer identif|ication"),
                rb"9[0-9]{2}[ -]?[5-9][0-9][ -]?[0-9]{4}" + RIGHT,
                lambda value: _is_itin(digits(value)),
            ),
        ),
        canonical=digits,
        must=("912-90-3456", "itin=912903456", "taxpayer id 912 90 3456"),
        must_not=("912-93-4567", "912903456", "912-90-34567"),
    ),
    identifier(
        "ca_sin",
        "Canadian social insurance numbers.",
        "ca.sin",
        rb"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{3}",
        ("social insurance", "assurance sociale"),
        ("123-456-782", "123456782"),
        "123-456-783",
        acronyms=("sin",),
    ),
    identifier(
        "mx_curp",
        "Mexican population registry codes (CURP).",
        "mx.curp",
        rb"[A-Z]{4}[0-9]{6}[HMX][A-Z]{5}[0-9A-Z][0-9]",
        ("curp", "registro de pobl|ación", "registro de pobl|acion"),
        ("BOXW310820HNERXN09",),
        "BOXW310820HNERXN08",
    ),
    identifier(
        "mx_rfc",
        "Mexican tax numbers (RFC) of persons.",
        "mx.rfc",
        rb"[A-Z&]{4}[ -]?[0-9]{6}[ -]?[0-9A-Z]{3}",
        ("registro federal", "contribuyente"),
        ("GODE561231GR8",),
        "GODE561331GR8",
        acronyms=("rfc",),
    ),
    Detector(
        name="passport",
        about="Passport numbers of any country, by context.",
        triggers=after(
            (
                "passport",
                "reisepass",
                "passeport",
                "pasaporte",
                "passaporto",
                "passaporte",
                "paspoort",
                "paszport",
                "pasaportu",
            ),
            rb"(?:[A-Z]{0,3}[0-9]{6,9}[A-Z]?|(?=[A-Z]{0,8}[0-9])[CFGHJKLMNPRTVWXYZ][0-9CFGHJKLMNPRTVWXYZ]{8}[0-9]?)"
            + RIGHT,
        ),
        canonical=alnum,
        must=("passport: C01X00T47", "Passport No. 533380006", "Reisepass CZ6311T03", "passeport n° AB1234567"),
        must_not=("passport service returned 200", "passport 12", "C01X00T47"),
    ),
    Detector(
        name="driver_license",
        about="Numbers of driving licences, by context.",
        triggers=after(
            (
                "driver license",
                "driver's license",
                "drivers license",
                "driving license",
                "driving licence",
                "driver licence",
                "führerschein",
                "fuehrerschein",
                "permis de conduire",
                "permiso de conducir",
                "patente di guida",
                "rijbewijs",
                "prawo jazdy",
                "körkort",
            ),
            rb"(?:[A-Z][0-9]{7,14}|[A-Z]{2}[0-9]{6,9}[A-Z]?|[0-9]{7,9}|[A-Z9]{5}[0-9]{6}[A-Z9]{2}[0-9][A-Z]{2}|[A-Z][0-9]{2}[0-9A-Z]{6}[0-9][0-9A-Z])"
            + RIGHT,
        ),
        canonical=alnum,
        must=("driver's license: D1234567", "driving licence no MORGA753116SM9IJ", "Führerschein B072RRE2I55"),
        must_not=("driving licence expired 2026", "driver license 12", "D1234567"),
    ),
)
