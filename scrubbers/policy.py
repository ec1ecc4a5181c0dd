"""The policy: what is personal, and what is done with it. See `policy_file.py` for how it is read and extended."""

import hashlib
import re
from typing import Annotated, Any, Literal, Self, TypeAlias

import regex
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from scrubbers.actions import KEEP_LAST, REPLACEMENT, Action, Template
from scrubbers.detectors import DETECTORS
from scrubbers.detectors.phone_regions import REGIONS
from scrubbers.emission import LEAST, emit
from scrubbers.keyring import EncryptionKey, HashKey
from scrubbers.matching import compiled
from scrubbers.paths import can_be_found
from scrubbers.signals import Signal
from scrubbers.truncation import BY_DETECTOR, To
from settings import Settings, refuse


def _name(value: str) -> str:
    value = value.replace("[]", "").replace("[*]", "")  # elements of arrays need no sign
    if not re.fullmatch(rf"{_SEGMENT}(\.{_SEGMENT})*", value):
        refuse(
            (
                (),
                "is not a key name; write letters, digits, `_`, `-`, or `*` for any run of them, with `.` between the "
                "segments of a path",
            )
        )
    return value


def _findable(value: str) -> str:
    if not can_be_found(value):
        refuse(((), "has nothing to look for; write at least three letters or digits in a row beside the `*`"))
    return value


_SEGMENT = r"[A-Za-z0-9*][A-Za-z0-9 _*-]*"


def _detector(value: str) -> str:
    if value not in DETECTORS:
        refuse(((), f"is not a detector; write one of {', '.join(sorted(DETECTORS))}"))
    return value


def _region(value: str) -> str:
    if value not in REGIONS:
        refuse(((), "is not a country with phone numbers of its own; write its two letters as ISO 3166 has them: DE"))
    return value


def _shape(value: str) -> str:
    try:
        compiled(value)
    except ValueError as error:
        refuse(((), f"is not a regular expression that can be used ({error}); remove its flags"))
    except regex.error as error:
        refuse(((), f"is not a regular expression ({error.msg}); write one in the syntax of the `regex` module"))
    return value


def _searchable(value: str, *, slow: bool) -> None:
    try:
        emitted = emit(value)
    except ValueError as error:
        refuse((("regex",), f"{error}, and that cannot be searched for; write it without"))
    if emitted.width < LEAST:
        refuse((("regex",), f"has nothing to look for; write at least {LEAST} characters in a row that must be there"))
    if emitted.slow and not slow:
        refuse(
            (
                ("regex",),
                f"holds {emitted.slow}, which cannot be searched for fast; write it otherwise, or accept that with "
                "`slow: true`",
            )
        )


def _denied(value: str) -> str:
    if not 3 <= len(value.encode()) <= 256:
        refuse(((), "is too short or too long; write a value of 3 to 256 bytes"))
    if any(char in "\"'\\" or not char.isprintable() for char in value) or value != value.strip():
        refuse(((), "holds quotes, a backslash, control characters or space around it; write the part between them"))
    if not value.isdigit() and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?", value):
        refuse(((), "is a number with signs, and numbers have many spellings; write its digits alone"))
    if value.lower() in ("true", "false", "null", "nan", "infinity", "redacted", "hmac"):
        refuse(((), "is a word of JSON or of our tokens; remove it"))
    return value


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


KeyName = Annotated[str, AfterValidator(_name)]
FindableName = Annotated[KeyName, AfterValidator(_findable)]
Shape = Annotated[str, AfterValidator(_shape)]
Region = Annotated[str, AfterValidator(_region)]
DeniedValue = Annotated[str, AfterValidator(_denied)]
RuleName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Validator: TypeAlias = Literal[
    "luhn", "verhoeff", "damm", "mod_11_2", "mod_11_10", "mod_37_2", "mod_37_36", "mod_97_10"
]
ConfidenceLevel: TypeAlias = Literal["shape", "context", "checksum"]

OneOrMany = Annotated[
    tuple[str, ...],
    BeforeValidator(_one_or_many),
    WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}], "examples": ["default"]}
    ),
]
"""A list of names, or a single one without brackets."""


class Scope(Settings):
    """Where a rule applies: where all that is said here holds. `*` stands for any run of characters."""

    signals: tuple[Signal, ...] = ()
    """Signals; none: all."""
    sources: tuple[str, ...] = ()
    """Names of sources in the configuration; none: all."""
    resource: dict[str, OneOrMany] = Field(
        default_factory=dict,
        description="Attributes of the resource, such as `k8s.namespace.name: [shop, team-*]`: each must be there, "
        "with one of the values.",
    )


class PatternScope(Scope):
    """Where a pattern applies: where all that is said here holds. `*` stands for any run of characters."""

    include: tuple[KeyName, ...] = ()
    """Keys: only in their values, and in all below them. In text that is no JSON there are none."""
    exclude: tuple[KeyName, ...] = ()
    """Keys: not in their values, nor in anything below them."""


MODE: Any = Field(
    "enforce",
    description="`observe`: what this rule finds is counted, and stays. It keeps no other rule from its work.",
)
Mode: TypeAlias = Literal["enforce", "observe"]


class KeyRule(Settings):
    """Keys whose value is personal, whatever it looks like."""

    names: Annotated[tuple[FindableName, ...], Field(min_length=1)] = Field(
        description="Names, compared ignoring case; a `_`, `-` or space may stand or be missing between words. "
        "`a.b` matches `b` inside `a` and the flat key `a.b`. `*` stands for any run of characters in a segment; `a.*` "
        "is everything below `a`, `a.*.b` is `b` in `a` or one level deeper."
    )
    action: Action = Field(Action.DELETE, description="What is done with the value.")
    keep_last: int = KEEP_LAST
    truncate_to: To | None = Field(
        None,
        description="For `truncate`: what is left of the value. `network`: of an IP address its /24 or /48; `domain`: "
        "of an e-mail address `*@` and its domain; `year`: of a date its year. What is none becomes a token.",
    )
    replacement: Template | None = REPLACEMENT
    mode: Mode = MODE
    scope: Scope = Field(default_factory=Scope, description="Where it applies; everywhere, if nothing is said.")

    @model_validator(mode="after")
    def _says_how(self) -> Self:
        if self.action is Action.TRUNCATE and self.truncate_to is None:
            refuse((("truncate_to",), "is missing, and the rule truncates; write `network`, `domain` or `year`"))
        return self


class Allow(Settings):
    """Values that patterns leave alone."""

    values: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Values as they stand in the data; case and separators do not matter where they do not for the detector (e-mail
    addresses, numbers)."""
    shapes: tuple[Shape, ...] = ()
    """Regular expressions that a whole value must match, in the detector's canonical form (lower-case e-mail addresses,
    numbers without separators)."""
    documented: bool = False
    """Values that were published for tests and examples and belong to nobody: test cards, `user@example.com`, networks
    of documentation."""

    def __bool__(self) -> bool:
        return bool(self.values or self.shapes or self.documented)


class PatternRule(Settings):
    """Values that are personal by their shape, wherever they stand."""

    detector: Annotated[str, AfterValidator(_detector)] | None = Field(
        None, description="The name of a built-in detector; or else `regex` and `name`."
    )
    regex: Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_shape)] | None = Field(
        None,
        description="A regular expression of your own, in the syntax of the `regex` module. It sees one string of "
        "JSON, or the text of a record, as it reads once decoded. What is taken is the group named `value`, if there "
        "is one, or all that matches.",
    )
    name: RuleName | None = Field(None, description="For `regex`: how it is counted, and what tokens say.")
    validator: Validator | None = Field(
        None,
        description="For `regex`: the check digits that a value must have, by its letters and digits alone; see "
        "python-stdnum.",
    )
    context: tuple[Annotated[str, Field(min_length=2, max_length=64)], ...] = Field(
        (),
        description="For `regex`: words of which one must stand within 64 bytes of the value, ignoring case, in the "
        "record as it is written: in the text, or as the name of a key.",
    )
    slow: bool = Field(
        False,
        description="For `regex`: accept that each record that may match is looked at in full, where the expression "
        "holds what cannot be searched for fast.",
    )
    action: Literal[Action.REPLACE, Action.MASK, Action.HASH, Action.TRUNCATE, Action.ENCRYPT] = Field(
        Action.REPLACE, description="What is done with the value."
    )
    keep_last: int = KEEP_LAST
    replacement: Template | None = REPLACEMENT
    min_confidence: ConfidenceLevel | None = Field(
        None, description="How sure a finding must be, instead of the policy's `min_confidence`."
    )
    allow: Allow = Field(default_factory=Allow, description="Values that this rule leaves alone.")
    mode: Mode = MODE
    scope: PatternScope = Field(
        default_factory=PatternScope, description="Where it applies; everywhere, if nothing is said."
    )

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if self.detector is None and self.regex is None:
            refuse((("detector",), "is missing; write the name of a detector, or `regex` and `name`"))
        if self.detector is not None:
            for field in ("regex", "name", "validator", "context", "slow"):
                if getattr(self, field):
                    refuse(
                        ((field,), "is for patterns with a `regex`, and this one has a `detector`; remove one of them")
                    )
        elif self.name is None:
            refuse((("name",), "is missing; write how the pattern is to be called"))
        elif self.name in DETECTORS:
            refuse((("name",), "is that of a detector; write another one"))
        elif self.min_confidence is not None:
            refuse((("min_confidence",), "is for detectors; give a `regex` a `validator` or `context` words"))
        if self.regex is not None:
            _searchable(self.regex, slow=self.slow)
        return self

    @model_validator(mode="after")
    def _says_how(self) -> Self:
        if self.action is Action.TRUNCATE and self.truncate_to is None:
            known = ", ".join(f"`{each}`" for each in BY_DETECTOR if each in DETECTORS)
            refuse((("action",), f"can be `truncate` for {known} alone; write `replace`, `mask` or `hash`"))
        return self

    @property
    def truncate_to(self) -> To | None:
        """What `truncate` leaves of what the detector finds."""
        return BY_DETECTOR.get(self.detector or "")

    @property
    def called(self) -> str:
        """As it is counted, and as tokens name it."""
        return self.detector or self.name or ""


class DenyRule(Settings):
    """Values that are taken wherever they stand: names of customers, projects, machines."""

    name: RuleName = Field(description="How it is counted, and what tokens say.")
    values: Annotated[tuple[DeniedValue, ...], Field(min_length=1)] = Field(
        description="Words or phrases, compared ignoring case. No letter or digit may stand directly beside one."
    )
    action: Literal[Action.REPLACE, Action.MASK, Action.HASH, Action.ENCRYPT] = Field(
        Action.REPLACE, description="What is done with the value."
    )
    keep_last: int = KEEP_LAST
    replacement: Template | None = REPLACEMENT
    mode: Mode = MODE
    scope: Scope = Field(default_factory=Scope, description="Where it applies; everywhere, if nothing is said.")

    @property
    def truncate_to(self) -> To | None:
        """Nothing is known of the value."""
        return None


class KeepRule(Settings):
    """Identifiers that patterns leave alone: the key *and* the shape must match."""

    names: Annotated[tuple[KeyName, ...], Field(min_length=1)] = Field(description="Names of identifiers.")
    shape: Shape = Field(description="A regular expression that the whole value must match.")


class Disable(Settings):
    """What a policy does not take over from those that it extends."""

    keys: tuple[KeyName, ...] = ()
    """Names of key rules."""
    patterns: tuple[str, ...] = ()
    """Names of pattern rules."""
    deny: tuple[str, ...] = ()
    """Names of deny rules."""
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
    mode: Mode = Field("enforce", description="`observe` counts findings and changes nothing, whatever the rules say.")
    keys: tuple[KeyRule, ...] = Field((), description="Names whose value is personal.")
    patterns: tuple[PatternRule, ...] = Field((), description="Detectors that find personal data by its shape.")
    deny: tuple[DenyRule, ...] = Field((), description="Values that are taken wherever they stand.")
    allow: Allow = Field(default_factory=Allow, description="Values that all patterns leave alone.")
    min_confidence: ConfidenceLevel = Field(
        "shape",
        description="How sure a finding of a pattern must be: `shape` (it looks like one), `context` (and a word "
        "beside it says so), `checksum` (its check digits are right, or its form is that of nothing else).",
    )
    regions: tuple[Region, ...] = Field(
        default_factory=tuple,
        description="Countries (two letters, such as `DE`; `NO` in quotes) whose phone numbers are found as they are "
        "dialled there, without country code and without a word beside them.",
    )
    keep: tuple[KeepRule, ...] = Field((), description="Identifiers that patterns leave alone.")
    hash: HashKey | None = Field(None, description="Needed as soon as a rule hashes.")
    encrypt: EncryptionKey | None = Field(None, description="Needed as soon as a rule encrypts.")

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        if self.extends:
            return self  # it is asked again once it is whole
        actions = [rule.action for rules in (self.keys, self.patterns, self.deny) for rule in rules]
        if Action.HASH in actions and self.hash is None:
            refuse((("hash",), "is missing, and a rule hashes; write `hash: {key: ${file:/path/to/key}}`"))
        if Action.ENCRYPT in actions and self.encrypt is None:
            refuse((("encrypt",), "is missing, and a rule encrypts; write `encrypt: {key: ${file:/path/to/key}}`"))
        return self

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with anything that changes the output, except the keys themselves."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]  # of a secret it has stars
