r"""A third, naive reading of what is personal in a record: decode all that can be decoded, then `finditer`.

Shares no locator, notation or decoding with the product; of the product it knows the policy's names alone.
It has two answers that do not meet, and between them lies what a reader may argue about:

- `leaks`: what is personal beyond doubt and still there. Conservative:
  - a shape counts only where no letter, digit, or sign of a longer number or word stands beside it;
  - `key=value` and `key: value` count only where the value begins with a letter or digit, and the name stands free;
  - a URL's user and password are left out of e-mail addresses; names of picture files are no e-mail addresses;
  - JSON counts where the standard library reads it: a document nested deeper than its recursion limit is text here;
  - HTML entities and base64 are encodings of a later day, and are not undone.
- `harmless`: nothing that could be personal by any reading. Then the record must be the same, byte for byte.
"""

import base64
import ipaddress
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes

import phonenumbers
from stdnum import iban, luhn

from scrubbers import load_policy

_POLICY = load_policy()
_MAX_VIEWS = 400
_TOKEN = re.compile(r"\[(?:REDACTED|HMAC):[^\]\s\"\\]*\]")


def leaks(original: bytes, output: bytes) -> list[str]:
    """What is personal in the output, as `rule: value`; with a mark where it was not in the original."""
    before = set(_personal(original))
    return [each if each in before else f"{each} (made by scrubbing)" for each in _personal(output)]


def harmless(record: bytes) -> bool:
    """Whether nothing in the record can be taken for personal, whatever the notation."""
    return not any(_SUSPECT.search(view) or _names_a_key(view) for view in views(record))


def _personal(record: bytes) -> list[str]:
    found: dict[str, None] = {}
    for view in views(record):
        text = _without_kept(_TOKEN.sub("\ue000", view))
        for name, shape in SHAPES.items():
            found.update((f"{name}: {value}", None) for value in shape(text))
        found.update((f"key {key}: {value}", None) for key, value in _assigned(text))
        for document in _documents(view):
            found.update((f"key {key}: {value}", None) for key, value in _members(document, ()))
    return list(found)


# Decoding


def views(record: bytes) -> list[str]:
    """The record, and all that it says once decoded, in whatever order decodings are applied."""
    seen: dict[str, None] = {}
    pending = [record.decode("utf-8", "surrogateescape")]
    while pending and len(seen) < _MAX_VIEWS:
        view = pending.pop()
        if view in seen:
            continue
        seen[view] = None
        pending += _decoded(view)
    return list(seen)


def _decoded(view: str) -> Iterator[str]:
    for document in _documents(view):
        yield from _strings(document)
    if "%" in view:
        yield unquote_to_bytes(view.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
    if "\\" in view:
        yield _ESCAPE.sub(_escape, view)


_ESCAPE = re.compile(r'(?:\\u[0-9a-fA-F]{4})+|\\["\\/bfnrt]')


def _escape(match: re.Match[str]) -> str:
    text: str = json.loads(f'"{match[0]}"')
    return text.encode("utf-8", "replace").decode()


Pairs: TypeAlias = list[tuple[str, Any]]


class _Object(list[tuple[str, Any]]):
    """A JSON object with all its members, those of the same name too."""


class _Number(str):
    """A number as it is spelled."""


_DECODER = json.JSONDecoder(object_pairs_hook=_Object, parse_int=_Number, parse_float=_Number, strict=False)


def _documents(text: str) -> Iterator[Any]:
    at = 0
    for _ in range(200):
        first = re.compile(r"[{\[]").search(text, at)
        if first is None:
            return
        try:
            document, at = _DECODER.raw_decode(text, first.start())
        except (ValueError, RecursionError):
            at = first.start() + 1
        else:
            yield document


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, _Object):
        for key, each in value:
            yield key.encode("utf-8", "replace").decode()
            if not (isinstance(each, str) and _KEPT.fullmatch(f"{key.rsplit('.', 1)[-1]}:{each}")):
                yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
    elif isinstance(value, str):
        yield value.encode("utf-8", "replace").decode()


# Keys


def _spelled(name: str) -> str:
    """A regular expression of a name's segment: any separator or none between its words, or one anywhere."""
    words = name.split("_")
    joined = "".join(words)
    anywhere = "|".join(f"{joined[:at]}[_ -]{joined[at:]}" for at in range(1, len(joined)))
    return "(?:" + "[_ -]?".join(words) + "|" + anywhere + ")"


_NAMES = [name for rule in _POLICY.keys for name in rule.names]
_SEGMENTS = [[re.compile(_spelled(each), re.I) for each in name.split(".")] for name in _NAMES]
_LASTS = sorted({name.rsplit(".", 1)[-1].replace("_", "") for name in _NAMES})
_WRITTEN = "|".join(r"\.".join(_spelled(each) for each in name.split(".")) for name in sorted(_NAMES, key=len)[::-1])
_FREE = r"(?<![A-Za-z0-9_\\-])"
_KEY_VALUE = [
    re.compile(_FREE + rf"({_WRITTEN})=([A-Za-z0-9][^\s\"'&;,\\]*)", re.I),
    re.compile(_FREE + rf"({_WRITTEN}): ?([A-Za-z0-9][^\s\"'&;,\\]*)", re.I),
    re.compile(rf"[{{,] ?[\"']({_WRITTEN})[\"']: ?[\"']([A-Za-z0-9][^\"'\\]*)", re.I),
    re.compile(_FREE + rf"({_WRITTEN})=\"([A-Za-z0-9][^\"\\]*)\"", re.I),
]


_NOBODY = ("null", "none", "nil", "undefined", "true", "false", "n/a")


def _names_a_key(text: str) -> bool:
    folded = re.sub(r"[_ -]", "", text).lower()
    return any(last in folded for last in _LASTS)


def _assigned(text: str) -> Iterator[tuple[str, str]]:
    for notation in _KEY_VALUE:
        for match in notation.finditer(text):
            if match[2].rstrip(")]}>.").lower() not in _NOBODY:
                yield match[1], match[2]


def _members(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, _Object):
        for key, each in value:
            inner = (*path, *key.split("."))
            if _is_personal(inner):
                text = each if isinstance(each, str) else json.dumps(each) if isinstance(each, list) and each else ""
                if text and not _TOKEN.fullmatch(text):
                    yield key, text
            else:
                yield from _members(each, inner)
    elif isinstance(value, list):
        for each in value:
            yield from _members(each, path)


def _is_personal(path: tuple[str, ...]) -> bool:
    return any(
        len(segments) <= len(path)
        and all(each.fullmatch(name) for each, name in zip(reversed(segments), reversed(path), strict=False))
        for segments in _SEGMENTS
    )


_KEPT = re.compile(
    "(?i:" + "|".join(_spelled(name) for rule in _POLICY.keep for name in rule.names) + r")[\"'\\ ]*[:=][\"'\\ ]*"
    r"([0-9a-fA-F]{7,64}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
)


def _without_kept(text: str) -> str:
    return _KEPT.sub("\ue000", text)


# Shapes

Shape: TypeAlias = Callable[[str], list[str]]
_BEFORE, _AFTER = r"(?<![A-Za-z0-9\\\u0080-\ud7ff+.\-/_@:=&%#$!~*^])", r"(?![A-Za-z0-9])"


def _regex(expression: str, valid: Callable[[re.Match[str]], bool] = bool) -> Shape:
    pattern = re.compile(expression)
    return lambda text: [match[0] for match in pattern.finditer(text) if valid(match)]


def _digits(text: str) -> str:
    return re.sub("[^0-9]", "", text)


_NETWORKS = re.compile(r"4\d{15}|5[1-5]\d{14}|3[47]\d{13}|6011\d{12}")
_FREE_NUMBER = r"(?<![A-Za-z0-9.+%\\-])(?<![0-9] )"
_END_NUMBER = r"(?![A-Za-z0-9])(?![ .-][0-9])"


def _card(match: re.Match[str]) -> bool:
    number = _digits(match[0])
    return _NETWORKS.fullmatch(number) is not None and luhn.is_valid(number)


def _public4(match: re.Match[str]) -> bool:
    try:
        address = ipaddress.IPv4Address(match[0])
    except ValueError:
        return False
    return address.is_global and not address.is_multicast and not match[0].endswith(".0.0.0")


def _public6(match: re.Match[str]) -> bool:
    try:
        return ipaddress.IPv6Address(match[0]) in ipaddress.IPv6Network("2000::/3")
    except ValueError:
        return False


def _international(match: re.Match[str]) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(match[0]))
    except phonenumbers.NumberParseException:
        return False


def _basic(match: re.Match[str]) -> bool:
    try:
        return b":" in base64.b64decode(match[1] + "=" * (-len(match[1]) % 4), validate=True)
    except ValueError:
        return False


def _mail(match: re.Match[str]) -> bool:
    return not re.search(r"\.(?:png|jpe?g|gif|svg|webp|css|js)$", match[0], re.I)


SHAPES: dict[str, Shape] = {
    "email": _regex(
        rf"{_BEFORE}[A-Za-z0-9][A-Za-z0-9._+-]{{0,60}}"
        rf"@(?:[A-Za-z0-9][A-Za-z0-9-]{{0,60}}\.)+[A-Za-z]{{2,60}}{_AFTER}(?![@.:-])",
        _mail,
    ),
    "payment_card": _regex(
        rf"{_FREE_NUMBER}"
        rf"(?:\d{{15,16}}|\d{{4}}([ -])\d{{4}}\1\d{{4}}\1\d{{4}}|\d{{4}}([ -])\d{{6}}\2\d{{5}}){_END_NUMBER}",
        _card,
    ),
    "us_ssn": _regex(rf"{_FREE_NUMBER}(?!000|666|9)\d{{3}}-(?!00)\d\d-(?!0000)\d{{4}}{_END_NUMBER}"),
    "iban": _regex(
        rf"{_BEFORE}[A-Z]{{2}}\d\d(?:[A-Z0-9]{{11,30}}|(?: [A-Z0-9]{{4}}){{2,7}}(?: [A-Z0-9]{{1,3}})?)"
        rf"{_AFTER}(?! [A-Z0-9])",
        lambda match: iban.is_valid(match[0]),
    ),
    "phone": _regex(rf"{_FREE_NUMBER}\+[1-9]\d{{6,14}}{_END_NUMBER}", _international),
    "phone (NANP)": _regex(rf"{_FREE_NUMBER}(?:\([2-9]\d\d\) |[2-9]\d\d-)[2-9]\d\d-\d{{4}}{_END_NUMBER}"),
    "ipv4": _regex(rf"{_FREE_NUMBER}\d{{1,3}}(?:\.\d{{1,3}}){{3}}{_AFTER}(?![.-][0-9])", _public4),
    "ipv6": _regex(r"(?<![A-Za-z0-9:.\\])[23][0-9a-fA-F]{3}:[0-9a-fA-F:]{2,34}(?![A-Za-z0-9:.])", _public6),
    "jwt": _regex(r"(?<![A-Za-z0-9_.-])eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*"),
    "http_credentials": _regex(r"(?i:bearer) ([A-Za-z0-9._~+/-]{20,}=*)"),
    "http_credentials (basic)": _regex(r"(?i:basic) ([A-Za-z0-9+/]{4,}=*)(?![A-Za-z0-9+/._~=-])", _basic),
    "url_password": _regex(r"[a-z]{2,8}://[A-Za-z0-9._-]*:([A-Za-z0-9!$*._~-]+)@[A-Za-z0-9]"),
    "aws_access_key": _regex(r"(?<![A-Za-z0-9\\])A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])"),
    "github_token": _regex(r"(?<![A-Za-z0-9\\])(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22})"),
    "slack_token": _regex(r"(?<![A-Za-z0-9\\])xox[abeoprs]-[A-Za-z0-9-]{10}"),
    "private_key": _regex(r"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY-----"),
}

_SUSPECT = re.compile(
    r"@|\d[ ().-]{0,2}(?:\d[ ().-]{0,2}){6,}|\d+\.\d+\.\d+\.\d|[23][0-9a-fA-F]{3}:[0-9a-fA-F]*:|[A-Z]{2}\d\d ?[A-Z0-9]"
    r"|eyJ|(?i:bearer|basic)|A[KS]IA|gh[pousr]_|github_pat_|xox[a-z]-|hooks\.slack|PRIVATE KEY"
)
