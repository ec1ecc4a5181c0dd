"""Text that is not a plain, small YAML 1.2 document is refused with its place, quickly and without a traceback."""

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from settings import SettingsError
from settings.document import MAX_BYTES, parse


def problem(text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        raise SettingsError(parse(text, "c.yaml").problems)
    assert caught.value.problems
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("010", 10),
        ("0o17", 15),
        ("0xfF", 255),
        ("-1", -1),
        ("1_000", "1_000"),
        ("1.5e3", 1500.0),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("2026-01-01", "2026-01-01"),
        ("12:30:45", "12:30:45"),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("!!int '5'", 5),
        ("|\n  a\n  b\n", "a\nb\n"),
    ],
)
def test_scalars_follow_the_core_schema(written: str, value: object) -> None:
    assert parse(f"a: {written}", "c.yaml").plain() == {"a": value}


def test_keys_are_text() -> None:
    assert parse("{404: a, true: b, null: c, 1.0: d}", "c").plain() == {
        "404": "a",
        "true": "b",
        "null": "c",
        "1.0": "d",
    }


def test_aliases_stand_for_their_anchor() -> None:
    root = parse("a: &x {k: [1, &y 2]}\nb: *x\nc: *y\n", "c")
    assert root.plain() == {"a": {"k": [1, 2]}, "b": {"k": [1, 2]}, "c": 2}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "c.yaml:4: b.c: stands twice, first in line 3; keep one of them"),
        ("a: 1\nb: [1\nc: 2\n", "c.yaml:3: is not YAML"),
        (
            "a:\n\tb: 1\n",
            "c.yaml:2: is not YAML: found character 'tab' that cannot start any token; indent with spaces",
        ),
        ("a: {b: ${X}}\n", "put the text that holds the ${…} in quotes"),
        ("a: 1\n---\nb: 1\n", "c.yaml:2: a second document begins here"),
        ("a: 1\n? [b]\n: 1\n", "c.yaml:2: a list or mapping stands as a key"),
        ("a: !x 1\n", "c.yaml:1: a: has a tag nobody reads"),
        ("a: !!python/object:os.system {}\n", "c.yaml:1: a: has a tag nobody reads"),
        ("a: *x\n", "c.yaml:1: a: the alias *x has no anchor"),
        ("a: &x [1, *x]\n", "c.yaml:1: a[1]: the alias *x stands inside its own anchor"),
        ("a: &x\n  b: *x\n", "c.yaml:2: a.b: the alias *x stands inside its own anchor"),
        ("a: 1\nb: \x07\n", "c.yaml:2: holds a control character"),
        ("%YAML 3.0\n---\na: 1", "c.yaml"),
        ("a: [" * 1000, "nested more than 64 levels deep"),
        ("[" * 100_000, "nested more than 64 levels deep"),
        ("a:\n" + "".join(" " * i + "- \n" for i in range(200)), ""),
        ("#" * (MAX_BYTES + 1), "at most 1048576 are read"),
        ("é" * (MAX_BYTES // 2 + 1), "at most 1048576 are read"),
    ],
)
def test_what_is_refused(text: str, wanted: str) -> None:
    assert wanted in problem(text)


def test_an_alias_bomb_is_refused_before_it_goes_off() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 20)]
    assert "aliases counted" in problem("\n".join(lines))


def test_two_duplicates_are_two_problems() -> None:
    assert len(problem("a: 1\na: 2\nb: 1\nb: 2\n").splitlines()) == 2


def test_what_does_not_stop_the_reading_is_told_with_what_does() -> None:
    told = problem("a: !x 1\nb: 1\nb: 2\n? [c]\n: {d: 1}\nc: *x\n").splitlines()
    assert [line.split(": ")[0] for line in told] == ["c.yaml:1", "c.yaml:3", "c.yaml:4", "c.yaml:6"]


def test_the_value_of_what_cannot_be_a_key_is_left_out() -> None:
    assert parse("? [a]\n: {b: [1]}\n'?': 1\n", "c").plain() == {"?": 1}


def test_places_are_those_of_keys_and_items() -> None:
    root = parse("a:\n  - x\n  - b: 1\n    c: 2\n", "c")
    assert isinstance(root.value, dict)
    items = root.value["a"].value
    assert isinstance(items, list)
    assert (root.value["a"].line, items[1].line) == (1, 3)
    assert isinstance(items[1].value, dict)
    assert (items[1].value["c"].line, items[1].value["c"].column) == (4, 5)


@given(st.text(st.characters(codec="utf-8"), max_size=60) | st.text("[]{}:,-&*!|>'\"%@` \n\ta1~#?", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(SettingsError):
        parse(text, "c").plain()


scalars = (
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(st.characters(codec="ascii", min_codepoint=32))
)
documents = st.dictionaries(
    st.text("abcdefgh", min_size=1),
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdefgh", min_size=1), inner, max_size=4),
        max_leaves=12,
    ),
)


@given(documents)
def test_what_a_yaml_1_2_library_writes_is_read_back(data: object) -> None:
    out = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False  # in flow style the library reads `?x` as a key, which 1.2 does not
    yaml.width = 10_000
    yaml.dump(data, out)
    assert parse(out.getvalue(), "c").plain() == data
