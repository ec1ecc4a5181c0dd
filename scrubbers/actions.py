"""What happens to a personal value: ACTIONS maps an action to the maker of its replacer.

A replacer takes the value's bytes and gives the bytes that stand in its place. Every token it writes is safe in every
notation: no quote, no backslash, no space, no sign that a key or a detector would begin with.
"""

import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Annotated, Any, Protocol, TypeAlias

from pydantic import AfterValidator, Field

from scrubbers.keyring import MAX_ENCRYPTED, Cipher, EncryptionKey, HashKey, Pseudonyms
from scrubbers.truncation import TRUNCATIONS, To
from settings import refuse

Replacer: TypeAlias = Callable[[bytes], bytes]
Canonical: TypeAlias = Callable[[bytes], bytes]


class Action(StrEnum):
    """What happens to a personal value. `keep` wins over all others; it is given by the `keep` list."""

    DELETE = "delete"
    REPLACE = "replace"
    MASK = "mask"
    HASH = "hash"
    TRUNCATE = "truncate"
    ENCRYPT = "encrypt"


_TEMPLATE = re.compile(r"\[(?:[A-Za-z*]|\{rule\})(?:[A-Za-z0-9_.:*-]|\{rule\}){0,63}\]")


def _template(value: str) -> str:
    if not _TEMPLATE.fullmatch(value):
        refuse(
            (
                (),
                "cannot stand in every notation; write up to 64 letters, digits and `_ . : * -` between `[` and `]`, "
                "beginning with a letter, `*` or `{rule}`, and all in quotes",
            )
        )
    return value


Template = Annotated[str, AfterValidator(_template)]

# The fields of a rule that say more about its action.
KEEP_LAST: Any = Field(4, ge=0, le=8, description="For `mask`: how many characters stay readable at the end.")
REPLACEMENT: Any = Field(
    None,
    description="For `replace`, and for `delete` where the name stays: the text that stands for the value, such as "
    '`"[removed]"` or `"[PII:{rule}]"` (in quotes, in YAML); `{rule}` is the rule\'s name. Without it: '
    "`[REDACTED:{rule}]`.",
)


class Rule(Protocol):
    """What a rule of the policy says about its action."""

    @property
    def action(self) -> Action: ...
    @property
    def keep_last(self) -> int: ...
    @property
    def truncate_to(self) -> To | None: ...
    @property
    def replacement(self) -> str | None: ...


class Keys(Protocol):
    """The keys that a policy has."""

    @property
    def hash(self) -> HashKey | None: ...
    @property
    def encrypt(self) -> EncryptionKey | None: ...


def _tokens(labels: bytes, others: Iterable[bytes] = ()) -> "re.Pattern[bytes]":
    version = rb"[a-z][a-z0-9]{0,7}"
    shapes = [
        rb"\[REDACTED:(?:%b)\]" % labels,
        rb"\[HMAC:(?:%b)(?:/%b/h[0-9a-f]{24}){1,2}\]" % (labels, version),
        rb"\[AES:(?:%b)/%b/x[a-z2-7]{27,1680}\]" % (labels, version),
    ]
    return re.compile(b"|".join([*shapes, *sorted(map(re.escape, set(others)))]))


TOKEN = _tokens(rb"[A-Za-z0-9_.*-]{1,64}")
"""A value that is wholly one of our tokens, of whatever policy, is final: scrubbing twice is scrubbing once."""

_LONGEST_TOKEN = 1800


def tokens(texts: Iterable[bytes]) -> "re.Pattern[bytes]":
    """TOKEN, and these texts besides."""
    others = sorted({re.escape(each) for each in texts if not TOKEN.fullmatch(each)})
    return re.compile(b"|".join([TOKEN.pattern, *others])) if others else TOKEN


def own_tokens(labels: Iterable[str], texts: Iterable[bytes]) -> "re.Pattern[bytes]":
    """Tokens of the rules with these labels alone: what else looks alike could hold anything (`[REDACTED:bob]`)."""
    return _tokens("|".join(sorted(map(re.escape, set(labels)))).encode(), texts)


def in_token(own: "re.Pattern[bytes]", text: bytes, start: int, end: int) -> bool:
    """Whether the span is one of our own tokens or a part of one: nothing is found there."""
    at = text.rfind(b"[", start - _LONGEST_TOKEN if start > _LONGEST_TOKEN else 0, start + 1)
    found = own.match(text, at) if at >= 0 else None
    return found is not None and end <= found.end()


def label(name: str) -> str:
    """A rule's name as it stands in tokens."""
    return re.sub(r"[^A-Za-z0-9_.*-]", "_", name)[:64]


def token(label: str, template: str | None = None) -> bytes:
    """What `replace` writes."""
    return (template or "[REDACTED:{rule}]").replace("{rule}", label).encode()


def replacer(rule: Rule, label: str, canonical: Canonical, keys: Keys) -> Replacer:
    """The replacer of a rule. `label` names the rule in tokens; `canonical` brings spellings of one value together.

    `delete` gives a token as well: it is what stands for the value where text must stay readable.
    """
    return ACTIONS[rule.action](rule, label, canonical, keys)


def _replace(rule: Rule, label: str, _canonical: Canonical, _keys: Keys) -> Replacer:
    constant = token(label, rule.replacement)
    return lambda _value: constant


def _mask(rule: Rule, _label: str, _canonical: Canonical, _keys: Keys) -> Replacer:
    keep_last = rule.keep_last

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


def _hash(_rule: Rule, label: str, canonical: Canonical, keys: Keys) -> Replacer:
    assert keys.hash is not None
    return Pseudonyms(label, keys.hash, canonical)


def _truncate(rule: Rule, label: str, _canonical: Canonical, _keys: Keys) -> Replacer:
    assert rule.truncate_to is not None
    cut = TRUNCATIONS[rule.truncate_to]
    constant = token(label)
    return lambda value: cut(value) or constant


def _encrypt(_rule: Rule, label: str, _canonical: Canonical, keys: Keys) -> Replacer:
    assert keys.encrypt is not None
    cipher, version = Cipher(keys.encrypt.key), keys.encrypt.version
    constant = token(label)
    return lambda value: cipher.seal(value, label, version) if 0 < len(value) <= MAX_ENCRYPTED else constant


ACTIONS: dict[Action, Callable[[Rule, str, Canonical, Keys], Replacer]] = {
    Action.DELETE: _replace,
    Action.REPLACE: _replace,
    Action.MASK: _mask,
    Action.HASH: _hash,
    Action.TRUNCATE: _truncate,
    Action.ENCRYPT: _encrypt,
}
