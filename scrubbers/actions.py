"""What happens to a personal value: ACTIONS maps an action's name to the maker of its replacer.

A replacer takes the value's bytes and gives the bytes that stand in its place. Every token it writes is safe in every
notation: no quote, no backslash, no space, no sign that a key or a detector would begin with.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from typing import TypeAlias

from scrubbers.policy import Action, HashKey

Replacer: TypeAlias = Callable[[bytes], bytes]
Canonical: TypeAlias = Callable[[bytes], bytes]

TOKEN = re.compile(rb"\[(?:REDACTED:[^\]\s\"\\]{1,80}|HMAC:[^\]\s\"\\]{1,120})\]")
"""A value that is wholly one of our tokens is final: scrubbing twice is scrubbing once."""


def replacer(action: Action, label: str, keep_last: int, key: HashKey | None, canonical: Canonical) -> Replacer:
    """The replacer of a rule. `label` names the rule in the token; `canonical` brings spellings of one value together.

    `delete` gives a token as well: it is what stands for the value where text must stay readable.
    """
    if action is Action.MASK:
        return _mask(keep_last)
    if action is Action.HASH:
        assert key is not None
        return _hash(label, key, canonical)
    constant = token(label)
    return lambda _value: constant


def token(label: str) -> bytes:
    """What `replace` writes."""
    return f"[REDACTED:{label}]".encode()


def _mask(keep_last: int) -> Replacer:
    def mask(value: bytes) -> bytes:
        # Separators stay: the format remains readable. Never all of a short value; and nothing that a notation or an
        # encoding would read otherwise than as itself.
        shown = min(keep_last, len(value) // 2)
        cut = len(value) - shown
        return value[:cut].translate(_HIDDEN) + value[cut:].translate(_SHOWN)

    return mask


_SEPARATORS = b" .,:;/()+_-"
_HIDDEN = bytes(byte if byte in _SEPARATORS else 0x2A for byte in range(256))
_SHOWN = bytes(byte if byte in _SEPARATORS or (byte < 0x80 and chr(byte).isalnum()) else 0x2A for byte in range(256))


def _hash(label: str, key: HashKey, canonical: Canonical) -> Replacer:
    # The rule's name separates domains: the same digits as a phone and as an SSN give different tokens.
    secret = hmac.new(key.key.get_secret_value().encode(), label.encode(), hashlib.sha256).digest()
    head = f"[HMAC:{label}/{key.version}/h".encode()

    def pseudonym(value: bytes) -> bytes:
        return head + hmac.new(secret, canonical(value), hashlib.sha256).hexdigest()[:24].encode() + b"]"

    return pseudonym
