"""No input costs more than in proportion to its size: the whole engine, on what troubles scanners.

Costs are CPU time, compared within one run; a comparison that fails is measured again, for machines are noisy.
"""

import time
from collections.abc import Callable

import pytest

from bench.corpus import corpus
from scrubbers import Scrubber, load_policy

SMALL, LARGE = 1 << 14, 1 << 17
GROWTH = 3.0  # cost a byte, of a large record as against a small one; what is quadratic would have 8
TIMES = 5.0  # cost a byte, as against records that are all dirty

UNITS: dict[str, str] = {
    "letters": 'a', "digits": '1', "fours": '4', "spaces": ' ', "signs": '@', "percents": '%', "ampersands": '&',
    "backslashes": '\\', "quotes": '"', "apostrophes": "'", "commas": ',', "colons": ':', "equals": '=', "dots": '.',
    "nul": '\x00', "beyond ASCII": 'é', "zero width": '\u200b', "full width": '１', "entities": '&#64;',
    "objects": '{', "arrays": '[', "open objects": '{"a":', "nested": '[{"a":', "objects in a row": '{"a":"b"},',
    "arrays of strings": '["', "escaped quotes": '\\"', "doubled escapes": '\\\\\\\\"', "deep strings": '"{\\"a\\":',
    "unicode escapes": '\\u0041', "percent": '%41', "percent twice": '%2541', "base64": 'QUJD',
    "tokens": '[REDACTED:email]', "local parts": 'a.b@', "domains": 'a@b.', "labels": 'a.', "addresses": '1.2.3.4.',
    "groups": '2001:db8:', "half a card": '4111 1111 ', "half an SSN": '123-45-', "half an IBAN": 'DE89',
    "groups of four": 'AB12 ', "half a number": '+1 ', "area codes": '(415) ', "area codes, dashed": '415-415-',
    "eyJ": 'eyJ', "half a JWT": 'eyJaaaaaa.', "bearer": 'bearer a', "basic": 'basic ', "URLs": '://a:',
    "users": 'http://a:b@', "AKIA": 'AKIA', "ghp_": 'ghp_', "xoxb-": 'xoxb-',
    "slack hooks": 'hooks.slack.com/services/', "key begins": '-----BEGIN PRIVATE KEY-----',
    "key ends": '-----END PRIVATE KEY-----', "keys": 'password=', "quoted values": 'password="',
    "colons and keys": 'password: ', "JSON keys": '"password":', "members": '{"password":"x"},',
    "Python keys": "'password': ", "escaped keys": '\\"password\\":', "encoded keys": 'password%3D',
    "braces": 'password={', "headers": 'cookie: a=b; ', "words": 'password email token ', "query": 'email=x@y.io&',
    "kept": 'trace_id=', "kept members": '"trace_id":"0123456789abcdef0123456789abcdef",', "XML": '<password>',
    "SQL": "password = '", "map": 'map[', "arguments": 'User(', "dotted": 'a.b.c.', "pairs": 'a=b, ',
}  # fmt: skip

QUADRATIC: dict[str, tuple[str, str, str]] = {  # beginning, unit, end: found by drawing units at random
    "headers and a backslash": ("", "=>authorization", "\\"),
    "open braces, encoded": ("", "password={password=%40%25", ""),
    "colons and an escape": ("", "+password: .", '\\"a'),
    "backslashes": ("DE89", "password=email\\", "=>\\\\"),
    "cookies": ("", "cookie=%", "4111"),
    "arrows": ("", "%authorization=>password={", "\u00e9\t"),
    "tokens, encoded": ("", "ghp_@\\\\password=", "%40%40"),
    "commas": ("=", ",password=", ""),
}

CHEAP = (
    "letters", "digits", "fours", "spaces", "percents", "ampersands", "backslashes", "quotes", "apostrophes", "commas",
    "colons", "equals", "dots", "nul", "beyond ASCII", "objects", "arrays",
    "open objects", "nested", "objects in a row", "arrays of strings", "escaped quotes", "doubled escapes",
    "deep strings", "base64", "tokens", "labels", "slack hooks", "map", "arguments", "dotted", "pairs",
)  # fmt: skip
"""What no detector, key or encoding begins with. What one begins with is looked at each time it stands there,
for 0.2 µs or more: a mebibyte of `@` costs 0.5 s."""


@pytest.fixture(scope="module")
def cost() -> Callable[[bytes], float]:
    scrubber = Scrubber(load_policy())
    scrubber.scrub(corpus(1.0, 1 << 16))  # what is made at first use

    def seconds_a_byte(record: bytes) -> float:
        start = time.process_time()
        scrubber.scrub(record)
        return (time.process_time() - start) / len(record)

    return seconds_a_byte


def record(unit: str, size: int, before: str = "", after: str = "") -> bytes:
    encoded = unit.encode()
    return before.encode() + encoded * (size // len(encoded)) + after.encode() + b"\n"


def grows(cost: Callable[[bytes], float], small: bytes, large: bytes) -> float:
    """By how much a byte of the large record is dearer; the lowest of some tries."""
    growth = float("inf")
    for _ in range(4):
        growth = min(growth, cost(large) / max(min(cost(small), cost(small)), 1e-9))
        if growth <= GROWTH:
            break
    return growth


@pytest.mark.parametrize("name", UNITS)
def test_a_long_record_costs_no_more_a_byte_than_a_short_one(cost: Callable[[bytes], float], name: str) -> None:
    unit = UNITS[name]
    assert grows(cost, record(unit, SMALL), record(unit, LARGE)) <= GROWTH


@pytest.mark.parametrize("name", QUADRATIC)
def test_nor_does_what_was_found_to_be_quadratic(cost: Callable[[bytes], float], name: str) -> None:
    before, unit, after = QUADRATIC[name]
    small, large = (record(unit, size, before, after) for size in (1 << 12, 1 << 15))
    assert grows(cost, small, large) <= GROWTH


@pytest.mark.slow
@pytest.mark.parametrize("name", UNITS)
def test_a_record_of_a_mebibyte_is_scrubbed_in_seconds(cost: Callable[[bytes], float], name: str) -> None:
    unit = UNITS[name]
    assert grows(cost, record(unit, 1 << 16), record(unit, 1 << 20)) <= GROWTH


@pytest.mark.parametrize("name", CHEAP)
def test_what_nothing_begins_with_costs_about_as_much_as_dirty_records(
    cost: Callable[[bytes], float], name: str
) -> None:
    normal, odd = corpus(1.0, LARGE), record(UNITS[name], LARGE)
    times = float("inf")
    for _ in range(4):
        times = min(times, cost(odd) / cost(normal))
        if times <= TIMES:
            break
    assert times <= TIMES
