"""What is looked for reports inside of everything that a person's expression matches: by chance, and by hand."""

import json
from typing import TypeAlias

import hyperscan
import pytest
import regex
from engine import thoroughly
from hypothesis import assume, given
from hypothesis import strategies as st

from scrubbers.emission import LEAST, emit

LETTERS = 'abkKsSé7 -_.\n\t"\\/{ſ'

# Expressions together with a text that they match (but for what looks around).
Pair: TypeAlias = tuple[str, str]
atoms = st.sampled_from([
    ("a", "a"), ("b", "b"), ("k", "k"), ("S", "S"), ("é", "é"), ("7", "7"), ("-", "-"), (r"\.", "."), (r"\n", "\n"),
    (r"\t", "\t"), ('"', '"'), (r"\\", "\\"), ("/", "/"), (".", "é"), (r"\d", "7"), (r"\w", "é"), (r"\W", "\n"),
    (r"\s", "\t"), (r"\S", "ſ"), ("[ab]", "b"), ("[^a]", '"'), ("[a-z]", "k"), (r"[^\W\d_]", "é"), (r"[\s\S]", "\n"),
    ("[é7]", "é"), (r"\{", "{"), ("ſ", "ſ"), (r"\p{L}", "S"), (r"\x61", "a"), ("[[:alpha:]]", "K"),
])  # fmt: skip
around = st.sampled_from(
    [(each, "") for each in (r"\b", r"\B", "^", "$", r"\A", r"\Z", "(?=a)", "(?!b)", "(?<=k)", "(?<!s)", r"\m", r"\M")]
)
repeats = st.sampled_from([
    ("?", 0), ("*", 5), ("+", 1), ("{2}", 2), ("{2,3}", 3), ("{3,}", 4), ("*?", 2), ("+?", 1), ("++", 3), ("{0,2}", 1),
    ("{1,40}", 35),
])  # fmt: skip


def row(pairs: list[Pair]) -> Pair:
    return "".join(each for each, _ in pairs), "".join(text for _, text in pairs)


def _joined(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    rows = st.lists(inner, min_size=1, max_size=4).map(row)
    return st.one_of(
        rows,
        st.lists(rows, min_size=1, max_size=3).map(
            lambda ways: ("(?:" + "|".join(w for w, _ in ways) + ")", ways[-1][1])
        ),
        st.builds(
            lambda head, each: (f"({head}{each[0]})", each[1]), st.sampled_from(["", "?:", "?>", "?i:", "?s:"]), rows
        ),
        st.builds(lambda each, count: (f"(?:{each[0]}){count[0]}", each[1] * count[1]), rows, repeats),
    )


repeated = st.builds(lambda atom, count: (atom[0] + count[0], atom[1] * count[1]), atoms, repeats)
expressions = st.builds(
    lambda flags, parts: (flags + row(parts)[0], row(parts)[1]),
    st.sampled_from(["", "", "(?i)", "(?s)", "(?m)", "(?a)", "(?ia)"]),
    st.lists(st.recursive(st.one_of(atoms, repeated, around), _joined, max_leaves=6), min_size=1, max_size=4),
)
texts = st.text(st.sampled_from(LETTERS), max_size=12)


def ends(expression: bytes, text: bytes) -> list[int]:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(expressions=[expression], ids=[0], elements=1, flags=[0])
    found: list[int] = []
    database.scan(text, match_event_handler=lambda _id, _start, end, _flags, _context: found.append(end))
    return sorted(set(found))


@thoroughly
@given(pair=expressions, before=texts, after=texts)
def test_each_match_has_a_report_inside(pair: Pair, before: str, after: str) -> None:
    expression, sample = pair
    try:
        pattern = regex.compile(expression, regex.VERSION0)
        emitted = emit(expression)
    except (regex.error, ValueError):
        assume(False)
    assume(emitted.width >= LEAST)
    text = before + sample + after
    try:
        matches = [match.span() for match in pattern.finditer(text, timeout=0.5) if match[0]]
        reported = ends(emitted.expression, text.encode())
    except (TimeoutError, hyperscan.error):  # too large is refused, too slow is bounded: see test_policy_rules.py
        assume(False)
    for start, end in matches:
        first, last = len(text[:start].encode()), len(text[:end].encode())
        assert any(first < at <= last for at in reported), (emitted, text[start:end])
    written = json.dumps(text, ensure_ascii=False)[1:-1].encode()
    if matches and b"\\u" not in written:  # else it is decoded and looked at again
        assert ends(emitted.expression, written)
        twice = json.dumps(written.decode(), ensure_ascii=False)[1:-1].encode()
        assert ends(emitted.expression, twice)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (r"EMP\d{5}", "EMP12345"),
        (r"(?i)straße", "STRAẞE"),
        (r"(?i)kilo", "\u212ailo"),
        (r"\d{4}", "١٢٣٤"),
        (r"[^a]bcd", "ébcd"),
        (r"(?<=id: )\w{8}", "id: abcdefgh"),
        (r"(?:foo){e<=1}bar12", "fobar12"),
        (r"(a.c)\1", "abcabc"),
        (r"(?x) a b c  # a comment", "abc"),
        (r"abc|defg|(?:x{3})", "xxx"),
        (r"a{2,}b{1,100}c", "aaa" + "b" * 90 + "c"),
        (r"ab\tcd", "ab\tcd"),
        (r'x="y"', 'x="y"'),
        (r"C:\\temp", "C:\\temp"),
        (r"customer\s+id", "customer\tid"),
        (r"abc(?(?=d)def|x)", "abcdef"),
        (r"\Ax.z\Z", "xyz"),
    ],
)
def test_by_hand(expression: str, text: str) -> None:
    assert regex.search(expression, text, regex.VERSION0)
    emitted = emit(expression)
    assert emitted.width >= LEAST
    assert ends(emitted.expression, text.encode())
    assert ends(emitted.expression, json.dumps(text, ensure_ascii=False).encode())


def test_a_report_comes_once_for_each_thing_where_that_can_be() -> None:
    assert ends(emit(r"\bcust-\d+\b").expression, b"a cust-123456 b cust-7 c") == [8, 22]
    assert ends(emit(r"[a-z]+@corp").expression, b"a bob@corp") == [10]


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        (r"(abc)\1", "a reference to a group"),
        (r"(?:abcd){e<=1}xyz", "an approximate match"),
        (r"(abc)?(?(1)d|e)fgh", "a condition"),
        (r"abc(?R)?", "a recursion"),
        (r"abc\X", r"\X"),
        (r"abc\Kdef", r"\K"),
        (r"(?if)straße", "full case folding"),
    ],
)
def test_what_is_not_known_is_told(expression: str, what: str) -> None:
    assert emit(expression).slow == what


def test_what_searches_backwards_is_refused() -> None:
    with pytest.raises(ValueError, match="backwards"):
        emit("(?r)abc")
