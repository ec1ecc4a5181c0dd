"""Every trigger of every detector fires wherever its locator accepts; and this test would tell if one did not.

What a locator accepts is drawn from the regular expressions that it looks with (and from the detector's examples,
changed), and mended until its check digits are right. It stands at the start or the end of a block, in text, in a JSON
string, behind an escape. An oracle asks the locator at every place; the plan must have reported there.
"""

import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import pytest
from engine import EXAMPLES, scrubber, thoroughly
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from scrubbers import Policy
from scrubbers.detectors import DETECTORS, context, network
from scrubbers.detectors.detector import FOLD, LEFT, TAIL, Detector, Span, Trigger
from scrubbers.encodings import decode
from scrubbers.plan import BASE64, END, GUARDED, KEY, WHAT, Plan

RELIES_ON_ITS_TRIGGER = (
    *("_email", "_url_password", "_http_credentials", "_slack", "_private_key", "_telegram", "_azure_key", "_hook"),
    "_assigned",
)
"""Locators that take for granted what their trigger saw: they are asked where its expression ends, in any spelling."""

GAPS = (context.GAP, context.NEAR, context.ASSIGNED, network._TO_MAC, b" ")
SIGNS = (b": ", b" = ", b": ", b"=", b" is ", b" ")
BEFORE = (b"", b"", b" ", b"(", b"x=", b'{"a":"', b'{"a":"b\\n', b"line\\t", "é".encode(), b"a, ", b"<", b"[")
BEHIND = (b"", b"", b" ", b", ", b")", b'"}', b"\\n", b";", b". ", b" x")
DIGITS, UPPER, LOWER = b"0123456789", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Watched:
    """One trigger of a detector."""

    detector: Detector
    trigger: Trigger

    @property
    def in_context(self) -> bool:
        return self.trigger.find.__module__ == context.__name__

    def accepted(self, text: bytes) -> list[Span]:
        """What the locator accepts in the text, asked at every place that a trigger of this kind could report."""
        spans = []
        for end in self._places(text):
            try:
                span = self.trigger.find(text, end)
            except IndexError:
                continue
            if span is not None:
                spans.append(span)
        return spans

    def _places(self, text: bytes) -> Iterator[int]:
        if self.in_context or self.trigger.find.__qualname__ in RELIES_ON_ITS_TRIGGER:
            flags = re.I if self.trigger.caseless else 0
            for match in re.finditer(b"(?=(" + self.trigger.expression + b"))", text, flags):
                yield match.end(1)
        else:
            yield from range(1, len(text))


def patterns(find: Callable[..., object]) -> list[re.Pattern[bytes]]:
    """The compiled expressions that a locator looks with: those it closes over, and those it names."""
    held = [cell.cell_contents for cell in find.__closure__ or ()]
    held += [find.__globals__.get(name) for name in find.__code__.co_names]  # type: ignore[attr-defined]
    found = [getattr(each, "__self__", each) for each in held]  # a bound `match`
    inner = [each for each in held if inspect.isfunction(each) and each.__module__ == find.__module__]
    deeper = [each for function in inner for each in patterns(function)]
    return [each for each in found if isinstance(each, re.Pattern) and isinstance(each.pattern, bytes)] + deeper


REGIONS = ("DE", "FR", "ES", "PL", "DK", "BR", "SG")
WATCHED = {
    name: tuple(Watched(detector, trigger) for trigger in detector.triggers) for name, detector in DETECTORS.items()
}
WATCHED["phone, in regions"] = tuple(
    Watched(DETECTORS["phone"], trigger) for trigger in DETECTORS["phone"].in_regions(REGIONS)
)


# What is drawn


@st.composite
def texts(draw: st.DrawFn, watched: Watched) -> bytes:
    """A text that the locator may accept."""
    core = draw(_in_context(watched) if watched.in_context else _by_shape(watched))
    return draw(st.sampled_from(BEFORE)) + core + draw(st.sampled_from(BEHIND)) + b"\n"


@st.composite
def _in_context(draw: st.DrawFn, watched: Watched) -> bytes:
    (pattern,) = {each.pattern: each for each in patterns(watched.trigger.find) if b"(" in each.pattern}.values()
    gap = next(each for each in GAPS if each in pattern.pattern)
    rest, _, value = pattern.pattern.partition(gap)
    word = _literal(watched.trigger.expression) + rest.removeprefix(b"(?i:").removesuffix(b")").replace(b"\\", b"")
    if watched.trigger.caseless:
        word = draw(_cased(word))
    signs = (b"",) if word[-1:] in b":= " else SIGNS
    thing = draw(st.one_of(*[_changed(_values(watched.detector))] * 3, _shape(value)))
    return word + draw(st.sampled_from(signs)) + thing


@st.composite
def _by_shape(draw: st.DrawFn, watched: Watched) -> bytes:
    literal = _literal(watched.trigger.expression)
    examples = tuple(each for each in _examples(watched.detector) if literal.lower() in each.lower())
    changed = _changed(examples or _examples(watched.detector))
    shapes = [_shape(each.pattern.removeprefix(LEFT)) for each in patterns(watched.trigger.find)]
    text = draw(st.one_of(*[changed] * 3, *shapes))
    cased = draw(_cased(literal)) if watched.trigger.caseless else literal
    if watched.trigger.guarded or literal.lower() in text.lower() or not _LITERAL(literal):
        return text if cased == literal else re.sub(re.escape(literal), lambda _: cased, text, flags=re.I)
    return cased + text


_LITERAL = re.compile(rb"[A-Za-z0-9_.:~/+$ -]{2,}").fullmatch


def _literal(expression: bytes) -> bytes:
    return re.sub(rb"\\(.)", rb"\1", expression, flags=re.S)


def _cased(word: bytes) -> st.SearchStrategy[bytes]:
    return st.sampled_from((word.upper(), word.title(), word.swapcase(), word.lower()))


@cache
def _shape(pattern: bytes) -> st.SearchStrategy[bytes]:
    return st.from_regex(pattern, fullmatch=True).filter(lambda text: b"\n" not in text and text.isascii())


@st.composite
def _changed(draw: st.DrawFn, examples: Sequence[bytes]) -> bytes:
    """One of the examples, some of its letters and digits exchanged for others of their kind."""
    rnd = draw(st.randoms(use_true_random=False))
    text, share, kinds = bytearray(rnd.choice(examples)), rnd.choice((0.0, 0.2, 0.9)), rnd.choice((3, 1))
    for at, byte in enumerate(text):
        kind = next((each for each in (DIGITS, UPPER, LOWER)[:kinds] if byte in each), None)
        if kind and rnd.random() < share:
            text[at] = rnd.choice(kind)
    return bytes(text)


@cache
def _examples(detector: Detector) -> tuple[bytes, ...]:
    return tuple(each.encode() for each in detector.must if "\n" not in each)


@cache
def _values(detector: Detector) -> tuple[bytes, ...]:
    """What is found in the examples."""
    spans = [
        (text, span) for text in _examples(detector) for one in WATCHED[detector.name] for span in one.accepted(text)
    ]
    return tuple(sorted({text[start:end] for text, (start, end) in spans}))


def mended(watched: Watched, text: bytes) -> bytes | None:
    """The text, if the locator accepts it; or with the last letters and digits of a value put right."""
    if watched.accepted(text):
        return text
    if not (watched.in_context or watched.trigger.guarded):
        return None  # the others have no check digits
    places = [at for at, byte in enumerate(text) if byte in DIGITS + UPPER][::-1]
    for last in places[:2]:
        pair = [at for at in (last, last - 1) if text[at] in DIGITS + UPPER]
        for chars in product(*((DIGITS if text[at] in DIGITS else UPPER) for at in pair)):
            changed = bytearray(text)
            for at, char in zip(pair, chars, strict=True):
                changed[at] = char
            if watched.accepted(bytes(changed)):
                return bytes(changed)
    return None


# What the plan reports


def plan_of(detector: Detector, triggers: Iterable[Trigger]) -> Plan:
    """A plan with one detector alone, and these triggers of it."""
    name, detector = detector.name, replace(detector, triggers=tuple(triggers))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DETECTORS, name, detector)
        return Plan(Policy.model_validate({"patterns": [{"detector": name}]}))


def missed(plan: Plan, text: bytes, spans: Sequence[Span]) -> list[Span]:
    """Those of the spans that the engine would not come upon: none, if it decodes the record anyway."""
    found: list[Span] = []
    for hit in plan.scan(text):
        end, what = hit >> END, hit & WHAT
        if what <= BASE64:
            if decode(text) != text:
                return []
        elif what < KEY:
            looking = (
                plan.ask(text[max(0, end - TAIL) : end].translate(FOLD)) if what == GUARDED else plan.finders[what]
            )
            found += [span for find, *_ in looking if (span := find(text, end))]
    return [(start, end) for start, end in spans if not any(low <= start and end <= high for low, high in found)]


# The tests


@pytest.mark.parametrize("name", WATCHED)
def test_a_trigger_fires_wherever_its_locator_accepts(name: str) -> None:
    plan = plan_of(WATCHED[name][0].detector, [each.trigger for each in WATCHED[name]])
    for watched in WATCHED[name]:
        for text in samples(watched):
            assert missed(plan, text, watched.accepted(text)) == [], (text, watched.trigger.expression)


@pytest.mark.parametrize("name", WATCHED)
def test_a_trigger_that_were_narrower_would_be_caught(name: str) -> None:
    """One that were not there, minded case, or knew fewer digits or letters: in the whole of it, or in its tail."""
    for watched in WATCHED[name]:
        others = [each.trigger for each in WATCHED[name] if each is not watched]
        for what, narrow in narrowed(watched.trigger):
            plan = plan_of(watched.detector, [*others, *([narrow] if narrow else [])])
            caught = [text for text in samples(watched) if missed(plan, text, watched.accepted(text))]
            assert caught, (what, watched.trigger.expression)


def narrowed(trigger: Trigger) -> Iterator[tuple[str, Trigger | None]]:
    yield "gone", None
    if trigger.caseless and trigger.expression.lower() != trigger.expression.upper():
        yield "case", replace(trigger, caseless=False)
    if trigger.guarded:
        for known, fewer in ((b"0-9", b"1-9"), (b"0-9", b"0-8"), (b"A-Z", b"B-Z")):
            if known in trigger.expression:
                yield f"{fewer.decode()} in it", replace(trigger, expression=trigger.expression.replace(known, fewer))
        yield "a tail", replace(trigger, tail=rb"[^0-9]{6}")


WORDS = tuple(
    _literal(each.trigger.expression).decode()
    for name in ("phone", "date_of_birth", "bank_account", "us_routing_number", "uk_sort_code", "bic", "mac_address")
    for each in WATCHED[name]
    if each.in_context
)
NUMBERS = st.one_of(
    st.sampled_from(("31926819", "111000025", "601613", "19850302", "4155550134", "4111111111111111")),
    st.integers(-(10**18), 10**18).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)


@thoroughly
@given(word=st.sampled_from(WORDS), number=NUMBERS, regions=st.booleans())
def test_a_number_beside_a_word_leaves_valid_json(word: str, number: str, regions: bool) -> None:
    records = (
        f'{{"{word}":{number},"n":{number}}}',
        f'{{"a":"{word}: ","n":{number},"l":["{word}",{number},{number}]}}',
        f'{{"a":"{word} {number}","b":{{"{word} number": {number} }}}}',
        json.dumps({"log": f'{{"{word}": {number}, "a":"{word}={number}"}}'}),
    )
    for record in records:
        after = json.loads(scrubber("regions" if regions else "default").scrub(f"{record}\n".encode()).body)
        assert isinstance(after, dict)
        assert isinstance(json.loads(after["log"]), dict) if "log" in after else True


@cache
def samples(watched: Watched) -> list[bytes]:
    """Texts that the locator accepts."""
    kept: list[bytes] = []

    @settings(
        deadline=None,
        derandomize=True,
        max_examples=(120 if watched.trigger.guarded else 10) * max(1, EXAMPLES // 1000),
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(texts(watched))
    def collect(text: bytes) -> None:
        whole = mended(watched, text)
        assume(whole is not None)
        assert whole is not None
        kept.append(whole)

    collect()
    return kept
