"""A record → its values, each with the path of keys that names it.

Wider than the engine's notations and not exact: it is for suggestions, which a person reads, and not for scrubbing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

import orjson

MAX_LEAVES = 2_000  # of one record
MAX_PATH = 8  # segments: the innermost are what names are matched by
MAX_VALUE = 512  # characters of a value that are looked at

_PAIR = re.compile(
    r"(?<![\w.-])([A-Za-z_][A-Za-z0-9_.-]{1,47})(?:=|: ?)"
    r"(?:\"([^\"]{1,512})\"|'([^']{1,512})'|([^\s,;&\"'()\[\]{}]{1,512}))"
)


class Notation(StrEnum):
    """How a value was named."""

    JSON = "JSON"
    NESTED = "JSON in a string"
    TEXT = "key=value"
    NONE = "text"


@dataclass(slots=True, frozen=True)
class Leaf:
    """A value. `path`: its keys, the outermost first; none where nothing names it."""

    path: tuple[str, ...]
    value: str
    notation: Notation
    number: bool = False


def leaves(record: bytes) -> Iterator[Leaf]:
    """The values of a record, at most MAX_LEAVES: of JSON, JSON behind a prefix, JSON in strings, and pairs in text."""
    yield from islice(_record(record), MAX_LEAVES)


def _record(record: bytes) -> Iterator[Leaf]:
    start = record.find(b"{")
    tree = _json(record[start:]) if start >= 0 else None
    if isinstance(tree, dict):
        if prefix := record[:start].strip():
            yield from _text((), prefix.decode(errors="replace"), Notation.NONE)
        yield from _walk(tree, (), Notation.JSON)
    else:
        yield from _text((), record.decode(errors="replace"), Notation.NONE)


def _json(text: bytes | str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _walk(tree: Any, path: tuple[str, ...], notation: Notation) -> Iterator[Leaf]:
    pending = [(tree, path, notation)]
    while pending:
        node, path, notation = pending.pop()
        if isinstance(node, dict):
            pending += [(below, (*path[1 - MAX_PATH :], key), notation) for key, below in reversed(node.items())]
        elif isinstance(node, list):
            pending += [(below, path, notation) for below in reversed(node)]
        elif isinstance(node, str):
            if node[:1] in ("{", "[") and node[-1:] in ("}", "]") and isinstance(inner := _json(node), dict | list):
                pending.append((inner, path, Notation.NESTED))
            else:
                yield from _text(path, node, notation)
        elif isinstance(node, int | float) and not isinstance(node, bool):
            yield Leaf(path, repr(node), notation, number=True)


def _text(path: tuple[str, ...], text: str, notation: Notation) -> Iterator[Leaf]:
    yield Leaf(path, text[:MAX_VALUE], notation)
    if "=" in text or ":" in text:
        for match in _PAIR.finditer(text[: 8 * MAX_VALUE]):
            yield Leaf(tuple(match[1].split(".")[-MAX_PATH:]), match[match.lastindex or 0], Notation.TEXT)
