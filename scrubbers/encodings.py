r"""Encodings: ways in which text stands for other text. ENCODINGS lists them; `embedded` finds base64.

An encoding is introducers (what must be there, for the trigger scan) and a decoder. The law that makes tier 1 sound,
property-tested: no introducer in a text, and decoding it shows nothing that was not seen before.

Decoding goes in rounds: each undoes all encodings once, until nothing changes. Two stand apart, as further readings of
the same text: base64 (`embedded`), a run of which is a text of its own, looked into once, not again within itself; and
`spaced`, a form with `+` for a space, for a `+` may be meant as it stands.
"""

import base64
import binascii
import html
import re
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from html.entities import html5
from typing import TypeAlias

MAX_DEPTH = 6  # rounds; what is still encoded then goes to quarantine

Match: TypeAlias = "re.Match[bytes]"
Decoder: TypeAlias = Callable[[Match], bytes]
Sources: TypeAlias = Callable[[Match, bytes], Iterable[int]]


def _at_start(match: Match, plain: bytes) -> Iterable[int]:
    return [match.start()] * len(plain)


@dataclass(slots=True, frozen=True)
class Encoding:
    """`unit` matches one encoded run as a whole, and begins with a literal sign where it can, to which `re` skips;
    `decode` gives what it stands for.

    `introducers` are expressions in Hyperscan's syntax. `sources` tells for each decoded byte where in the text the
    escape begins that it comes from.
    """

    introducers: tuple[bytes, ...]
    unit: "re.Pattern[bytes]"
    decode: Decoder
    sources: Sources = _at_start


# JSON escapes

_SHORT = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def _json(match: Match) -> bytes:
    escape = match[0]
    if escape[1:2] != b"u":
        return _SHORT.get(escape[1:2], escape[1:2])
    codes = [int(each, 16) for each in escape[2:].split(b"\\u")]
    text = "".join(map(chr, codes))
    # Surrogate pairs come together as UTF-16; a lone half has no UTF-8 and becomes the replacement character.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _json_sources(match: Match, plain: bytes) -> Iterable[int]:
    return _run_sources(match, plain, 6) if match[0][1:2] == b"u" else [match.start()]


# Percent-encoding


def _percent(match: Match) -> bytes:
    return bytes.fromhex(match[0].replace(b"%", b"").decode())


def _percent_sources(match: Match, plain: bytes) -> Iterable[int]:
    return _run_sources(match, plain, 3)


def _run_sources(match: Match, plain: bytes, width: int) -> Iterable[int]:
    """Of a run of escapes of this width. Each byte of a character begins where the character's first escape does."""
    if len(plain) == len(match[0]) // width:
        return range(match.start(), match.end(), width)
    offsets: list[int] = []
    at = match.start()
    for character in plain.decode("utf-8", "replace"):
        offsets += [at] * len(character.encode("utf-8", "replace"))
        at += width * (2 if ord(character) > 0xFFFF else 1)
    return offsets


# HTML and XML entities: by number, and the names of ASCII signs and of the space that does not break. Their introducers
# are literals, which cost little.

_NAMED = sorted(name for name, sign in html5.items() if name.endswith(";") and (sign.isascii() or sign == "\u00a0"))


def _entity(match: Match) -> bytes:
    return html.unescape(match[0].decode()).encode("utf-8", "replace")


# Characters that look like others, or like nothing

_INVISIBLE = (
    "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064\ufeff"
)
_SPACES = "\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63"
_FOLDED = {
    each.encode(): plain.encode()
    for each, plain in [
        *((chr(code), chr(code - 0xFEE0)) for code in range(0xFF01, 0xFF5F)),  # full-width forms
        *((each, "") for each in _INVISIBLE),
        *((each, " ") for each in _SPACES),
        *((each, "-") for each in _DASHES),
        ("\ufe6b", "@"),
        ("\ufe52", "."),
        ("\u2024", "."),
    ]
}


def _fold(match: Match) -> bytes:
    return _FOLDED[match[0]]


# `\/` of a URL, `\n` before what a guarded shape can begin with.
JSON = Encoding(
    (rb"\\(?:u|/|[bfnrt][0-9A-Za-f+])",),
    re.compile(rb"\\(?:u[0-9a-fA-F]{4}(?:\\u[0-9a-fA-F]{4})*|[\"\\/bfnrt])"),
    _json,
    _json_sources,
)
PERCENT = Encoding(
    (rb"%[0-9a-fA-F][0-9a-fA-F]",),
    re.compile(rb"%[0-9a-fA-F]{2}(?:%[0-9a-fA-F]{2})*"),
    _percent,
    _percent_sources,
)
HTML = Encoding(
    (*(b"&#%c" % sign for sign in b"0123456789xX"), *(f"&{name}".encode() for name in _NAMED)),
    re.compile(rb"&(?:#(?:[0-9]{1,7}|[xX][0-9a-fA-F]{1,6});?|" + "|".join(_NAMED).encode() + b")"),
    _entity,
)
UNICODE = Encoding(
    (rb"\xc2[\xa0\xad]", *sorted(each for each in _FOLDED if len(each) > 2)),
    re.compile(b"|".join(sorted(_FOLDED))),
    _fold,
)
ENCODINGS = (JSON, PERCENT, HTML, UNICODE)

# Forms: `+` for a space in a value

_IN_FORM = rb"0-9A-Za-z%(._~*!'-"
_FORM_INTRODUCER = rb"=[" + _IN_FORM + rb"]+\+[0-9A-Za-z%(]"
_FORM = re.compile(rb"=[" + _IN_FORM + rb"]+\+[0-9A-Za-z%(][" + _IN_FORM + rb"),+-]*")

INTRODUCERS = (*(each for encoding in ENCODINGS for each in encoding.introducers), _FORM_INTRODUCER)


def spaced(text: bytes) -> bytes:
    """`text` read as a form: each `+` in the values of its parameters is a space. As long as it was."""
    return _FORM.sub(lambda value: value[0].replace(b"+", b" "), text)


def decode(text: bytes) -> bytes | None:
    """`text` with all encodings undone to a fixed point; None if it is still encoded after MAX_DEPTH rounds."""
    plain = [text, *rounds(text)][-1]
    return plain if _once(plain) == plain else None


def rounds(text: bytes) -> Iterator[bytes]:
    """What a text says after each round of decoding, as long as it changes; MAX_DEPTH at most."""
    for _ in range(MAX_DEPTH):
        plain = _once(text)
        if plain == text:
            return
        yield plain
        text = plain


def _once(text: bytes) -> bytes:
    for encoding in ENCODINGS:
        text = encoding.unit.sub(encoding.decode, text)
    return text


def readings(text: bytes) -> Iterator[bytes]:
    """All that a text says when it is decoded, in whatever way: for a scan. Many of them may say the same."""
    texts = [text, *rounds(text)]
    yield from texts[1:]
    for each in texts:
        form = spaced(each)
        if form != each:
            yield from (form, *rounds(form))


def decode_mapped(text: bytes, encodings: Iterable[Encoding]) -> "tuple[bytes, array[int]]":
    """One round of decoding; for each decoded byte the offset where its source begins, and one entry for the end."""
    offsets: array[int] | None = None
    for encoding in encodings:
        if encoding.unit.search(text):
            text, inner = _mapped(text, encoding)
            offsets = inner if offsets is None else array("L", map(offsets.__getitem__, inner))
    return text, array("L", range(len(text) + 1)) if offsets is None else offsets


def _mapped(text: bytes, encoding: Encoding) -> "tuple[bytes, array[int]]":
    parts: list[bytes] = []
    offsets: array[int] = array("L")
    done = 0
    for match in encoding.unit.finditer(text):
        start = match.start()
        plain = encoding.decode(match)
        parts += (text[done:start], plain)
        offsets.extend(range(done, start))
        offsets.extend(encoding.sources(match, plain))
        done = match.end()
    parts.append(text[done:])
    offsets.extend(range(done, len(text) + 1))
    return b"".join(parts), offsets


# Base64

# Of text: in each group of four signs the first three stand for bytes from 0x20 to 0x7f, whatever these are.
_GROUP = rb"[I-Za-f][C-HS-Xi-ny-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][0-9A-Za-z+/_-]"
BASE64_INTRODUCER = b"(?:" + _GROUP + b"){3}"
"""Behind a byte that is no letter and no digit: three groups of what may be base64 of text."""

_BASE64 = re.compile(rb"(?<![0-9A-Za-z])(?:" + _GROUP + rb"){3}[0-9A-Za-z+/_-]{2,}={0,2}")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_TEXT = re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*").fullmatch


def embedded(text: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Runs of base64 (of ten bytes or more, either alphabet) that stand for text: start, end, what they say."""
    for match in _BASE64.finditer(text):
        run = match[0].rstrip(b"=").translate(_URL_SAFE)
        run = run[: len(run) - (len(run) % 4 == 1)]
        try:
            plain = base64.b64decode(run + b"=" * (-len(run) % 4), validate=True)
            if _TEXT(plain.decode()):
                yield match.start(), match.end(), plain
        except (binascii.Error, UnicodeDecodeError):
            continue
