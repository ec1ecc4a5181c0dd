"""Compiles a policy into the trigger databases (tier 1). The only module that knows Hyperscan.

A trigger may say yes too often, never no wrongly. What it costs is bytes × automata + reports, so
- spellings of keys and other literals share one literal matcher: thousands of literals cost as much as one;
- guarded shapes are joined into one automaton; each more would cost one more pass over the block;
- what else has a rare literal inside stands apart, each in a database of its own: a search for that literal, at
  memory speed. Beside others Hyperscan no longer sees the literal.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

import hyperscan

from scrubbers.actions import Action, Replacer, label, replacer, token, tokens
from scrubbers.detectors import DETECTORS
from scrubbers.detectors.detector import Find, Trigger
from scrubbers.paths import Names
from scrubbers.policy import Policy

Hit: TypeAlias = int  # the end of the report << END | what was seen, one of:

END = 20
WHAT = (1 << END) - 1
INTRODUCER = 0  # something encoded: the record is decoded and scanned again
GUARDED = 1  # one of the guarded shapes; from here to KEY: index into Plan.finders
KEY = 1 << 12  # and above: a spelling of a personal key's last segment

# What tells that something is encoded, by the rare byte in it: JSON escapes (`\/` of a URL, `\n` before what a guarded
# shape begins with), percent-encoding. No introducer in a record: decoding it is the identity.
_INTRODUCERS = (rb"\\(?:u|/|[bfnrt][0-9A-Z+])", rb"%[0-9a-fA-F][0-9a-fA-F]")


@dataclass(slots=True, frozen=True, eq=False)  # counted by identity
class Rule:
    """A rule of the policy, ready to run."""

    name: str  # as counted: `key:password`, `email`
    action: str
    replace: Replacer
    token: bytes  # what stands for a value that is more than text
    delete: bool = False
    bare: bool = False

    @property
    def partial(self) -> bool:
        """Whether a part of the value stays, and is looked at again."""
        return self.action in _PARTIAL


Finder: TypeAlias = tuple[Find, Rule, bytes | None]
"""Finds a span, by which rule; and what always stands in its place, where nothing more needs to be asked."""


class Plan:
    """A policy made ready: databases, rules, names. Built once per process; scanning releases the GIL."""

    def __init__(self, policy: Policy) -> None:
        if policy.extends:
            raise ValueError("a policy that extends others is made whole by load_policy")
        named = [(name, rule) for rule in policy.keys for name in rule.names]
        self.names = Names((name,) for name, _ in named)
        self.key_rules = [
            Rule(
                name=f"key:{name}",
                action=rule.action.value,
                replace=replacer(rule, label(name), bytes.lower, policy),
                token=token(label(name), rule.replacement),
                delete=rule.action is Action.DELETE,
            )
            for name, rule in named
        ]
        self.keep_names = Names(rule.names for rule in policy.keep)
        self.keep_tails = frozenset(name[-3:] for name in self.keep_names.lasts)
        """The last three bytes of every spelling that a kept key can end in."""
        self.keep_by_rule = [Names([rule.names]) for rule in policy.keep]
        self.keep_shapes = [re.compile(rule.shape.encode()) for rule in policy.keep]
        self.keeps_all = not all(_HEX_SHAPE.fullmatch(rule.shape) for rule in policy.keep)
        """Whether a kept value can hold more than hexadecimal digits and dashes."""
        self.finders: list[tuple[Finder, ...]] = [()]
        self.guarded: dict[int, tuple[Finder, ...]] = {}
        """The finders of guarded shapes, by the sixth byte from the report's end << 8 | its last byte."""
        self.keys: list[tuple[int, int | None]] = []
        """By what was seen, less KEY: the length of the spelling, and the rule if it decides by itself."""
        self._databases, self._together = self._compile(policy)
        found_by = [rule for finders in self.finders for _, rule, _ in finders]
        self.token = tokens(rule.token for rule in (*self.key_rules, *found_by))
        """Matches the tokens of this policy."""

    def _compile(self, policy: Policy) -> tuple[list[hyperscan.Database], hyperscan.Database]:
        watched: list[tuple[Trigger, Finder]] = []
        for pattern in {rule.name: rule for rule in reversed(policy.patterns)}.values():  # the first of a name decides
            detector = DETECTORS[pattern.detector]
            replace = replacer(pattern, label(detector.name), detector.canonical, policy)
            constant = token(label(detector.name), pattern.replacement)
            rule = Rule(detector.name, pattern.action.value, replace, constant, bare=detector.bare)
            at_once = detector.unmistakable and pattern.action is Action.REPLACE and not self.keeps_all
            watched += [
                (trigger, (trigger.find, rule, rule.token if at_once else None)) for trigger in detector.triggers
            ]

        guarded = [(trigger, finder) for trigger, finder in watched if trigger.guarded]
        self.finders.append(tuple(finder for _, finder in guarded))  # GUARDED
        for trigger, finder in guarded:
            for sixth, last in product(trigger.sixth, trigger.last):
                self.guarded[sixth << 8 | last] = (*self.guarded.get(sixth << 8 | last, ()), finder)
        # Ids of their own: Hyperscan looks for duplicates among expressions that share one, in quadratic time.
        spellings = _shortest(self.names.lasts)
        self.keys = [(len(spelling), self.names.decided.get(spelling)) for spelling in spellings]
        literals: list[_Expression] = [
            (re.escape(spelling), what, True) for what, spelling in enumerate(spellings, KEY)
        ]
        apart: list[list[_Expression]] = [[(introducer, INTRODUCER, False)] for introducer in _INTRODUCERS]
        if guarded:
            joined = b"|".join(sorted({trigger.expression for trigger, _ in guarded}))
            apart.append([(b"(?:^|[^0-9A-Za-z])(?:" + joined + b")", GUARDED, False)])
        others: dict[tuple[bytes, bool], list[Finder]] = {}
        for trigger, finder in watched:
            if not trigger.guarded:
                others.setdefault((trigger.expression, trigger.caseless), []).append(finder)
        for (expression, caseless), finders in others.items():
            self.finders.append(tuple(finders))
            watching = (expression, len(self.finders) - 1, caseless)
            if _LITERAL.fullmatch(expression):
                literals.append(watching)
            else:
                apart.append([watching])
        groups = [expressions for expressions in (literals, *apart) if expressions]
        return [_database(expressions) for expressions in groups], _database(
            [each for group in groups for each in group]
        )

    def kept(self, path: Sequence[bytes], value: bytes) -> bool:
        """Whether the value of the key at this path is an identifier that patterns leave alone."""
        return any(
            names.rule(path) is not None and shape.fullmatch(value)
            for names, shape in zip(self.keep_by_rule, self.keep_shapes, strict=True)
        )

    def scan(self, text: bytes) -> list[Hit]:
        """Everything in `text` that may be personal or encoded, sorted by where it ends."""
        hits: list[Hit] = []
        append = hits.append

        def report(what: int, _start: int, end: int, _flags: int, _context: object) -> None:
            append(end << END | what)

        if len(text) < _SHORT:
            self._together.scan(text, match_event_handler=report)
        else:
            for database in self._databases:
                database.scan(text, match_event_handler=report)
        hits.sort()
        return hits


def _shortest(spellings: Iterable[bytes]) -> list[bytes]:
    """Those that no other one of them is the end of: what ends in another is reported with it."""
    known = set(spellings)
    return sorted(each for each in known if not any(each[at:] in known for at in range(1, len(each))))


_PARTIAL = (Action.MASK.value, Action.TRUNCATE.value)
_SHORT = 4096  # bytes: below, one slower scan costs less than several calls
_HEX_SHAPE = re.compile(r"(?:[-|]|\[0-9a-f\]|\[0-9a-fA-F\]|\[0-9A-F\]|\[0-9\]|\\d|\{[0-9]+(?:,[0-9]*)?\})*")
_LITERAL = re.compile(rb"(?:[^\[\](){}.*+?|^$\\]|\\[^a-zA-Z0-9]){3,}")  # shorter ones would slow the others down
_Expression: TypeAlias = tuple[bytes, int, bool]  # expression, what it reports, caseless


def _database(expressions: list[_Expression]) -> hyperscan.Database:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[expression for expression, _, _ in expressions],
        ids=[what for _, what, _ in expressions],
        elements=len(expressions),
        flags=[hyperscan.HS_FLAG_CASELESS if caseless else 0 for _, _, caseless in expressions],
    )
    return database
