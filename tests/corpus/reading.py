"""What a record says to a reader who undoes every encoding: a naive reading that shares nothing with the product."""

import base64
import html
import json
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

_TOKEN = re.compile(rb"\[(?:REDACTED|HMAC):[^\]\s\"\\]{1,120}\]")
_ROUNDS = 6
FRAGMENT = 6
"""So many characters of a value in a row are a leak; of shorter values all of them."""


def leaked(value: str, output: bytes) -> bool:
    """Whether a fragment of the value can be read in the output, as it stands there or decoded."""
    clean = _TOKEN.sub("\ue002".encode(), output).decode("utf-8", "replace")
    texts = [folded(clean), *readings(clean)]
    return any(fragment in text for fragment in set(_fragments(value)) for text in texts)


def stands(value: str, text: bytes) -> bool:
    """Whether a fragment of the value stands in the text as it is."""
    said = folded(text.decode("utf-8", "replace"))
    return any(fragment in said for fragment in _fragments(value))


def _fragments(value: str) -> Iterator[str]:
    value = folded(value)
    for at in range(max(1, len(value) - FRAGMENT + 1)):
        yield value[at : at + FRAGMENT]


def folded(text: str) -> str:
    """Case, width, marks that do not print and normal forms do not count."""
    return unicodedata.normalize("NFKC", text.translate(_NO_WIDTH)).casefold().translate(_NO_WIDTH)


_NO_WIDTH = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))


def readings(text: str) -> list[str]:
    """The text decoded in turn by everything, again and again; with it what its base64 runs say."""
    found: dict[str, None] = {}
    pending = [(text, 0)]
    while pending and len(found) < 64:
        text, depth = pending.pop()
        said = folded(text)
        if said in found or depth > _ROUNDS:
            continue
        found[said] = None
        if depth == 0:
            found[said.replace("+", " ")] = None
        pending += [(each, depth + 1) for each in _decoded(text)]
    return list(found)


def _decoded(text: str) -> Iterator[str]:
    if "%" in text:
        plain = unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")
        if plain != text:
            yield plain
            yield unquote_to_bytes(text.replace("+", " ").encode("utf-8", "surrogateescape")).decode("utf-8", "replace")
    if "\\" in text:
        yield _ESCAPE.sub(_escape, text)
    if "&" in text:
        plain = html.unescape(text)
        if plain != text:
            yield plain
    for run in _BASE64.finditer(text):
        yield from _base64(run[0])


_ESCAPE = re.compile(r'(?:\\u[0-9a-fA-F]{4})+|\\["\\/bfnrt]')


def _escape(match: re.Match[str]) -> str:
    return str(json.loads(f'"{match[0]}"')).encode("utf-8", "replace").decode()


_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")


def _base64(run: str) -> Iterator[str]:
    """Where a run begins is not known: each of its first four characters may be the first."""
    for start in range(4):
        body = run[start:].rstrip("=").replace("-", "+").replace("_", "/")
        body = body[: len(body) - (len(body) % 4 == 1)]
        try:
            plain = base64.b64decode(body + "=" * (-len(body) % 4)).decode()
        except ValueError:
            continue
        if plain.isprintable():
            yield plain
