"""The way back from `encrypt`: values in the place of their tokens."""

import re
from collections.abc import Mapping

from scrubbers.keyring import ENCRYPTED, Cipher, EncryptionKey, NotOpened
from settings import Secret

_CONTROL = re.compile(rb"[\x00-\x1f]")


class Revealer:
    """Puts values back. What no key opens stays as it is, and is counted."""

    def __init__(self, keys: EncryptionKey | Secret) -> None:
        """By the keys of a policy, or by one key whatever version a token names."""
        self._any = None if isinstance(keys, EncryptionKey) else Cipher(keys)
        self._by_version: Mapping[bytes, Cipher] = (
            {version.encode(): Cipher(key) for version, key in keys.by_version().items()}
            if isinstance(keys, EncryptionKey)
            else {}
        )
        self.opened = 0
        self.refused = 0  # tokens that their key does not open
        self.unknown = 0  # tokens of a version for which there is no key

    def reveal(self, text: bytes) -> bytes:
        """`text` with values in place of tokens; between the quotes of JSON strings as JSON writes them."""
        return ENCRYPTED.sub(self._value, text)

    def _value(self, token: "re.Match[bytes]") -> bytes:
        cipher = self._any or self._by_version.get(token[2])
        if cipher is None:
            self.unknown += 1
            return token[0]
        try:
            value = cipher.open(token[0])
        except NotOpened:
            self.refused += 1
            return token[0]
        self.opened += 1
        for _ in range(_strings_around(token.string, token.start())):
            value = _in_string(value)
        return value


def _strings_around(text: bytes, at: int) -> int:
    """How many JSON strings a place stands in: by the backslashes before the nearest quote in its line."""
    start = text.rfind(b"\n", 0, at) + 1
    quote = text.rfind(b'"', start, at)
    if quote < 0:
        return 0
    head = text[start:quote]
    return (len(head) - len(head.rstrip(b"\\"))).bit_length() + 1


def _in_string(text: bytes) -> bytes:
    text = text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return _CONTROL.sub(lambda found: b"\\u%04x" % found[0][0], text)
