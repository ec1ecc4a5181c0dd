"""Python values with personal data planted in them, and all texts that an object holds."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from oracle import views

from tests import strategies


@dataclass(frozen=True)
class Value:
    """A value, and the secrets in it."""

    value: Any
    secrets: tuple[str, ...] = ()


texts = strategies.texts(lines=True).map(lambda piece: Value(piece.text, piece.secrets))
_harmless = st.sampled_from(strategies.HARMLESS).map(Value)
_numbers = st.one_of(st.integers(-999, 999), st.booleans(), st.just(1.5), st.just(float("nan")), st.just(1 << 80))
_cards = strategies.card_numbers().map(lambda card: Value(int(card), (card,)))
_bytes = texts.map(lambda text: Value(text.value.encode(), text.secrets))
leaves = st.one_of(texts, texts, _harmless, _numbers.map(Value), _cards, _bytes)


@st.composite
def mappings(draw: st.DrawFn, depth: int = 0) -> Value:
    """A mapping with personal keys and others."""
    members: dict[str, Any] = {}
    secrets: tuple[str, ...] = ()
    for number in range(draw(st.integers(0, 4))):
        if draw(st.booleans()):
            phrase = draw(strategies.phrases)
            members[draw(strategies.key_names)] = draw(
                st.sampled_from([phrase, [phrase], {"x": phrase}, phrase.encode()])
            )
            secrets += (phrase,)
        else:
            inner = draw(values(depth + 1))
            members[f"k{number}"] = inner.value
            secrets += inner.secrets
    return Value(members, secrets)


@st.composite
def values(draw: st.DrawFn, depth: int = 0) -> Value:
    what = draw(st.integers(0, 5)) if depth < 3 else 5
    if what == 0:
        return draw(mappings(depth))
    if what == 1:
        items = draw(st.lists(values(depth + 1), max_size=3))
        made = draw(st.sampled_from([list, tuple]))
        return Value(made(item.value for item in items), tuple(each for item in items for each in item.secrets))
    return draw(leaves)


def left(value: Any, secrets: Sequence[str]) -> list[str]:
    """The secrets that an object still holds, however they are encoded."""
    said = "\n".join(held(value))
    views_of_it = [said, *views(said.encode("utf-8", "replace"))]
    return [secret for secret in secrets if any(secret in view for view in views_of_it)]


def held(value: Any, seen: set[int] | None = None) -> Iterator[str]:
    """Every text that can be reached from an object, by whatever name."""
    seen = set() if seen is None else seen
    if isinstance(value, str | int | float):
        yield str(value)
        return
    if value is None or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, bytes):
        yield value.decode("latin-1")
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from held(key, seen)
            yield from held(each, seen)
    elif isinstance(value, Sequence | AbstractSet):
        for each in value:
            yield from held(each, seen)
    elif isinstance(value, BaseException):
        yield str(value)
        yield from held(value.args, seen)
    elif type(value).__module__.startswith("opentelemetry"):
        slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        for name in {*getattr(value, "__dict__", ()), *slots}:
            yield from held(getattr(value, name, None), seen)
