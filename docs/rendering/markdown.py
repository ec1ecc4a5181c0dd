"""The pieces that pages are made of."""

import re
from collections.abc import Iterable, Sequence

GENERATED = "<!-- Written by `make generate` from the code: change it there. -->"


def page(title: str, *parts: str) -> str:
    return "\n\n".join([GENERATED, f"# {title}", *(part.strip("\n") for part in parts if part)]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a cell may hold what stands between lines and bars in its source."""
    lines = [_row(head), _row(["---"] * len(head)), *map(_row, rows)]
    return "\n".join(lines)


def fence(language: str, text: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```"


def code(text: str) -> str:
    """As code within a line; line ends are shown as they are written in a program."""
    shown = text.replace("\\", "\\\\").replace("\n", "\\n") if "\n" in text else text
    ticks = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    pad = " " if "`" in shown or shown.startswith(" ") or shown.endswith(" ") else ""
    return f"{ticks}{pad}{shown}{pad}{ticks}"


def sentence(text: str) -> str:
    """A docstring or description on one line."""
    return " ".join(text.split())


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(sentence(cell).replace("|", "\\|") for cell in cells) + " |"
