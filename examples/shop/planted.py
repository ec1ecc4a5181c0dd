"""The values that went into the shop and must not come out of the gate, and the search for them.

All of them are made up: people by Faker, numbers with valid checksums, secrets drawn at run time.
"""

import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import unquote

_JSON_ESCAPE = re.compile(r'\\(u[0-9a-fA-F]{4}|["\\/])')


@dataclass(slots=True, frozen=True, order=True)
class Planted:
    """One made-up value, spelled as the shop receives it."""

    kind: str
    value: str


def found(planted: Iterable[Planted], text: str) -> list[Planted]:
    r"""The planted values that stand in `text`: as they are, behind JSON escapes (three levels), or percent-encoded."""
    haystack = "\n".join(_spellings(text))
    return [one for one in planted if one.value.casefold() in haystack]


def save(planted: Sequence[Planted], path: Path) -> None:
    """Write the values as JSON, readable by the owner alone from the first byte."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump([asdict(one) for one in planted], file, ensure_ascii=False, indent=1)


def load(path: Path) -> list[Planted]:
    return [Planted(**one) for one in json.loads(path.read_text(encoding="utf-8"))]


def _spellings(text: str) -> Iterable[str]:
    plain = text
    for _ in range(3):
        yield plain.casefold()
        yield unquote(plain).casefold()
        plain = _JSON_ESCAPE.sub(_unescape, plain)
    yield plain.casefold()


def _unescape(escape: re.Match[str]) -> str:
    what = escape[1]
    return chr(int(what[1:], 16)) if what[0] == "u" else what
