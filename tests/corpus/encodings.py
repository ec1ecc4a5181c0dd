r"""How planted text is disguised before a notation writes it: in its value, or in the name of its key.

JSON escapes are the business of the string that they stand in, however deep; until it is written, a character that is
to be escaped stands as a private one (`escaped`, `json_text`).
"""

import base64
import html
import random
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote, quote_plus

from tests.corpus.draw import Draw, Kind

Encode: TypeAlias = Callable[[Draw, str], str | None]
"""The text encoded; None where it does not apply to this text."""


@dataclass(slots=True, frozen=True)
class Encoding:
    name: str
    value: Encode = lambda _draw, text: text
    key: Encode = lambda _draw, key: key
    kinds: Callable[[Kind], bool] = lambda _kind: True
    notations: tuple[str, ...] = ()  # where it is used; empty: everywhere
    changes: bool = False  # the text says something else then
    json: bool = False  # stands in JSON strings alone
    late: bool = False  # `value` is for what the notation has written, where that is running text


# JSON escapes

_ESCAPED = 0xF0000


def escaped(text: str) -> str:
    """The text as JSON strings will write it in escapes alone."""
    units = text.encode("utf-16-be", "surrogatepass")
    return "".join(chr(_ESCAPED + int.from_bytes(units[at : at + 2], "big")) for at in range(0, len(units), 2))


def json_text(text: str) -> str:
    """The text as it stands between the quotes of a JSON string."""
    return _MUST.sub(_escape, text)


_MUST = re.compile(r"[\"\\\x00-\x1f\U000f0000-\U000fffff]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if code >= _ESCAPED:
        digits = f"{code - _ESCAPED:04x}"
        return "\\u" + (digits.upper() if code % 3 == 0 else digits)
    return _SHORT.get(character) or f"\\u{code:04x}"


def _some(rnd: random.Random, text: str, change: Callable[[str], str], share: float = 0.3) -> str:
    """The text with some characters changed, one of them at least."""
    sure = rnd.randrange(len(text))
    return "".join(change(each) if at == sure or rnd.random() < share else each for at, each in enumerate(text))


def _json_some(draw: Draw, text: str) -> str:
    return _some(draw.rnd, text, escaped)


def _json_beyond(draw: Draw, text: str) -> str:
    """With a character beyond the basic plane before it, as a pair of escapes."""
    at = 1 if text[0] in "\"'" else 0
    astral = draw.rnd.choice(("\U0001f600", "\U00020000", "\U0001d49c"))
    return text[:at] + escaped(astral) + _some(draw.rnd, text[at:], escaped)


# Percent-encoding


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode())


def _percent_once(_draw: Draw, text: str) -> str | None:
    return _changed(text, quote(text, safe=""))


def _percent_twice(_draw: Draw, text: str) -> str | None:
    once = quote(text, safe="")
    return _changed(text, quote(once, safe=""))


def _plus(_draw: Draw, text: str) -> str | None:
    return quote_plus(text) if " " in text else None


def _changed(text: str, encoded: str) -> str | None:
    return encoded if encoded != text else None


# HTML


def _entity(draw: Draw, character: str) -> str:
    code = ord(character)
    ways = [f"&#{code};", f"&#x{code:x};", f"&#X{code:X};", f"&#{code:05};"]
    named = _NAMED.get(character)
    return draw.rnd.choice([*ways, named] if named else ways)


_NAMED = {"@": "&commat;", ".": "&period;", "+": "&plus;", ":": "&colon;", "_": "&lowbar;", "/": "&sol;"}


def _html_usual(_draw: Draw, text: str) -> str | None:
    """What web frameworks escape, and the `@` as mail addresses are hidden from harvesters."""
    return _changed(text, html.escape(text).replace("@", "&#64;"))


def _html_some(draw: Draw, text: str) -> str:
    return _some(draw.rnd, text, lambda each: _entity(draw, each))


# Base64


def _base64(_draw: Draw, text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _base64url(_draw: Draw, text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


# Unicode


def _full_width_digits(draw: Draw, text: str) -> str | None:
    return _changed(text, text.translate(_WIDE_DIGITS))


def _full_width_at(_draw: Draw, text: str) -> str | None:
    return _changed(text, text.replace("@", "＠"))


def _full_width(_draw: Draw, text: str) -> str | None:
    return _changed(text, "".join(chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in text))


_WIDE_DIGITS = {ord("0") + digit: 0xFF10 + digit for digit in range(10)}
_ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u00ad"


def _zero_width(draw: Draw, text: str) -> str | None:
    if len(text) < 2:
        return None
    at = draw.rnd.randrange(1, len(text))
    mark = draw.rnd.choice(_ZERO_WIDTH)
    return _some(draw.rnd, text[:at], lambda each: each + mark, 0.05) + text[at:]


def _idn(draw: Draw, text: str) -> str:
    """An internationalised domain, as Unicode or as Punycode."""
    domain = draw.rnd.choice(
        ("müller.example", "例え.jp", "пример.рф", "φίλος.gr", "日本語.example.org", "jalapeño.mx")
    )
    name = text.partition("@")[0]
    return f"{name}@{domain if draw.rnd.random() < 0.5 else domain.encode('idna').decode()}"


def _beyond_ascii(draw: Draw, text: str) -> str:
    """A local part beyond ASCII (RFC 6531)."""
    name = draw.rnd.choice(("jörg.müller", "用户", "иван.петров", "josé", "χρήστης", "山田.太郎", "søren"))
    return f"{name}{draw.rnd.randrange(10, 100)}@{text.partition('@')[2]}"


def _combining(draw: Draw, text: str) -> str | None:
    """Letters and their marks as characters of their own (normal form D), where there are such letters."""
    at = draw.rnd.randrange(len(text)) if text else 0
    letters = [at for at, each in enumerate(text.partition("@")[0]) if each.isascii() and each.isalpha()]
    if letters:
        at = draw.rnd.choice(letters)
        text = text[: at + 1] + draw.rnd.choice("\u0301\u0308\u0303\u0327") + text[at + 1 :]
    return _changed(text, unicodedata.normalize("NFD", text)) or text if letters else None


# Keys


def _spelled(draw: Draw, key: str) -> str:
    words = key.split("_")
    return draw.rnd.choice((
        key.upper(), "".join([words[0], *(each.title() for each in words[1:])]), "".join(map(str.title, words)),
        "-".join(words), "-".join(map(str.title, words)), _some(draw.rnd, key, str.upper, 0.5), "".join(words),
    ))  # fmt: skip


def _key_escaped(draw: Draw, key: str) -> str:
    return _some(draw.rnd, key, escaped)


def _is(*names: str) -> Callable[[Kind], bool]:
    return lambda kind: kind.name in names


def _by_key(kind: Kind) -> bool:
    return bool(kind.keys)


def _numeric(kind: Kind) -> bool:
    return bool(kind.keys) or kind.name in ("payment_card", "us_ssn", "iban", "phone", "phone (NANP)", "ipv4")


ENCODINGS: tuple[Encoding, ...] = (
    Encoding("as it is"),
    Encoding("key spelling", key=_spelled, kinds=_by_key),
    Encoding("key, JSON escapes", key=_key_escaped, kinds=_by_key, json=True, late=True),
    Encoding("JSON escapes, some", value=_json_some, json=True, late=True),
    Encoding("JSON escapes, all", value=lambda _draw, text: escaped(text), json=True, late=True),
    Encoding("JSON surrogate pairs", value=_json_beyond, kinds=_by_key, json=True, late=True),
    Encoding("percent", value=_percent_once),
    Encoding("percent, some", value=lambda draw, text: _some(draw.rnd, text, _percent)),
    Encoding("percent, twice", value=_percent_twice),
    Encoding("plus for space", value=_plus, notations=("query string", "query string, first", "form body")),
    Encoding("HTML, usual", value=_html_usual),
    Encoding("HTML, some", value=_html_some),
    Encoding("base64", value=_base64),
    Encoding("base64url", value=_base64url),
    Encoding("full-width digits", value=_full_width_digits, kinds=_numeric),
    Encoding("full-width @", value=_full_width_at, kinds=_is("email", "mail address")),
    Encoding("full-width, all", value=_full_width),
    Encoding("zero-width", value=_zero_width),
    Encoding("IDN", value=_idn, kinds=_is("email", "mail address"), changes=True),
    Encoding("non-ASCII local part", value=_beyond_ascii, kinds=_is("email", "mail address"), changes=True),
    Encoding("combining marks", value=_combining, kinds=_is("email", "mail address", "name", "address"), changes=True),
)
