"""The labelled corpus: kind × placement × notation × encoding, each record with what was planted and what must stay."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.corpus.draw import Draw, Kind, Planted
from tests.corpus.encodings import ENCODINGS, Encoding
from tests.corpus.kinds import KINDS
from tests.corpus.notations import END, FRAMES, GONE, MAY_GO, NOTATIONS, SLOT, Frame, Notation
from tests.corpus.reading import stands

NEUTRAL = ("contact", "note", "ref", "peer", "subject")
_TRIES = 12


@dataclass(slots=True, frozen=True)
class Cell:
    kind: Kind
    notation: Notation
    frame: Frame
    encoding: Encoding

    @property
    def name(self) -> str:
        return f"{self.kind.name} / {self.notation.name} / {self.frame.name} / {self.encoding.name}"


@dataclass(slots=True, frozen=True)
class Case:
    """One record. Between `before` and `after` stands what may change; the value is in there and nowhere else."""

    cell: Cell
    record: bytes
    value: str
    before: bytes
    after: bytes
    json: bool


def cells() -> Iterator[Cell]:
    """All that are written in life."""
    for kind in KINDS:
        for notation in NOTATIONS:
            if not (notation.for_keys if kind.keys else notation.for_shapes):
                continue
            if kind.notations and notation.name not in kind.notations:
                continue
            for frame in FRAMES:
                if frame.document is not None and frame.document is not notation.document:
                    continue
                for encoding in ENCODINGS:
                    if not encoding.kinds(kind) or (encoding.notations and notation.name not in encoding.notations):
                        continue
                    if not encoding.json or notation.document or frame.strings:
                        yield Cell(kind, notation, frame, encoding)


def case(cell: Cell, draw: Draw) -> Case | None:
    """A record of the cell, or None if no text was found that can be written so."""
    for _ in range(_TRIES):
        planted = cell.kind.make(draw)
        key = draw.rnd.choice(cell.kind.keys or NEUTRAL)
        made = write(cell, draw, key, planted)
        around = f"{planted.head} {planted.tail} ".encode()
        if made is not None and not stands(made.value, around + made.before + b" " + made.after):
            return made
    return None


def twin(cell: Cell, draw: Draw, text: str) -> Case | None:
    """A record of the same cell that holds a harmless text under a harmless name."""
    return write(cell, draw, draw.rnd.choice(NEUTRAL), Planted(text))


HARMLESS = ("pending", "order 88123 shipped", "1790000000000390524", "v2.14.0-rc.3", "naïve café", "10.2.0.17:5432")


def harmless(cell: Cell, draw: Draw) -> Case | None:
    """A record of the cell that must stay byte for byte; None where every record of it is personal.

    Some digits of a number, percent-encoded, are left out: nobody writes so, and what is left may be a number again.
    """
    if cell.encoding.changes or cell.encoding.name == "percent, some" or cell.notation.name == "Cookie header":
        return None
    return twin(cell, draw, draw.rnd.choice(HARMLESS))


def write(cell: Cell, draw: Draw, key: str, planted: Planted) -> Case | None:
    encoding, notation = cell.encoding, cell.notation
    late = encoding.late and not notation.document
    text = planted.text if late else encoding.value(draw, planted.text)
    name = key if late else encoding.key(draw, key)
    piece = notation.write(draw, name, text) if text is not None and name is not None else None
    if piece is None:
        return None
    if late:
        head, _, rest = piece.partition(SLOT)
        slot, _, tail = rest.partition(END)
        for found in list(re.finditer(re.sub("[_-]", "[_-]?", key), head, re.I))[-1:]:
            head = head[: found.start()] + (encoding.key(draw, found[0]) or "") + head[found.end() :]
        piece = f"{head}{SLOT}{encoding.value(draw, slot) or slot}{END}{tail}"
    parts = [each.encode() for each in _parts(cell.frame.wrap(draw, piece))]
    value = text if encoding.changes else planted.value
    json = cell.frame.json and notation.name != "JSON, cut off"
    return Case(cell, b"".join(parts), value or "", parts[0], parts[2], json)


def _parts(text: str) -> tuple[str, str, str]:
    """What stands before, in and behind the part that may change."""
    marks = (MAY_GO, GONE) if MAY_GO in text else (SLOT, END)
    before, _, rest = text.partition(marks[0])
    slot, _, after = rest.partition(marks[1])
    return before, slot.replace(SLOT, "").replace(END, ""), after
