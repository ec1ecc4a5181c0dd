"""`key=value`, `key: value`, query strings and form bodies, header lines: where a value ends in running text.

- `=`: up to white space or a quote; a `&`, `;` or `,` ends it where another `key=` follows (in a query string or a form
  any `&` or `#` does). In brackets (`{a=1, b=2}`, as Java prints maps and records) up to the next `, key=` or the
  closing bracket, white space or not;
- `:`: one token; after the name of an HTTP header that carries credentials, and after any name with a dash at the start
  of a line, the rest of the line, or of the quotes that the header stands in;
- a quoted value ends at its closing quote; an object or array at its closing bracket;
- `null` and the like are nobody's.
"""

import re
from collections.abc import Iterator

from scrubbers.detectors.detector import Span
from scrubbers.paths import spellings

ASSIGN = re.compile(rb"[\]`]?[ \t]{0,2}(=>|=(?!=)|:(?!:|//))[ \t]{0,2}")
IN_NAME = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.-"
_WORDS = re.compile(rb"(?:[A-Za-z0-9_.-]+ ){1,3}[A-Za-z0-9_.-]+\Z")
_LONGEST_NAME = 64
_BEFORE_FLAG = b" \t\r\n\"'`=([,;|\\"  # not what a token ends with

_HEADERS = frozenset().union(
    *map(
        spellings,
        ("authorization", "proxy_authorization", "cookie", "set_cookie", "x_api_key", "x_auth_token", "x_csrf_token"),
    )
)

_UP_TO_NEXT = re.compile(rb"(?:[^\s\"'&;,]|[&;,](?! ?[A-Za-z0-9_.%\[\]-]+=))+")
BARE = re.compile(rb"[^\s\"']+")
_QUERY = re.compile(rb"[^\s\"&#]+")
_QUERY_QUOTE = re.compile(rb"'[),;\]}]*\Z")
_FORM = re.compile(rb"(?:'[^\s\"'&]*)+&[A-Za-z0-9_.%\[\]-]+=")
_IN_BRACKETS = re.compile(
    rb"(?:[^,\r\n\"'}\])\\]|,(?! ?[A-Za-z_][A-Za-z0-9_.-]*=)){1,512}(?=[}\])]|, ?[A-Za-z_][A-Za-z0-9_.-]*=)"
)
_BEFORE_FIRST, _BEFORE_NEXT = (b"{", b"(", b"["), b", "
_NOBODY = re.compile(
    rb"(?i:null|none|nil|undefined|true|false|n/a|-|\*+|\[hidden\]|<(?:redacted|hidden|none)>)"
).fullmatch
_LINE = re.compile(rb"[^\r\n]+")
_QUOTED_LINE = {0x22: re.compile(rb"[^\"\r\n]+"), 0x27: re.compile(rb"[^'\r\n]+")}
_CLOSING = b",;)]}>"
_CLOSING_PROSE = _CLOSING + b"."


def names_before(text: bytes, end: int) -> Iterator[bytes]:
    """What may be the key that ends at `end`, lower-case, shortest first: one word, or up to four (`credit card`)."""
    head = text[end - _LONGEST_NAME if end > _LONGEST_NAME else 0 : end].lower()
    before = len(head.rstrip(IN_NAME))
    name = head[before:]
    # The letter of an escape before (`\\nemail=`) is not of the name, nor are the dashes of `--email=`.
    if before and head[before - 1] == 0x5C and name[:1] in (b"b", b"f", b"n", b"r", b"t"):
        name = name[1:]
    if not before or head[before - 1] in _BEFORE_FLAG:
        name = name.lstrip(b"-")
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
    span = _bare_value(text, at, name, name_start, sign)
    return None if span is None or (span[1] - at < 12 and _NOBODY(text, *span)) else span


def _bare_value(text: bytes, at: int, name: bytes, name_start: int, sign: bytes) -> Span | None:
    before = text[name_start - 1 : name_start]
    if sign.startswith(b":"):
        return _after_colon(text, at, name, before)
    if sign == b"=" and before in (b"?", b"&"):
        found = _QUERY.match(text, at)
        if found is None or text[found.end()] in b"&#":
            return found and found.span()
        return at, at + len(_QUERY_QUOTE.sub(b"", found[0]))  # the quote in which the URL stands
    listed = before in _BEFORE_FIRST or text[name_start - 2 : name_start] == _BEFORE_NEXT
    if listed and text[name_start + len(name)] != 0x5D:  # not in `user[password]=`
        found = _IN_BRACKETS.match(text, at)
        if found:
            return at, at + len(found[0].rstrip())
    found = _UP_TO_NEXT.match(text, at)
    if found is None:
        return None
    end = found.end()
    if text[end : end + 1] == b"'" and (form := _FORM.match(text, end)):
        end = text.index(b"&", end, form.end())
    value = text[at:end].rstrip(_CLOSING)
    return (at, at + len(value)) if value else None


def _after_colon(text: bytes, at: int, name: bytes, before: bytes) -> Span | None:
    if name in _HEADERS or (b"-" in name and before in _LINE_BEGINS):
        # A header that stands in quotes (`-H "Cookie: …"`) ends with them; else quotes are of its value.
        found = _QUOTED_LINE.get(before[0] if before else 0, _LINE).match(text, at)
        return (at, at + len(found[0].rstrip())) if found else None
    found = BARE.match(text, at)
    value = found[0].rstrip(_CLOSING_PROSE) if found else b""
    return (at, at + len(value)) if value else None


_LINE_BEGINS = (b"", b"\n", b"\r", b'"', b"'")
