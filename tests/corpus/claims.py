"""Which cells of the matrix are claimed: all but those in OPEN. A row leaves OPEN when its cells hold.

What is claimed is checked by `test_corpus_matrix.py` on a sample and by `make detection` in full: personal keys gone in
every record, shapes in at least 99.9 of 100, all else untouched.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.corpus.cases import Cell


@dataclass(slots=True, frozen=True)
class Open:
    """Cells that are not claimed. Names are globs; `kind` may be `keys` or `shapes`, for all kinds found that way."""

    kind: str
    notation: str
    encoding: str
    reason: str
    frame: str = "*"


OPEN: tuple[Open, ...] = (
    # by key
    Open("keys", "--flag*", "*", "a value that begins with a dash is taken for the next option"),
    Open("keys", "Java map", "*", "a value ends at a closing bracket of its own"),
    Open("keys", "Java object", "*", "a value ends at a closing bracket of its own"),
    Open(
        "keys", "Go struct", "*", "a value that begins with a colon is read as a part of a name, as in `Password::new`"
    ),
    Open("keys", "Go map", "*", "a value that begins with a colon is read as a part of a name, as in `Password::new`"),
    Open(
        "keys",
        "header dump",
        "*",
        "a value of several words is cut at the first, but for headers with a dash and well-known ones",
    ),
    Open(
        "keys",
        "curl -H",
        "*",
        "a value of several words is cut at the first, but for headers with a dash and well-known ones",
    ),
    # by shape
    Open("shapes", "*", "base64*", "text of fewer than ten bytes, or that begins beyond ASCII, is not seen"),
    Open("shapes", "*", "zero-width", "as Python prints them, they are not read"),
    Open("shapes", "*", "plus for space", "only in the value of a form is `+` a space"),
)


def row_of(cell: Cell) -> Open | None:
    """The row that leaves the cell open, the first of them; None if it is claimed."""
    group = "keys" if cell.kind.keys else "shapes"
    for row in OPEN:
        if (
            row.kind in (group, cell.kind.name)
            and fnmatchcase(cell.notation.name, row.notation)
            and fnmatchcase(cell.encoding.name, row.encoding)
            and fnmatchcase(cell.frame.name, row.frame)
        ):
            return row
    return None


def why_open(cell: Cell) -> str | None:
    """Why the cell is not claimed; None if it is."""
    row = row_of(cell)
    return row.reason if row else None
