"""Compiles a policy into the trigger databases (tier 1). The only module that knows Hyperscan.

A trigger may say yes too often, never no wrongly. What it costs is bytes × automata + reports, so
- spellings of keys and other literals share one literal matcher: thousands of literals cost as much as one;
- guarded shapes are joined into one automaton; each more would cost one more pass over the block;
- what else has a rare literal inside stands apart, each in a database of its own: a search for that literal, at
  memory speed. Beside others Hyperscan no longer sees the literal.
"""

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import hyperscan

from scrubbers.actions import Action, Canonical, Replacer, label, own_tokens, replacer, token, tokens
from scrubbers.detectors import DETECTORS
from scrubbers.detectors.detector import GUARD, Confidence, Find, Span, Trigger, never
from scrubbers.emission import emit
from scrubbers.encodings import BASE64_INTRODUCER, INTRODUCERS
from scrubbers.matching import Budget, Matcher, Unscrubbable
from scrubbers.otlp.trigger import WireTrigger, in_number
from scrubbers.own_patterns import OwnPattern
from scrubbers.paths import Names
from scrubbers.policy import Allow, DenyRule, PatternRule, Policy
from settings import Problem, SettingsError

Hit: TypeAlias = int  # the end of the report << END | what was seen, one of:

END = 20
WHAT = (1 << END) - 1
INTRODUCER = 0  # something encoded: the record is decoded and scanned again
BASE64 = 1  # so, too, where base64 begins; up to here nothing is personal yet
GUARDED = 2  # one of the guarded shapes; from here to KEY: index into Plan.finders
KEY = 1 << 18  # and above: a spelling of a personal key's last segment


@dataclass(slots=True, frozen=True, eq=False)  # counted by identity
class Rule:
    """A rule of the policy, ready to run."""

    name: str  # as counted: `key:password`, `email`
    action: str
    replace: Replacer
    token: bytes  # what stands for a value that is more than text
    delete: bool = False
    bare: bool = False  # what it finds can be a JSON number
    denied: bool = False  # wins over `keep`
    include: Names | None = None  # keys in whose values alone it finds something
    exclude: Names | None = None  # keys in whose values it finds nothing

    @property
    def by_path(self) -> bool:
        """Whether it depends on the path: only the reference path knows that."""
        return self.include is not None or self.exclude is not None

    def applies(self, path: Sequence[bytes]) -> bool:
        """Whether it applies in the value of the key at this path (as `Names` takes it), or anywhere below."""
        return (self.include is None or _at_or_below(self.include, path)) and (
            self.exclude is None or not _at_or_below(self.exclude, path)
        )

    @property
    def rank(self) -> int:
        """Which of two that find the same wins: the lower one."""
        return 0 if self.denied else 1 if self.name.startswith("key:") else 2

    @property
    def partial(self) -> bool:
        """Whether a part of the value stays, and is looked at again."""
        return self.action in _PARTIAL


Finder: TypeAlias = tuple[Find, Rule, bytes | None, bool]
"""Finds a span, by which rule; what stands in its place where nothing more needs to be asked: anywhere, or only behind
a word (the value of no key, and no JSON number)."""


class Plan:
    """A policy made ready: databases, rules, names. Built once per process; scanning releases the GIL."""

    def __init__(self, policy: Policy) -> None:
        if policy.extends:
            raise ValueError("a policy that extends others is made whole by load_policy")
        named = [(name, rule) for rule in policy.keys for name in rule.names]
        self.budget = Budget()
        self.keep_names = Names(rule.names for rule in policy.keep)
        self.names = Names(((name,) for name, _ in named), undecided=self.keep_names)
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
        self.keep_tails = self.keep_names.tails
        """The last three bytes of every spelling that a kept key can end in."""
        self.keep_by_rule = [Names([rule.names]) for rule in policy.keep]
        self.keep_shapes = [
            re.compile(rule.shape.encode()).fullmatch  # simple, and much faster
            if _HEX_SHAPE.fullmatch(rule.shape)
            else Matcher(rule.shape, self.budget).fullmatch
            for rule in policy.keep
        ]
        self.keeps_all = not all(_HEX_SHAPE.fullmatch(rule.shape) for rule in policy.keep)
        """Whether a kept value can hold more than hexadecimal digits and dashes."""
        self.finders: list[tuple[Finder, ...]] = [(), ()]
        self.own: list[tuple[OwnPattern, Rule]] = []
        """The patterns that the policy brings along."""
        self._guarded: list[tuple[re.Pattern[bytes], Finder]] = []
        self.asked: dict[bytes, tuple[Finder, ...]] = {}
        """The finders of guarded shapes, by the bytes before the report's end, folded, as far as met: see `ask`."""
        self.keys: list[tuple[int, int | None]] = []
        """By what was seen, less KEY: the length of the spelling, and the rule if it decides by itself."""
        self._databases, self._beyond, self._together = self._compile(policy)
        self.by_path = any(rule.by_path for finders in self.finders for _, rule, *_ in finders)
        """Whether a rule asks in the value of which key a thing stands."""
        self._local = threading.local()
        self.rules = list(dict.fromkeys([*self.key_rules, *(rule for each in self.finders for _, rule, *_ in each)]))
        texts = {rule.token for rule in self.rules}
        self.own_token = own_tokens((label(rule.name.removeprefix("key:")) for rule in self.rules), texts)
        self.token = tokens(texts)
        """Matches the tokens of this policy."""
        for own, _ in self.own:
            own.token = self.own_token

    def _compile(
        self, policy: Policy
    ) -> tuple[list[hyperscan.Database], hyperscan.Database | None, hyperscan.Database]:
        """The databases: for all blocks; for those with bytes beyond ASCII in them, besides; for short blocks alone."""
        watched = [each for pattern in policy.patterns if pattern.detector for each in self._watched(pattern, policy)]
        guarded = [(trigger, finder) for trigger, finder in watched if trigger.guarded]
        self.finders.append(tuple(finder for _, finder in guarded))  # GUARDED
        self._guarded = [(re.compile(b"(?:" + trigger.tail + rb")\Z"), finder) for trigger, finder in guarded]
        # Ids of their own: Hyperscan looks for duplicates among expressions that share one, in quadratic time.
        spellings = _shortest(self.names.endings)
        self.keys = [(len(spelling), self.names.decided.get(spelling)) for spelling in spellings]
        literals: list[_Expression] = [
            (re.escape(spelling), what, True) for what, spelling in enumerate(spellings, KEY)
        ]
        first = len(self.finders)
        for piece in _shortest(self.names.pieces):
            self.finders.append(((_in_key, _PIECE, None, False),))
            literals.append((re.escape(piece), len(self.finders) - 1, True))
        self.pieces = range(first, len(self.finders))
        """What is seen where a key may stand that is personal for a part of its name."""
        for denied in policy.deny:
            for expression, finder in _denied(denied, policy):
                self.finders.append((finder,))
                literals.append((expression, len(self.finders) - 1, True))
        first = len(self.finders)
        expressions: list[_Expression] = []
        for pattern in policy.patterns:
            if pattern.regex is not None:
                own, rule = self._own(pattern, policy)
                self.own.append((own, rule))
                self.finders.append(((own.find, rule, None, False),))
                expressions.append((emit(pattern.regex).expression, len(self.finders) - 1, False))
                _checked(pattern, expressions[-1])
        self.owns = range(first, len(self.finders))
        """What is seen where a pattern of the policy may find something: `own`, in this order."""
        assert len(self.finders) < KEY
        joined = [(GUARD + BASE64_INTRODUCER, BASE64, False)]
        if guarded:
            shapes = sorted({trigger.expression for trigger, _ in guarded})
            joined.append((GUARD + b"(?:" + b"|".join(shapes) + b")", GUARDED, False))
        apart: list[list[_Expression]] = [joined]
        for introducer in INTRODUCERS:
            watching = (introducer, INTRODUCER, False)
            if _LITERAL.fullmatch(introducer):
                literals.append(watching)
            else:
                apart.append([watching])
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
        plain, beyond = ([each for each in literals if _needs_more(each) is more] for more in (False, True))
        beyond += [group.pop() for group in apart if _needs_more(group[0])]
        groups = [each for each in (plain, *apart, expressions) if each]
        instead = {trigger.expression: trigger.wire for trigger, _ in watched if trigger.wire}
        numbers = bool(expressions) or any(in_number(value) for rule in policy.deny for value in rule.values)
        self.wire = WireTrigger(
            [*groups, beyond],
            _compiled,
            instead=instead,
            harmless={trigger.expression: trigger.harmless for trigger, _ in watched if trigger.harmless},
            shapes=sorted({trigger.expression for trigger, _ in guarded}),
            shape=GUARDED,
            numbers=numbers,
            key=KEY,
        )
        """Sees the same in messages of protobuf."""
        together = _database([each for group in (*groups, beyond) for each in group])
        return [_database(group) for group in groups], _database(beyond) if beyond else None, together

    def _watched(self, pattern: PatternRule, policy: Policy) -> Iterator[tuple[Trigger, Finder]]:
        detector = DETECTORS[pattern.detector or ""]
        rule = _rule(pattern, policy, detector.canonical, bare=detector.bare)
        at_once = (
            pattern.action is Action.REPLACE
            and not self.keeps_all
            and not rule.by_path
            and not (pattern.allow.shapes or policy.allow.shapes)
            and (detector.unmistakable or not _words_own_tokens(policy))
        )
        allowed = self._allowed(detector.canonical, detector.documented, pattern.allow, policy.allow)
        sure = Confidence[(pattern.min_confidence or policy.min_confidence).upper()]
        for trigger in (*detector.triggers, *detector.in_regions(policy.regions)):
            if trigger.confidence >= sure:
                find = trigger.find if allowed is None else _but(trigger.find, allowed)
                yield trigger, (find, rule, rule.token if at_once else None, detector.unmistakable)

    def _own(self, pattern: PatternRule, policy: Policy) -> tuple[OwnPattern, Rule]:
        rule = _rule(pattern, policy, bytes, bare=True)
        own = OwnPattern(
            Matcher(pattern.regex or "", self.budget),
            slow=pattern.slow or rule.partial,
            validator=pattern.validator,
            context=pattern.context,
            allowed=self._allowed(bytes, never, pattern.allow, policy.allow),
        )
        return own, rule

    def _allowed(
        self, canonical: Canonical, published: Callable[[bytes], bool], *allows: Allow
    ) -> Callable[[bytes], bool] | None:
        """Whether a value that was found is allowed; None: none is."""
        values = frozenset(canonical(value.encode()) for allow in allows for value in allow.values)
        shapes = [Matcher(shape, self.budget) for allow in allows for shape in allow.shapes]
        documented = next((each.documented for each in allows if "documented" in each.model_fields_set), False)
        if not (values or shapes or documented):
            return None

        def allowed(value: bytes) -> bool:
            form = canonical(value)
            return form in values or (documented and published(value)) or any(shape.fullmatch(form) for shape in shapes)

        return allowed

    def kept(self, path: Sequence[bytes], value: bytes) -> bool:
        """Whether the value of the key at this path is an identifier that patterns leave alone."""
        return any(
            names.rule(path) is not None and fits(value)
            for names, fits in zip(self.keep_by_rule, self.keep_shapes, strict=True)
        )

    def scan(self, text: bytes) -> list[Hit]:
        """Everything in `text` that may be personal or encoded, sorted by where it ends."""
        hits: list[Hit] = []
        append = hits.append

        def report(what: int, _start: int, end: int, _flags: int, _context: object) -> None:
            append(end << END | what)

        together, beyond, apart = self._ready()
        if len(text) < _SHORT:
            together(text, report)
        else:
            for scan in apart:
                scan(text, report)
            if not text.isascii():
                beyond(text, report)
        hits.sort()
        return hits

    def ask(self, tail: bytes) -> tuple[Finder, ...]:
        """Whom to ask where one of the guarded shapes was reported behind these bytes (TAIL of them, by FOLD)."""
        if len(self.asked) > _MOST_ASKED:
            self.asked.clear()
        self.asked[tail] = found = tuple(finder for looks, finder in self._guarded if looks.search(tail))
        return found

    def _ready(self) -> tuple["_Scan", "_Scan", list["_Scan"]]:
        """The databases, each with Hyperscan's working space of this thread: two scans at a time must not share one."""
        try:
            mine: tuple[_Scan, _Scan, list[_Scan]] = self._local.ready
        except AttributeError:
            beyond = _scan(self._beyond) if self._beyond else _no_scan
            mine = _scan(self._together), beyond, [_scan(database) for database in self._databases]
            self._local.ready = mine
        return mine


def _words_own_tokens(policy: Policy) -> bool:
    """Whether it says what some tokens look like: something may be found within those."""
    return any(rule.replacement for rules in (policy.keys, policy.patterns, policy.deny) for rule in rules)


def _rule(pattern: PatternRule, policy: Policy, canonical: Canonical, *, bare: bool) -> Rule:
    paths = pattern.scope
    return Rule(
        pattern.called,
        pattern.action.value,
        replacer(pattern, label(pattern.called), canonical, policy),
        token(label(pattern.called), pattern.replacement),
        bare=bare,
        include=Names([paths.include]) if paths.include else None,
        exclude=Names([paths.exclude]) if paths.exclude else None,
    )


def _checked(pattern: PatternRule, expression: "_Expression") -> None:
    """Raise SettingsError if Hyperscan takes no such expression."""
    try:
        _database([expression])
    except hyperscan.error:
        wrong = "is too large to be looked for; count fewer repeats, or write fewer alternatives"
        raise SettingsError([Problem("policy", 0, 0, f"patterns.{pattern.called}.regex", wrong)]) from None


def _but(find: Find, allowed: Callable[[bytes], bool]) -> Find:
    """What is found, but for what is allowed; an empty span where that takes too long to tell."""

    def found(text: bytes, end: int) -> Span | None:
        span = find(text, end)
        try:
            return None if span is None or allowed(text[span[0] : span[1]]) else span
        except Unscrubbable:
            return end, end

    return found


def _denied(rule: DenyRule, policy: Policy) -> Iterator[tuple[bytes, Finder]]:
    """A literal for each value, and for each way of writing letters beyond ASCII, where `caseless` does not reach."""
    replace = replacer(rule, label(rule.name), bytes.lower, policy)
    ready = Rule(
        rule.name, rule.action.value, replace, token(label(rule.name), rule.replacement), bare=True, denied=True
    )
    values = {form(value) for value in rule.values for form in (str.lower, str.upper, str.title, str)}
    for value in sorted({value.encode() if not value.isascii() else value.lower().encode() for value in values}):
        yield re.escape(value), (_word(value), ready, None, False)


def _word(value: bytes) -> Find:
    """A literal whose report ended at `end`, if no letter or digit stands directly beside it."""
    size = len(value)
    left, right = value[0] in _ALNUM, value[-1] in _ALNUM

    def found(text: bytes, end: int) -> Span | None:
        start = end - size
        if right and text[end] in _ALNUM:
            return None
        if left and start and text[start - 1] in _ALNUM:
            escape = start > 1 and text[start - 2] == 0x5C and text[start - 1] in b"bfnrt"
            return (start, end) if escape else None
        return start, end

    return found


def _in_key(text: bytes, end: int) -> Span | None:
    """An empty span where what ended at `end` may stand in a key: something follows that a key is followed by."""
    return (end, end) if _KEY_AHEAD(text, end) else None


_KEY_AHEAD = re.compile(rb"[^\n\"'=:]{0,4096}(?:[\"'](?:[ \t\r]|\\+[nrt])*[:=]|[:=]|[^\n\"'])").match
_PIECE = Rule("", "", bytes, token("key"))


def _at_or_below(names: Names, path: Sequence[bytes]) -> bool:
    return any(names.rule(path[at:]) is not None for at in range(len(path)))


def _shortest(spellings: Iterable[bytes]) -> list[bytes]:
    """Those that no other one of them is the end of: what ends in another is reported with it."""
    known = set(spellings)
    return sorted(each for each in known if not any(each[at:] in known for at in range(1, len(each))))


_ALNUM = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_PARTIAL = (Action.MASK.value, Action.TRUNCATE.value)
_MOST_ASKED = 4096
_SHORT = 4096  # bytes: below, one slower scan costs less than several calls
_HEX_SHAPE = re.compile(r"(?:[-|]|\[0-9a-f\]|\[0-9a-fA-F\]|\[0-9A-F\]|\[0-9\]|\\d|\{[0-9]+(?:,[0-9]*)?\})*")
_LITERAL = re.compile(rb"(?:[^\[\](){}.*+?|^$\\]|\\[^a-zA-Z0-9]){3,}")  # shorter ones would slow the others down
_BEYOND = re.compile(rb"(?:\[?(?:\\x[89a-f][0-9a-f])+\]?)+")  # without repeats or alternatives
_Expression: TypeAlias = tuple[bytes, int, bool]  # expression, what it reports, caseless
_Report: TypeAlias = Callable[[int, int, int, int, object], None]
_Scan: TypeAlias = Callable[[bytes, _Report], None]


def _needs_more(expression: _Expression) -> bool:
    """Whether it is a literal with a byte beyond ASCII in it, or such bytes alone."""
    text = expression[0]
    return (_LITERAL.fullmatch(text) is not None and not text.isascii()) or _BEYOND.fullmatch(text) is not None


def _scan(database: hyperscan.Database) -> _Scan:
    scratch = hyperscan.Scratch(database)
    return lambda text, report: database.scan(text, report, 0, None, scratch)


def _compiled(expressions: list[_Expression]) -> "Callable[[], _Scan]":
    database = _database(expressions)
    return lambda: _scan(database)


def _no_scan(_text: bytes, _report: _Report) -> None:
    """Nothing of it is asked for."""


def _database(expressions: list[_Expression]) -> hyperscan.Database:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[expression for expression, _, _ in expressions],
        ids=[what for _, what, _ in expressions],
        elements=len(expressions),
        flags=[hyperscan.HS_FLAG_CASELESS if caseless else 0 for _, _, caseless in expressions],
    )
    return database
