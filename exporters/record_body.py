r"""The record inside a stored line, as it came: `{"time":…,"resource":{…},"body":<here>}`."""

from base64 import b64decode

import msgspec


class _Line(msgspec.Struct):
    body: msgspec.Raw = msgspec.Raw()
    body_base64: str = ""


_decode = msgspec.json.Decoder(_Line).decode
_decode_text = msgspec.json.Decoder(str).decode


def bodies(stored: bytes) -> bytes:
    r"""The records of stored lines, each ended by `\n`: JSON verbatim, text as it was."""
    return b"".join(_body(line) + b"\n" for line in stored.split(b"\n")[:-1])


def _body(line: bytes) -> bytes:
    """A line that is no stored record is its own body: better one too many than one lost."""
    try:
        found = _decode(line)
        raw = bytes(found.body)
        if not raw:
            return b64decode(found.body_base64) if found.body_base64 else line
        return _decode_text(raw).encode() if raw.startswith(b'"') else raw
    except (msgspec.DecodeError, ValueError, RecursionError):
        return line
