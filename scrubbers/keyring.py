"""The keys of `hash` and `encrypt`, and the tokens that are made with them.

`[HMAC:email/k2/h9f2c…]`: a pseudonym, nothing leads back from it; while keys are changed, one under each of two keys
stands in it (`[HMAC:email/k2/h9f2c…/k1/h01ab…]`).
`[AES:email/k1/x…]`: the value itself, encrypted; the key opens it.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from typing import Annotated, Protocol, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import Field, model_validator

from settings import Secret, Settings, refuse

MAX_ENCRYPTED = 1024  # bytes of a value: a longer one is no identifier, and would make tokens of any length
_SHORTEST_HASH_KEY, _SHORTEST_ENCRYPTION_KEY = 16, 32  # characters
_TOKEN_DIGITS = 24  # hexadecimal: 96 bits, so that of a billion people no two share a token by chance

Version = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,7}$")]


class OldHashKey(Settings):
    """A key of `hash` that another one has taken the place of."""

    key: Secret = Field(description="The key as it was.")
    version: Version = Field(description="The version that its tokens carry.")
    overlap: bool = Field(
        False,
        description="Whether every token holds the pseudonym under this key, too, so that one search finds what was "
        "written before and after the change. One key at most.",
    )


class HashKey(Settings):
    """The key of `hash` tokens."""

    key: Secret = Field(description="At least 16 characters; give it as `${file:/path}` or `${ENV}`.")
    version: Version = Field("k1", description="Stands in every token, for rotation.")
    previous: Annotated[tuple[OldHashKey, ...], Field(max_length=8)] = Field(
        (), description="Keys before this one: `sluicegate pseudonym` tells the pseudonyms under each."
    )

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        _check(self.key, self.version, self.previous, _SHORTEST_HASH_KEY, "to keep pseudonyms apart from guesses")
        if sum(each.overlap for each in self.previous) > 1:
            refuse((("previous",), "has several keys with `overlap`; leave it at the one that this key follows"))
        return self


class OldEncryptionKey(Settings):
    """A key of `encrypt` that another one has taken the place of."""

    key: Secret = Field(description="The key as it was.")
    version: Version = Field(description="The version that its tokens carry.")


class EncryptionKey(Settings):
    """The key of `encrypt` tokens."""

    key: Secret = Field(
        description="At least 32 characters (`openssl rand -hex 32`); give it as `${file:/path}` or `${ENV}`."
    )
    version: Version = Field("k1", description="Stands in every token, for rotation.")
    previous: Annotated[tuple[OldEncryptionKey, ...], Field(max_length=32)] = Field(
        (), description="Keys before this one: they open old tokens (`sluicegate reveal`), and make no new ones."
    )

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        _check(self.key, self.version, self.previous, _SHORTEST_ENCRYPTION_KEY, "to withstand guesses")
        return self

    def by_version(self) -> dict[str, Secret]:
        """Every key that opens tokens."""
        return {self.version: self.key} | {each.version: each.key for each in self.previous}


class _Keyed(Protocol):
    @property
    def key(self) -> Secret: ...
    @property
    def version(self) -> str: ...


def _check(key: Secret, version: str, previous: Iterable[_Keyed], shortest: int, why: str) -> None:
    if len(key.get_secret_value()) < shortest:
        refuse((("key",), f"is too short {why}; give at least {shortest} characters"))
    seen = {version}
    for number, each in enumerate(previous):
        if len(each.key.get_secret_value()) < shortest:
            refuse((("previous", number, "key"), f"is too short {why}; give at least {shortest} characters"))
        if each.version in seen:
            refuse((("previous", number, "version"), "is that of another key; give every key a version of its own"))
        seen.add(each.version)


class Pseudonyms:
    """Makes the `hash` tokens of one rule. `canonical` brings the spellings of one value together."""

    def __init__(self, label: str, keys: HashKey, canonical: Callable[[bytes], bytes]) -> None:
        self.label = label
        self._canonical = canonical
        written: list[_Keyed] = [keys, *(each for each in keys.previous if each.overlap)]
        self._written = [_pseudonym(label, each) for each in written]
        known: list[_Keyed] = [keys, *keys.previous]
        self._all = [_pseudonym(label, each) for each in known]
        self._head = f"[HMAC:{label}".encode()

    def __call__(self, value: bytes) -> bytes:
        """The token that stands in the value's place."""
        canonical = self._canonical(value)
        return self._head + b"".join(pseudonym(canonical) for pseudonym in self._written) + b"]"

    def searched(self, value: bytes) -> list[bytes]:
        """What a token of the value holds, under each key, the current one first: what to search for."""
        canonical = self._canonical(value)
        return [pseudonym(canonical)[1:] for pseudonym in self._all]


def _pseudonym(label: str, key: _Keyed) -> Callable[[bytes], bytes]:
    # The rule's name separates domains: the same digits as a phone and as an SSN give different tokens.
    secret = hmac.new(key.key.get_secret_value().encode(), label.encode(), hashlib.sha256).digest()
    head = f"/{key.version}/h".encode()
    return lambda value: head + hmac.digest(secret, value, "sha256").hex()[:_TOKEN_DIGITS].encode()


ENCRYPTED = re.compile(rb"\[AES:([^\]\s\"\\/]{1,64})/([a-z][a-z0-9]{0,7})/x([a-z2-7]{27,1680})\]")
"""An `encrypt` token: its rule, the version of its key, and the value, encrypted, in base 32."""


class NotOpened(Exception):
    """A token that this key does not open."""


class Cipher:
    """AES-SIV (RFC 5297) under one key: the same value under the same rule gives the same token.

    The rule's name is authenticated with the value: a token that was moved to another rule does not open.
    """

    def __init__(self, key: Secret) -> None:
        material = HKDF(SHA512(), 64, salt=None, info=b"sluicegate encrypt")
        self._siv = AESSIV(material.derive(key.get_secret_value().encode()))

    def seal(self, value: bytes, label: str, version: str) -> bytes:
        """The token of a value of 1 to MAX_ENCRYPTED bytes."""
        sealed = self._siv.encrypt(value, [label.encode()])
        # Base 32 in lower case: letters and digits alone, so that nothing in it has the guards of a detector.
        return b"[AES:%b/%b/x%b]" % (label.encode(), version.encode(), _base32(sealed))

    def open(self, token: bytes) -> bytes:
        """The value in a token; raises NotOpened."""
        found = ENCRYPTED.fullmatch(token)
        if found is None:
            raise NotOpened
        coded = found[3].upper()
        try:
            return self._siv.decrypt(base64.b32decode(coded + b"=" * (-len(coded) % 8)), [found[1]])
        except (InvalidTag, ValueError):
            raise NotOpened from None


def _base32(data: bytes) -> bytes:
    return base64.b32encode(data).rstrip(b"=").lower()
