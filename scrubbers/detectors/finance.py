"""Payment cards and bank accounts."""

import re
from collections.abc import Callable
from functools import lru_cache

from stdnum import numdb

from scrubbers.detectors.detector import (
    DIGITS,
    LEFT,
    RIGHT,
    UPPER,
    Confidence,
    Detector,
    Span,
    Trigger,
    compact,
    digits,
    published,
)

# Issuer identification numbers: first and last value of the leading digits, and the lengths of card numbers.
# ISO/IEC 7812; the ranges are those the networks publish. Four digits tell networks apart well enough; numbers of UATP
# (air travel, beginning with 1) are left out: they look like times.
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
    ("2205", "2205", frozenset({16})),  # Borica
    ("5019", "5019", frozenset({16})),  # Dankort
    ("5041", "5041", frozenset({16})),  # Elo (also within the ranges of Visa and Discover)
    ("5066", "5067", frozenset({16})),
    ("5090", "5099", frozenset({16})),
    ("6362", "6363", frozenset({16})),
    ("5060", "5061", frozenset({16, 18, 19})),  # Verve
    ("5078", "5079", frozenset({16, 18, 19})),
    ("637", "639", frozenset({16})),  # InstaPayment
    ("9792", "9792", frozenset({16})),  # Troy
    ("5018", "5018", frozenset(range(12, 20))),  # Maestro
    ("5020", "5020", frozenset(range(12, 20))),
    ("5038", "5038", frozenset(range(12, 20))),
    ("5893", "5893", frozenset(range(12, 20))),
    ("6304", "6304", frozenset(range(12, 20))),
    ("6759", "6763", frozenset(range(12, 20))),
    ("6767", "6767", frozenset(range(12, 20))),
    ("6771", "6771", frozenset(range(12, 20))),
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
    if start < 0 or _TOO_SHORT(text, start):
        return None
    if text[start:end].isdigit():
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


# Twelve or thirteen digits, as many identifiers have: of cards, Maestro's alone.
_SHORT = b"|".join(sorted(head for head, lengths in _LENGTHS.items() if min(lengths) < 14))
_TOO_SHORT = re.compile(rb"(?!" + _SHORT + rb")[0-9]{12}(?:[0-9](?![0-9])|(?![0-9 -]))").match
_NO_FRACTION = rb"(?<![0-9]\.)"  # 0.4532015112830366 is a ratio
_PLAIN = re.compile(LEFT + _NO_FRACTION + rb"[2-69][0-9]{11,18}" + RIGHT).match
_GROUPED = re.compile(
    LEFT
    + _NO_FRACTION
    + rb"[2-69][0-9]{3}(?:([ -]?)[0-9]{4}([ -]?)[0-9]{4}[ -]?[0-9]{1,4}|[ -][0-9]{6}[ -][0-9]{4,5})"
    + RIGHT
).match
_GROUPED_LONG = re.compile(LEFT + _NO_FRACTION + rb"[2-69][0-9]{3}(?:[ -]?[0-9]{4}){3}[ -]?[0-9]{1,3}" + RIGHT).match


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


# Numbers that payment services publish for tests: docs.stripe.com/testing, docs.adyen.com (test card numbers),
# developer.paypal.com (card testing).
_TEST_CARDS = (
    "4242424242424242", "4000056655665556", "5555555555554444", "2223003122003222", "5200828282828210",
    "5105105105105100", "378282246310005", "371449635398431", "6011111111111117", "6011000990139424",
    "6011981111111113", "3056930009020004", "36227206271667", "6555900000604105", "3566002020360505",
    "6200000000000005", "6200000000000047", "6205500000000000004", "4000000000000002", "4000000000009995",
    "4000000000009987", "4000000000009979", "4000000000000069", "4000000000000127", "4000000000000119",
    "4000000000000101", "4000000000000341", "4000000000003220", "4000000000003063", "4000000000003055",
    "4000000000003097", "4000002500003155", "4000002760003184", "4000008260003178", "4000003800000446",
    "4000000000000077", "4000000000000259", "4000000000001976", "4000000000005423", "4111111111111111",
    "4111111145551142", "4988438843884305", "4166676667666746", "4646464646464644", "4000620000000007",
    "5100290029002909", "5577000055770004", "5136333333333335", "5585558555855583", "2222410740360010",
    "2222400070000005", "2222400010000008", "2223000048410010", "370000000000002", "36006666333344",
    "6011601160116611", "3569990010095841", "6771798021000008", "4012888888881881", "4917610000000000",
    "30569309025904", "38520000023237", "3530111333300000",
)  # fmt: skip
# The examples of the IBAN registry (ISO 13616, kept by SWIFT), and the one of ECBS.
_REGISTRY_EXAMPLES = (
    "AD1200012030200359100100", "AE070331234567890123456", "AL47212110090000000235698741", "AT611904300234573201",
    "AZ21NABZ00000000137010001944", "BA391290079401028494", "BE68539007547034", "BG80BNBG96611020345678",
    "BH67BMAG00001299123456", "BR1800360305000010009795493C1", "CH9300762011623852957", "CR05015202001026284066",
    "CY17002001280000001200527600", "CZ6508000000192000145399", "DE89370400440532013000", "DK5000400440116243",
    "DO28BAGR00000001212453611324", "EE382200221020145685", "ES9121000418450200051332", "FI2112345600000785",
    "FO6264600001631634", "FR1420041010050500013M02606", "GB29NWBK60161331926819", "GB82WEST12345698765432",
    "GE29NB0000000101904917", "GI75NWBK000000007099453", "GL8964710001000206", "GR1601101250000000012300695",
    "GT82TRAJ01020000001210029690", "HR1210010051863000160", "HU42117730161111101800000000", "IE29AIBK93115212345678",
    "IL620108000000099999999", "IS140159260076545510730339", "IT60X0542811101000000123456",
    "JO94CBJO0010000000000131000302", "KW81CBKU0000000000001234560101", "KZ86125KZT5004100100",
    "LB62099900000001001901229114", "LI21088100002324013AA", "LT121000011101001000", "LU280019400644750000",
    "LV80BANK0000435195001", "MC5811222000010123456789030", "MD24AG000225100013104168", "ME25505000012345678951",
    "MK07250120000058984", "MR1300020001010000123456753", "MT84MALT011000012345MTLCAST001S",
    "MU17BOMM0101101030300200000MUR", "NL91ABNA0417164300", "NO9386011117947", "PK36SCBL0000001123456702",
    "PL61109010140000071219812874", "PS92PALS000000000400123456702", "PT50000201231234567890154",
    "QA58DOHB00001234567890ABCDEFG", "RO49AAAA1B31007593840000", "RS35260005601001611379", "SA0380000000608010167519",
    "SE4550000000058398257466", "SI56263300012039086", "SK3112000000198742637541", "SM86U0322509800000000270100",
    "TN5910006035183598478831", "TR330006100519786457841326", "UA213223130000026007233566001",
    "VG96VPVG0000012345678901", "XK051212012345678906",
)  # fmt: skip

DETECTORS = (
    Detector(
        name="payment_card",
        about="Payment card numbers, by the networks' ranges and lengths and the Luhn check digit.",
        triggers=(
            Trigger(
                rb"[2-69][0-9]{3}[ -]?[0-9]{4}[0-9 -]{4}",
                _card,
                Confidence.CHECKSUM,
                guarded=True,
                tail=rb"[0-9]{2}[0-9 -]{4}",
            ),
        ),
        documented=published(digits, *_TEST_CARDS),
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
            Trigger(
                rb"[A-Z][A-Z][0-9][0-9][A-Z0-9 ]",
                _iban,
                Confidence.CHECKSUM,
                guarded=True,
                tail=rb"[A-Z][A-Z][0-9][0-9][A-Z0-9 ]",
            ),
        ),
        documented=published(compact, *_REGISTRY_EXAMPLES),
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
