"""The generated matrix, a sample of it: what is claimed holds. `make detection` measures all of it."""

from collections.abc import Iterator

import pytest

from scrubbers import Scrubber, load_policy
from tests.corpus.cases import Case, Cell, case, cells, harmless, twin
from tests.corpus.claims import OPEN, row_of, why_open
from tests.corpus.draw import Draw, Kind
from tests.corpus.kinds import BY_EXAMPLE, BY_KEY, BY_SHAPE, KINDS
from tests.corpus.matrix import Score, judge, scrubbed
from tests.corpus.notations import NOTATIONS
from tests.corpus.reading import leaked

SHARE = 0.12  # of the cells, one record each
OF_EXAMPLES = 0.02


@pytest.fixture(scope="module")
def scrubber() -> Scrubber:
    return Scrubber(load_policy())


def sample(kind: Kind) -> Iterator[Cell]:
    draw = Draw(f"cells/{kind.name}")
    share = 1.0 if kind.notations and kind in BY_EXAMPLE else OF_EXAMPLES if kind in BY_EXAMPLE else SHARE
    return (cell for cell in cells() if cell.kind is kind and draw.rnd.random() < share)


def claimed(kind: Kind) -> list[Case]:
    draw = Draw(f"sample/{kind.name}")
    made = (case(cell, draw) for cell in sample(kind) if why_open(cell) is None)
    return [each for each in made if each is not None]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_is_claimed_is_gone_and_all_else_stays(scrubber: Scrubber, kind: Kind) -> None:
    cases = claimed(kind)
    assert len(cases) > 2
    score = Score()
    for each, output in zip(cases, scrubbed(scrubber, [each.record for each in cases]), strict=True):
        judge(each, output, score)
    allowed = 0 if kind.keys else score.planted // 1000
    assert score.planted - score.gone <= allowed, _shown(score.misses)
    assert score.exact + score.quarantined == score.planted, _shown(score.damaged)
    assert score.invalid == 0


def _shown(pairs: list[tuple[bytes, bytes]]) -> str:
    return "\n".join(f"in:  {before!r}\nout: {after!r}" for before, after in pairs[:3])


@pytest.mark.parametrize("kind", [BY_SHAPE[0], BY_KEY[0]], ids=lambda kind: kind.name)
def test_clean_records_of_every_notation_and_encoding_stay_byte_for_byte(scrubber: Scrubber, kind: Kind) -> None:
    draw = Draw(f"clean/{kind.name}")
    made = (harmless(cell, draw) for cell in sample(kind))
    cases = [each for each in made if each is not None]
    assert len(cases) > 100
    for each, output in zip(cases, scrubbed(scrubber, [each.record for each in cases]), strict=True):
        assert output in (each.record, None)  # None: it was encoded too deep


@pytest.mark.parametrize("kind", [kind for kind in BY_SHAPE if kind.near], ids=lambda kind: kind.name)
def test_what_only_looks_like_it_stays(scrubber: Scrubber, kind: Kind) -> None:
    assert kind.near is not None
    draw = Draw(f"near/{kind.name}")
    cell = next(each for each in cells() if each.kind is kind and each.notation.name == "prose")
    made = (twin(cell, draw, kind.near(draw)) for _ in range(300))
    records = [each.record for each in made if each is not None]
    changed = [
        (before, after) for before, after in zip(records, scrubbed(scrubber, records), strict=True) if before != after
    ]
    assert not changed, changed[0]


def test_every_detector_of_the_default_policy_has_a_kind() -> None:
    assert {rule.detector for rule in load_policy().patterns if rule.detector} <= {kind.name for kind in BY_SHAPE}


def test_every_row_that_is_open_leaves_some_cell_open() -> None:
    assert set(map(row_of, cells())) >= set(OPEN)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_reader_sees_what_was_planted_in_every_record(kind: Kind) -> None:
    """The judge is no better than its reading: unscrubbed, every record must count as a leak."""
    draw = Draw(f"reading/{kind.name}")
    for cell in sample(kind):
        made = case(cell, draw)
        assert made is None or leaked(made.value, made.record), made.record


def test_the_same_seed_makes_the_same_corpus() -> None:
    some = list(cells())[::500]
    first, second = ([case(cell, draw) for cell in some] for draw in (Draw(7), Draw(7)))
    assert [each and each.record for each in first] == [each and each.record for each in second]


def test_every_notation_is_written() -> None:
    draw = Draw("notations")
    for notation in NOTATIONS:
        assert any(case(cell, draw) for cell in cells() if cell.notation is notation)
