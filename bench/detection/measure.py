"""The measurement: the matrix, clean records, near misses, logs of real services."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from bench.detection.side_by_side import Peer, near_misses, side_by_side
from scrubbers import Scrubber, load_policy
from tests.corpus import services
from tests.corpus.cases import Cell, case, cells, harmless
from tests.corpus.claims import Open, row_of, why_open
from tests.corpus.draw import Draw
from tests.corpus.kinds import KINDS
from tests.corpus.matrix import Score, measure, scrubbed

OPEN_CELLS = 300


@dataclass(slots=True)
class Result:
    """Everything that the page tells."""

    seed: int
    matrix: dict[Cell, Score]
    broken: list[str]
    clean: int
    clean_changed: list[bytes]
    near: dict[str, tuple[int, int]]  # kind → near misses, of them changed
    lines: dict[str, int]
    findings: list[services.Found]
    peer: Peer | None


def run(records: int, seed: int, presidio: str | None) -> Result:
    scrubber = Scrubber(load_policy())
    draw = Draw(seed)
    matrix: dict[Cell, Score] = {}
    for kind in KINDS:  # one after another, for memory's sake
        own = [cell for cell in cells() if cell.kind is kind]
        made = (case(cell, draw) for cell in own for _ in range(records))
        matrix |= measure(scrubber, (each for each in made if each is not None))
    clean = [each for cell in cells() if (each := harmless(cell, draw)) is not None]
    after = scrubbed(scrubber, [each.record for each in clean])
    changed = [each.record for each, out in zip(clean, after, strict=True) if out not in (each.record, None)]
    near = {kind: (len(records), _changed(scrubber, records)) for kind, records in near_misses(draw).items()}
    findings = [each for service in services.SERVICES for each in services.found(scrubber, service)]
    lines = {service: services.log(service).count(b"\n") for service in services.SERVICES}
    peer = side_by_side(scrubber, presidio, Draw(f"peer/{seed}")) if presidio else None
    return Result(seed, matrix, broken(matrix), len(clean), changed, near, lines, findings, peer)


def broken(matrix: dict[Cell, Score]) -> list[str]:
    """What is claimed and does not hold."""
    told = []
    shapes: dict[tuple[str, str], list[Score]] = defaultdict(list)
    for cell, score in matrix.items():
        if why_open(cell) is not None:
            continue
        if cell.kind.keys and score.gone < score.planted:
            told.append(f"leak: {cell.name}: {score.misses[0][0]!r}")
        elif not cell.kind.keys:
            shapes[cell.notation.name, cell.encoding.name].append(score)
        if score.exact + score.quarantined < score.planted:
            told.append(f"damage: {cell.name}: {score.damaged[0][0]!r} became {score.damaged[0][1]!r}")
        if score.invalid:
            told.append(f"invalid JSON: {cell.name}")
    for name, scores in shapes.items():
        planted, gone = sum(each.planted for each in scores), sum(each.gone for each in scores)
        if gone < 0.999 * planted and planted - gone > 1:
            miss = next(each.misses[0] for each in scores if each.misses)
            told.append(f"leak: {' / '.join(name)}: {planted - gone} of {planted}, such as {miss[0]!r}")
    return told


def _changed(scrubber: Scrubber, records: Sequence[bytes]) -> int:
    return sum(before != after for before, after in zip(records, scrubbed(scrubber, records), strict=True))


def open_rows(seed: int) -> list[tuple[Open, Score]]:
    """How the rows fare that are not claimed: one record each of up to OPEN_CELLS of their cells."""
    scrubber, draw = Scrubber(load_policy()), Draw(f"open/{seed}")
    by_row: dict[Open, list[Cell]] = defaultdict(list)
    for cell in cells():
        row = row_of(cell)
        if row is not None:
            by_row[row].append(cell)
    scores = []
    for row, own in by_row.items():
        chosen = draw.rnd.sample(own, min(OPEN_CELLS, len(own)))
        total = Score()
        for score in measure(scrubber, (each for cell in chosen if (each := case(cell, draw)))).values():
            total.add(score)
        scores.append((row, total))
    return scores
