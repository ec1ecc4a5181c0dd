"""`key=value`, `key: value`, query strings and form bodies, header lines: where a value ends in running text.

- `=`: up to white space or a quote; a `&`, `;` or `,` ends it where another `key=` follows (in a query string any `&`
  or `#` does);
- `:`: one token; after the name of an HTTP header that carries credentials, the rest of the line, or of the quotes that
  the header stands in;
- a quoted value ends at its closing quote; an object or array at its closing bracket.
"""

import re
from collections.abc import Iterator

from scrubbers.detectors.detector import Span
from scrubbers.paths import spellings

ASSIGN = re.compile(rb"[ \t]{0,2}(=>|=(?!=)|:(?![:/]))[ \t]{0,2}")
_IN_NAME = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.-"
_WORDS = re.compile(rb"(?:[A-Za-z0-9_.-]+ ){1,3}[A-Za-z0-9_.-]+\Z")
_LONGEST_NAME = 64

_HEADERS = frozenset().union(
    *map(
        spellings,
        ("authorization", "proxy_authorization", "cookie", "set_cookie", "x_api_key", "x_auth_token", "x_csrf_token"),
    )
)

_TOKEN_END = re.compile(rb"[&;,](?= ?[A-Za-z0-9_.%\[\]-]+=)")
_BARE = re.compile(rb"[^\s\"']+")
_QUERY = re.compile(rb"[^\s\"'&#]+")
_LINE = re.compile(rb"[^\r\n]+")
_QUOTED_LINE = {0x22: re.compile(rb"[^\"\r\n]+"), 0x27: re.compile(rb"[^'\r\n]+")}
_CLOSING = b",;)]}>"
_CLOSING_PROSE = _CLOSING + b"."


def names_before(text: bytes, end: int) -> Iterator[bytes]:
    """What may be the key that ends at `end`, lower-case, shortest first: one word, or up to four (`credit card`)."""
    head = text[end - _LONGEST_NAME if end > _LONGEST_NAME else 0 : end].lower()
    before = len(head.rstrip(_IN_NAME))
    name = head[before:]
    # The letter of an escape before (`\\nemail=`) is not of the name.
    if before and head[before - 1] == 0x5C and name[:1] in (b"b", b"f", b"n", b"r", b"t"):
        name = name[1:]
    if not name:
        return
    yield name
    if before and head[before - 1] == 0x20 and (words := _WORDS.search(head)):
        parts = words[0].split(b" ")
        if head[: words.start()].endswith(b"\\") and parts[0][:1] in (b"b", b"f", b"n", b"r", b"t"):
            parts[0] = parts[0][1:]
        for count in range(2, len(parts) + 1):
            yield b" ".join(parts[-count:])


def bare_value(text: bytes, at: int, name: bytes, name_start: int, sign: bytes) -> Span | None:
    """The span of an unquoted value that begins at `at`, or None where there is none."""
    if sign != b":" and sign != b": " and text[name_start - 1 : name_start] in (b"?", b"&"):
        found = _QUERY.match(text, at)
        return found.span() if found else None
    if sign.startswith(b":") and name in _HEADERS:
        # A header that stands in quotes (`-H "Cookie: …"`) ends with them; else quotes are of its value.
        found = _QUOTED_LINE.get(text[name_start - 1] if name_start else 0, _LINE).match(text, at)
        return (at, at + len(found[0].rstrip())) if found else None
    found = _BARE.match(text, at)
    if found is None:
        return None
    value = found[0]
    if sign.startswith(b":"):
        value = value.rstrip(_CLOSING_PROSE)
    else:
        cut = _TOKEN_END.search(text, at, found.end())
        value = (value[: cut.start() - at] if cut else value).rstrip(_CLOSING)
    return (at, at + len(value)) if value else None
