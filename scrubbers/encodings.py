r"""Encodings: ways in which text stands for other text. ENCODINGS lists them.

An encoding is an introducer (what must be there) and a decoder. The law that makes tier 1 sound, property-tested:
no introducer in the text, and decoding it is the identity.
"""

import re
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

MAX_DEPTH = 4  # how often text is decoded; what is still encoded then goes to quarantine

Decoder: TypeAlias = Callable[["re.Match[bytes]"], bytes]


@dataclass(slots=True, frozen=True)
class Encoding:
    """`unit` matches one encoded run as a whole; `decode` gives what it stands for."""

    name: str
    unit: "re.Pattern[bytes]"
    decode: Decoder


_SHORT = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def _json(match: "re.Match[bytes]") -> bytes:
    escape = match[0]
    if escape[1:2] != b"u":
        return _SHORT.get(escape[1:2], escape[1:2])
    codes = [int(each, 16) for each in escape[2:].split(b"\\u")]
    text = "".join(map(chr, codes))
    # Surrogate pairs come together as UTF-16; a lone half has no UTF-8 and becomes the replacement character.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _percent(match: "re.Match[bytes]") -> bytes:
    return bytes.fromhex(match[0].replace(b"%", b"").decode())


JSON = Encoding("json", re.compile(rb"(?:\\u[0-9a-fA-F]{4})+|\\[\"\\/bfnrt]"), _json)
PERCENT = Encoding("percent", re.compile(rb"(?:%[0-9a-fA-F]{2})+"), _percent)
ENCODINGS = (JSON, PERCENT)


def decode(text: bytes) -> bytes | None:
    """`text` with all encodings undone to a fixed point; None if it is still encoded after MAX_DEPTH rounds."""
    for _ in range(MAX_DEPTH):
        plain = text
        for encoding in ENCODINGS:
            plain = encoding.unit.sub(encoding.decode, plain)
        if plain == text:
            return text
        text = plain
    return None if any(encoding.unit.search(text) for encoding in ENCODINGS) else text


def decode_mapped(text: bytes, encoding: Encoding) -> "tuple[bytes, array[int]]":
    """`text` decoded once, with for each decoded byte the offset where its source begins, and one entry for the end."""
    parts: list[bytes] = []
    offsets: array[int] = array("L")
    done = 0
    for match in encoding.unit.finditer(text):
        start = match.start()
        parts.append(text[done:start])
        offsets.extend(range(done, start))
        done = match.end()
        if encoding is JSON and match[0][1:2] != b"u":
            parts.append(_json(match))
            offsets.append(start)
            continue
        _map_run(match, encoding, parts, offsets)
    parts.append(text[done:])
    offsets.extend(range(done, len(text) + 1))
    return b"".join(parts), offsets


def _map_run(match: "re.Match[bytes]", encoding: Encoding, parts: list[bytes], offsets: "array[int]") -> None:
    plain = encoding.decode(match)
    parts.append(plain)
    width = 6 if encoding is JSON else 3
    units = len(match[0]) // width
    if len(plain) == units:
        offsets.extend(range(match.start(), match.end(), width))
        return
    # Characters beyond ASCII take several bytes; each byte of a character begins where its escape does.
    at = match.start()
    for character in plain.decode("utf-8", "replace"):
        size = len(character.encode("utf-8", "replace"))
        offsets.extend([at] * size)
        at += width * (2 if ord(character) > 0xFFFF else 1)
