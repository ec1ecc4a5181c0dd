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
    Open("keys", "--flag*", "*", "the dashes are taken for a part of the name"),
    Open("keys", "XML element", "*", "elements are not read"),
    Open("keys", "SQL WHERE", "*", "of the comparisons only `=` is read"),
    Open("keys", "SQL SET", "*", "a doubled quote is taken for the end"),
    Open("keys", "Java map", "*", "a value of several words is cut at the first"),
    Open("keys", "Java object", "*", "a value of several words is cut at the first"),
    Open("keys", "header dump", "*", "a value of several words is cut at the first, but for well-known headers"),
    Open("keys", "curl -H", "*", "a value of several words is cut at the first, but for well-known headers"),
    Open("keys", "query string, apostrophes", "*", "an apostrophe is taken for the end"),
    Open("password", "Go *", "*", "a value that begins with `/` or `:` is not seen"),
    Open("phone number", "key: value", "*", "a bracket behind a number is taken for a part of it"),
    # by shape
    Open("passport", "prose", "*", "a number that follows is taken, too"),
    Open("phone", "key: value", "*", "a bracket behind a number is taken for a part of it"),
    Open("shapes", "*", "HTML*", "HTML entities are not decoded"),
    Open("shapes", "*", "base64*", "base64 is not decoded"),
    Open("shapes", "*", "full-width*", "full-width characters are not folded"),
    Open("shapes", "*", "zero-width", "characters without width are not passed over"),
    Open("shapes", "*", "plus for space", "`+` is not read as a space"),
    Open("private_key", "*", "*", "at the last depth a backslash ends its body", "text in JSON in JSON in JSON"),
    Open("email", "*", "IDN", "a Punycode top-level domain is cut at its dashes"),
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
