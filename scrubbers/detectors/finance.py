"""Payment cards and bank accounts."""

import re
from collections.abc import Callable
from functools import lru_cache

from stdnum import numdb

from scrubbers.detectors.detector import DIGITS, GUARDS, LEFT, RIGHT, UPPER, Detector, Span, Trigger, compact, digits

# Issuer identification numbers: first and last value of the leading digits, and the lengths of card numbers.
# ISO/IEC 7812; the ranges are those the networks publish.
_RANGES: tuple[tuple[str, str, frozenset[int]], ...] = (
    ("4", "4", frozenset({16, 19})),  # Visa; those of 13 digits are long withdrawn
    ("51", "55", frozenset({16})),  # Mastercard
    ("2221", "2720", frozenset({16})),
    ("34", "34", frozenset({15})),  # American Express
    ("37", "37", frozenset({15})),
    ("6011", "6011", frozenset({16, 17, 18, 19})),  # Discover
    ("644", "659", frozenset({16, 17, 18, 19})),
    ("300", "305", frozenset({14, 16})),  # Diners Club
    ("3095", "3095", frozenset({14, 16})),
    ("36", "36", frozenset({14, 15, 16, 17, 18, 19})),
    ("38", "39", frozenset({14, 15, 16, 17, 18, 19})),
    ("3528", "3589", frozenset({16, 17, 18, 19})),  # JCB
    ("62", "62", frozenset({16, 17, 18, 19})),  # UnionPay
    ("2200", "2204", frozenset({16, 17, 18, 19})),  # Mir
    ("5018", "5018", frozenset(range(12, 20))),  # Maestro
    ("5020", "5020", frozenset(range(12, 20))),
    ("5038", "5038", frozenset(range(12, 20))),
    ("5893", "5893", frozenset(range(12, 20))),
    ("6304", "6304", frozenset(range(12, 20))),
    ("6759", "6763", frozenset(range(12, 20))),
    ("508", "508", frozenset({16})),  # RuPay
    ("60", "60", frozenset({16})),
)
_LENGTHS: dict[bytes, frozenset[int]] = {}  # by the first four digits
for _low, _high, _allowed in _RANGES:
    for _prefix in range(int(_low.ljust(4, "0")), int(_high.ljust(4, "9")) + 1):
        _key = str(_prefix).encode()
        _LENGTHS[_key] = _LENGTHS.get(_key, frozenset()) | _allowed

_DOUBLED = bytes(max(0, byte - 48) * 2 // 10 + max(0, byte - 48) * 2 % 10 for byte in range(58)) + bytes(198)


def is_card(number: bytes) -> bool:
    """Whether these digits are a card number by range, length and check digit (Luhn, ISO/IEC 7812-1 annex B)."""
    if len(number) not in _LENGTHS.get(number[:4], ()):
        return False
    plain, doubled = number[-1::-2], number[-2::-2]
    return (sum(plain) - 48 * len(plain) + sum(doubled.translate(_DOUBLED))) % 10 == 0


def _card(text: bytes, end: int) -> Span | None:
    start = end - 12
    if start < 0:
        return None
    if text[start:end].isdigit():
        if text[start] < 0x35 and text[end] not in b" -" and not text[end : end + 2].isdigit():
            return None  # twelve or thirteen digits: the only such cards are Maestro's, and begin with 5 or 6
        found = _PLAIN(text, start)
        if found:
            return found.span() if is_card(found[0]) else None
    elif not 0x30 <= text[end - 9] <= 0x39:
        start -= 1  # a separator behind the fourth digit
        if start < 0:
            return None
    for pattern in (_GROUPED_LONG, _GROUPED):
        found = pattern(text, start)
        if found and is_card(digits(found[0])):
            return found.span()
    return None


_NO_FRACTION = rb"(?<![0-9]\.)"  # 0.4532015112830366 is a ratio
_PLAIN = re.compile(LEFT + _NO_FRACTION + rb"[2-6][0-9]{11,18}" + RIGHT).match
_GROUPED = re.compile(
    LEFT
    + _NO_FRACTION
    + rb"[2-6][0-9]{3}(?:([ -]?)[0-9]{4}([ -]?)[0-9]{4}[ -]?[0-9]{1,4}|[ -][0-9]{6}[ -][0-9]{4,5})"
    + RIGHT
).match
_GROUPED_LONG = re.compile(LEFT + _NO_FRACTION + rb"[2-6][0-9]{3}(?:[ -]?[0-9]{4}){3}[ -]?[0-9]{1,3}" + RIGHT).match


def _iban(text: bytes, end: int) -> Span | None:
    start = end - 5
    found = _IBAN.match(text, start) if start >= 0 and 0x41 <= text[start] <= 0x5A else None
    if found is None:
        return None
    shape = _structure(text[start : start + 2])
    if shape is None:
        return None
    size, structure = shape
    token = found[0]
    while token.count(b" ") + size < len(token):  # what follows may be a word in capitals: try without the last group
        shorter = token.rfind(b" ")
        if shorter < 0:
            return None
        token = token[:shorter]
    code = token.replace(b" ", b"")
    if len(code) != size or not structure(code, 4) or not _checks(code):
        return None
    return start, start + len(token)


_IBAN = re.compile(LEFT + rb"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}" + RIGHT)
_VALUES = {byte: str(int(chr(byte), 36)) for byte in DIGITS + UPPER}


def _checks(code: bytes) -> bool:
    """ISO 7064 MOD 97-10, as ISO 13616 applies it."""
    return int("".join(map(_VALUES.__getitem__, code[4:] + code[:4]))) % 97 == 1


@lru_cache(1024)
def _structure(country: bytes) -> "tuple[int, Callable[[bytes, int], re.Match[bytes] | None]] | None":
    """The length of a country's account numbers and what follows the check digits (IBAN registry)."""
    registered = numdb.get("iban").info(country.decode())[0][1]
    if not registered:
        return None
    pieces = re.findall(r"([1-9][0-9]*)!([nac])", registered["bban"])
    classes = {"n": "[0-9]", "a": "[A-Z]", "c": "[A-Z0-9]"}
    pattern = "".join(f"{classes[kind]}{{{count}}}" for count, kind in pieces)
    return 4 + sum(int(count) for count, _ in pieces), re.compile(pattern.encode()).fullmatch


DETECTORS = (
    Detector(
        name="payment_card",
        about="Payment card numbers, by the networks' ranges and lengths and the Luhn check digit.",
        triggers=(
            Trigger(rb"[2-6][0-9]{3}[ -]?[0-9]{4}[0-9 -]{4}", _card, guarded=True, last=DIGITS + b" -", sixth=DIGITS),
        ),
        canonical=digits,
        bare=True,
        must=(
            "4111111111111111",
            "4111 1111 1111 1111",
            "5555-5555-5555-4444",
            "3782 822463 10005",
            "6011111111111117",
        ),
        must_not=("4111111111111112", "1790000000000390524", "0.4111", "a4111111111111111", "4111111111111111b"),
    ),
    Detector(
        name="iban",
        about="International bank account numbers, by country format and check digits.",
        triggers=(
            Trigger(rb"[A-Z][A-Z][0-9][0-9][A-Z0-9 ]", _iban, guarded=True, last=DIGITS + UPPER + b" ", sixth=GUARDS),
        ),
        canonical=compact,
        must=(
            "DE89370400440532013000",
            "GB82 WEST 1234 5698 7654 32",
            "NL91ABNA0417164300",
            "FR1420041010050500013M02606",
        ),
        must_not=("DE89370400440532013001", "DE12", "SKU SG93 0000 0000", "AB12CD34EF56GH78"),
    ),
)
