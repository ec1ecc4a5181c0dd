"""The matrix: what the engine makes of the corpus, cell by cell."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from scrubbers import Scrubber
from tests.corpus.cases import Case, Cell
from tests.corpus.notations import is_json
from tests.corpus.reading import leaked

_BLOCK = 200


@dataclass(slots=True)
class Score:
    """Of one cell: how many values were planted, are gone; in how many records all else is as it was."""

    planted: int = 0
    gone: int = 0
    exact: int = 0
    invalid: int = 0
    quarantined: int = 0
    misses: list[tuple[bytes, bytes]] = field(default_factory=list)
    damaged: list[tuple[bytes, bytes]] = field(default_factory=list)

    def add(self, other: "Score") -> None:
        self.planted += other.planted
        self.gone += other.gone
        self.exact += other.exact
        self.invalid += other.invalid
        self.quarantined += other.quarantined
        self.misses += other.misses
        self.damaged += other.damaged


def scrubbed(scrubber: Scrubber, records: Sequence[bytes]) -> list[bytes | None]:
    """The records scrubbed, in blocks as the gate does; None for those that were taken out."""
    out: list[bytes | None] = []
    block: list[bytes] = []
    for record in records:
        if b"\n" in record:
            result = scrubber.scrub(record + b"\n")
            out += _each(scrubber, block)
            block = []
            out.append(None if result.quarantined else result.body[:-1])
            continue
        block.append(record)
        if len(block) == _BLOCK:
            out += _each(scrubber, block)
            block = []
    return out + _each(scrubber, block)


def _each(scrubber: Scrubber, block: list[bytes]) -> list[bytes | None]:
    if not block:
        return []
    result = scrubber.scrub(b"".join(each + b"\n" for each in block))
    lines = iter(result.body.split(b"\n"))
    gone = {each.index for each in result.quarantined}
    return [None if at in gone else next(lines) for at in range(len(block))]


def judge(case: Case, output: bytes | None, score: Score) -> None:
    score.planted += 1
    if output is None:
        score.quarantined += 1
        score.gone += 1
        return
    exact = output.startswith(case.before) and output.endswith(case.after)
    # The value stands nowhere else, so that what surrounds it need not be read.
    changed = output[len(case.before) : len(output) - len(case.after)] if exact else output
    if not leaked(case.value, changed):
        score.gone += 1
    elif len(score.misses) < 5:
        score.misses.append((case.record, output))
    if exact:
        score.exact += 1
    elif len(score.damaged) < 5:
        score.damaged.append((case.record, output))
    if case.json and not is_json(output):
        score.invalid += 1


def measure(scrubber: Scrubber, cases: Iterable[Case]) -> dict[Cell, Score]:
    given = list(cases)
    scores: dict[Cell, Score] = {}
    for case, output in zip(given, scrubbed(scrubber, [each.record for each in given]), strict=True):
        judge(case, output, scores.setdefault(case.cell, Score()))
    return scores
