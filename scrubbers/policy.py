"""The policy: what is personal, and what is done with it. See `policy_file.py` for how it is read and extended."""

import hashlib
import re
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

import regex
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from scrubbers.detectors import DETECTORS
from settings import Secret, Settings, refuse


class Action(StrEnum):
    """What happens to a personal value. `keep` wins over all others; it is given by the `keep` list."""

    DELETE = "delete"
    REPLACE = "replace"
    MASK = "mask"
    HASH = "hash"


def _name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _-]*(\.[A-Za-z0-9][A-Za-z0-9 _-]*)*", value):
        refuse(((), "is not a key name; write letters, digits, `_` or `-`, with `.` between the segments of a path"))
    return value


def _detector(value: str) -> str:
    if value not in DETECTORS:
        refuse(((), f"is not a detector; write one of {', '.join(sorted(DETECTORS))}"))
    return value


def _shape(value: str) -> str:
    try:
        regex.compile(value)
    except regex.error as error:
        refuse(((), f"is not a regular expression ({error.msg}); write one in the syntax of the `regex` module"))
    return value


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


KeyName = Annotated[str, AfterValidator(_name)]

OneOrMany = Annotated[
    tuple[str, ...],
    BeforeValidator(_one_or_many),
    WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}], "examples": ["default"]}
    ),
]
"""A list of names, or a single one without brackets."""


class KeyRule(Settings):
    """Keys whose value is personal, whatever it looks like."""

    names: Annotated[tuple[KeyName, ...], Field(min_length=1)] = Field(
        description="Names, compared ignoring case; a `_`, `-` or space may stand or be missing between words. "
        "`a.b` matches `b` inside `a` and the flat key `a.b`."
    )
    action: Action = Field(Action.DELETE, description="What is done with the value.")
    keep_last: int = Field(4, ge=0, le=8, description="For `mask`: how many characters stay readable at the end.")


class PatternRule(Settings):
    """Values that are personal by their shape, wherever they stand."""

    detector: Annotated[str, AfterValidator(_detector)] = Field(description="The name of a built-in detector.")
    action: Literal[Action.REPLACE, Action.MASK, Action.HASH] = Field(
        Action.REPLACE, description="What is done with the value."
    )
    keep_last: int = Field(4, ge=0, le=8, description="For `mask`: how many characters stay readable at the end.")

    @property
    def name(self) -> str:
        """As it is counted, and as tokens name it."""
        return self.detector


class KeepRule(Settings):
    """Identifiers that patterns leave alone: the key *and* the shape must match."""

    names: Annotated[tuple[KeyName, ...], Field(min_length=1)] = Field(description="Names of identifiers.")
    shape: Annotated[str, AfterValidator(_shape)] = Field(
        description="A regular expression that the whole value must match."
    )


class HashKey(Settings):
    """The key of `hash` tokens."""

    key: Secret = Field(description="At least 16 characters; give it as `${file:/path}` or `${ENV}`.")
    version: str = Field("k1", pattern=r"^[a-z][a-z0-9]{0,7}$", description="Stands in every token, for rotation.")


class Disable(Settings):
    """What a policy does not take over from those that it extends."""

    keys: tuple[KeyName, ...] = ()
    """Names of key rules."""
    patterns: tuple[str, ...] = ()
    """Names of pattern rules."""
    keep: tuple[KeyName, ...] = ()
    """Names of identifiers that would be kept."""


class Policy(Settings):
    """One policy file; once loaded, with all that it extends in it: `extends` and `disable` are then empty."""

    version: Literal[1] = Field(1, description="The version of this format.")
    extends: OneOrMany = Field(
        (),
        description="Policies to start from: `default`, `strict`, `secrets-only`, `gdpr`, `pci`, or files "
        "(`./base.yaml`, relative to this one). The rules of this file come before theirs.",
    )
    disable: Disable = Field(default_factory=Disable, description="What is not taken over from `extends`.")
    mode: Literal["enforce", "observe"] = Field("enforce", description="`observe` counts findings and changes nothing.")
    keys: tuple[KeyRule, ...] = Field((), description="Names whose value is personal.")
    patterns: tuple[PatternRule, ...] = Field((), description="Detectors that find personal data by its shape.")
    keep: tuple[KeepRule, ...] = Field((), description="Identifiers that patterns leave alone.")
    hash: HashKey | None = Field(None, description="Needed as soon as a rule hashes.")

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        if self.extends:
            return self  # it is asked again once it is whole
        actions = [*(rule.action for rule in self.keys), *(rule.action for rule in self.patterns)]
        hashing = Action.HASH in actions
        if hashing and self.hash is None:
            refuse((("hash",), "is missing, and a rule hashes; write `hash: {key: ${file:/path/to/key}}`"))
        if self.hash is not None and len(self.hash.key.get_secret_value()) < 16:
            refuse((("hash", "key"), "is too short to keep pseudonyms apart from guesses; give at least 16 characters"))
        return self

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with anything that changes the output, except the hash key itself."""
        return hashlib.sha256(self.model_dump_json(exclude={"hash": {"key"}}).encode()).hexdigest()[:16]
