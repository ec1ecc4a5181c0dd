"""What names an account besides card and IBAN: bank codes, account numbers, addresses of crypto-currencies."""

import re

from scrubbers.detectors.context import NEAR, after, signed
from scrubbers.detectors.detector import LEFT, RIGHT, Confidence, Detector, Span, Trigger, alnum, digits
from scrubbers.detectors.national import validator

_is_bic = validator("bic")
_is_routing = validator("us.rtn")
_is_bitcoin = validator("bitcoin")

# What logs write where a code is missing, and has the form of one: its fifth and sixth letter name some country.
_NO_BIC = frozenset(
    b"REQUIRED DISABLED DECLINED ACCEPTED VERIFIED RESOLVED PROVIDED NOTVALID MISMATCH OUTDATED UNAVAILABLE "
    b"NOTPROVIDED".split()
)


def _is_code(value: bytes) -> bool:
    return value not in _NO_BIC and _is_bic(value)


def _segwit(text: bytes, end: int) -> Span | None:
    found = _SEGWIT.match(text, end - 4)
    if found is None or (found[0][3] in b"qQ" and not _is_bitcoin(found[0])):
        return None  # stdnum knows the check digits of version 0 alone
    return found.span()


# BIP 173 and 350: 20 or 32 bytes in base 32 behind the version; in one case.
_SEGWIT = re.compile(
    LEFT + rb"(?:bc1[qp](?:[02-9ac-hj-np-z]{58}|[02-9ac-hj-np-z]{38})"
    rb"|BC1[QP](?:[02-9AC-HJ-NP-Z]{58}|[02-9AC-HJ-NP-Z]{38}))" + RIGHT
)
_BASE58 = rb"[13][1-9A-HJ-NP-Za-km-z]{25,34}"
_ETHER = rb"0x[0-9a-fA-F]{40}"


def _is_coin(value: bytes) -> bool:
    return value.startswith(b"0x") or _is_bitcoin(value)


def _coin(value: bytes) -> bytes:
    """Canonical form: where case says nothing it goes; in base 58 it is a part of the value."""
    return value.lower() if value[:2] in (b"0x", b"bc", b"BC") else value


DETECTORS = (
    Detector(
        name="bank_account",
        about="Account numbers of banks, by context.",
        triggers=after(
            (
                *("account number", "account no", "acct number", "acct no", "a/c no", "bank account"),
                *("kontonummer", "kontonr", "numéro de compte", "numero de compte", "número de cuenta"),
                *("numero de cuenta", "numero di conto", "rekeningnummer", "numer konta"),
            ),
            rb"[0-9]{6,17}" + RIGHT,
            gap=NEAR,
        ),
        canonical=digits,
        must=("account number: 31926819", "Kontonummer 532013000", "bank account no. 000123456789"),
        must_not=(
            "account number 12",
            "account 31926819",
            "31926819",
            "account number lookup took 1203456 ns",
            "account not found 31926819",
        ),
    ),
    Detector(
        name="us_routing_number",
        about="US bank routing numbers (ABA), by context.",
        triggers=after(
            ("routing number", "routing no", "aba number", "aba rout|ing"), rb"[0-9]{9}" + RIGHT, _is_routing
        ),
        canonical=digits,
        must=("routing number: 111000025", "ABA routing 111000025", "routing no. 111000025"),
        must_not=("routing number 112000025", "routing key 111000025", "111000025"),
    ),
    Detector(
        name="uk_sort_code",
        about="UK sort codes, by context.",
        triggers=after(("sort co|de", "sortco|de"), rb"[0-9]{2}[ -]?[0-9]{2}[ -]?[0-9]{2}" + RIGHT, gap=NEAR),
        canonical=digits,
        must=("sort code: 60-16-13", "sortcode 601613", "Sort code 60 16 13"),
        must_not=("sort code 60", "60-16-13", "sort codes are 1601613", "sort code changed in 601613"),
    ),
    Detector(
        name="bic",
        about="Business identifier codes (SWIFT codes), by context.",
        triggers=after(
            (
                *signed("bic", "swift"),
                *("swift co|de", "swift-co|de", "swiftco|de", "bic co|de", "swift/bic", "bic/swift"),
            ),
            rb"[A-Z]{4} ?[A-Z]{2} ?[A-Z0-9]{2}(?: ?[A-Z0-9]{3})?" + RIGHT,
            _is_code,
            gap=NEAR,
        ),
        canonical=alnum,
        must=("BIC: AGRIFRPP882", "swift code ABNANL2A", "SWIFT/BIC DEUTDEFF"),
        must_not=("BIC: PENDING", "swift code review", "DEUTDEFF", "BIC: REQUIRED"),
    ),
    Detector(
        name="crypto_address",
        about="Addresses of Bitcoin (SegWit by shape, others by context and check digits) and Ethereum (by context).",
        triggers=(
            Trigger(b"bc1q", _segwit, Confidence.CHECKSUM, caseless=True),
            Trigger(b"bc1p", _segwit, Confidence.CHECKSUM, caseless=True),
            *after(
                ("bitcoin", "btc address", "wallet", "ethereum", "eth address", "erc20", "payout address"),
                rb"(?:" + _BASE58 + rb"|" + _ETHER + rb")" + RIGHT,
                _is_coin,
            ),
        ),
        canonical=_coin,
        must=(
            "bc1qardv855yjngspvxuttq897aqca3lxju2y69jce",
            "BC1QARDV855YJNGSPVXUTTQ897AQCA3LXJU2Y69JCE",
            "bitcoin: 1NEDqZPvTWRaoho48qXuLLsrYomMXPABfD",
            "wallet 0x" + "52908400098527886E0F" + "7030069857D2E4169EE7",
        ),
        must_not=(
            "bitcoin: 1NEDqZPvTWRaoho48qXuLLsrYomMXPABfX",
            "bc1qardv855yjngspvxuttq897aqca3lxju2y69jcf",
            "bc1q",
            "wallet 0xdeadbeef",
        ),
    ),
)
