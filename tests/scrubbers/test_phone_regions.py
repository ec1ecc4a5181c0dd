"""Phone numbers as they are dialled at home, in the countries that the policy names."""

import json
from functools import cache

import phonenumbers
import pytest
from engine import thoroughly
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

from scrubbers import Policy, Scrubber
from scrubbers.detectors.phone_regions import REGIONS
from settings import SettingsError, loads

GROUPED = ("DE", "FR", "GB", "ES", "IT", "NL", "BE", "CH", "AT", "PL", "SE", "NO", "DK", "FI", "PT", "IE", "BR", "MX",
           "IN", "AU", "JP", "KR", "CN", "SG", "HK", "ZA", "TR", "GR", "CZ", "RO", "HU", "UA", "IL", "US")  # fmt: skip


@cache
def scrubber(*regions: str) -> Scrubber:
    return Scrubber(Policy.model_validate({"patterns": [{"detector": "phone"}], "regions": regions}))


def scrubbed(text: str, *regions: str) -> str:
    return scrubber(*regions).scrub(f"{text}\n".encode()).body.decode()[:-1]


@st.composite
def at_home(draw: st.DrawFn) -> tuple[str, str]:
    """A country, and a valid number of it in its own way of writing."""
    region = draw(st.sampled_from(GROUPED))
    kind = draw(st.sampled_from((PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE)))
    example = phonenumbers.example_number_for_type(region, kind)
    assert example is not None
    national = str(example.national_number)
    tail = draw(st.integers(0, 10**4 - 1))
    changed = PhoneNumber(example.country_code, int(f"{national[:-4]}{tail:04}"), None, example.italian_leading_zero)
    number = changed if phonenumbers.is_valid_number(changed) else example
    return region, phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)


@thoroughly
@given(number=at_home())
def test_numbers_of_a_region_are_found_as_people_write_them_there(number: tuple[str, str]) -> None:
    region, written = number
    assert scrubbed(f"call {written} now", region) == "call [REDACTED:phone] now"
    record = json.dumps({"a": 1, "note": f"line\n{written}"})
    assert json.loads(scrubbed(record, region)) == {"a": 1, "note": "line\n[REDACTED:phone]"}


@thoroughly
@given(value=st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.decimals(places=6)))
def test_no_json_number_is_taken_for_one(value: object) -> None:
    record = f'{{"a":{value},"b":[{value}, {value}]}}' if "N" not in str(value) and "I" not in str(value) else "{}"
    assert scrubbed(record, *GROUPED[:13]) == record


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-25 10:00:00", "25.11.2026 10:00", "25-11-2026", "25/11/2026 23:59:59.123", "10.20.30.40",
        "took 912.345678 s", "0.171392000 0.301234", "+34 12", "v01.23.45", "0171", "1790000000390524", "0x0171392000",
        "4bf92f3577b34da6a3ce929d0e0e4736", "12:34:56.789", "span 00f067aa0ba902b7", "0123-456-7890-1234-5678-9012",
    ],
)  # fmt: skip
def test_what_only_looks_like_one_stays(text: str) -> None:
    assert scrubbed(text, "DE", "FR", "ES", "PL", "DK", "BR", "SG") == text


def test_without_a_region_there_must_be_a_word() -> None:
    assert scrubbed("call 0171 3920001") == "call 0171 3920001"
    assert scrubbed("phone 0171 3920001") == "phone [REDACTED:phone]"


def test_a_word_finds_as_much_as_without_regions() -> None:
    assert scrubbed("phone 091 234 5678", "DK") == "phone [REDACTED:phone]"


def test_what_follows_a_number_is_no_part_of_it() -> None:
    assert scrubbed("from 01 23 45 67 89 200", "FR") == "from [REDACTED:phone] 200"


def test_every_country_is_known_by_its_letters() -> None:
    for region in sorted(REGIONS):
        scrubber(region)


def test_what_is_no_country_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"regions\[0\]: is not a country"):
        loads("regions: [XX]\n", Policy)
