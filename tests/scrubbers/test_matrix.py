"""The generated matrix, a sample of it: what is claimed holds. `make detection` measures all of it."""

from collections.abc import Iterator

import pytest

from scrubbers import Scrubber, load_policy
from tests.corpus.cases import Case, Cell, case, cells, twin
from tests.corpus.claims import OPEN, Open, why_open
from tests.corpus.kinds import BY_KEY, BY_SHAPE, KINDS, Draw, Kind
from tests.corpus.matrix import Score, judge, scrubbed
from tests.corpus.notations import NOTATIONS
from tests.corpus.reading import leaked

SHARE = 0.12  # of the cells, one record each


@pytest.fixture(scope="module")
def scrubber() -> Scrubber:
    return Scrubber(load_policy())


def sample(kind: Kind) -> Iterator[Cell]:
    draw = Draw(f"cells/{kind.name}")
    return (cell for cell in cells() if cell.kind is kind and draw.rnd.random() < SHARE)


def claimed(kind: Kind) -> list[Case]:
    draw = Draw(f"sample/{kind.name}")
    made = (case(cell, draw) for cell in sample(kind) if why_open(cell) is None)
    return [each for each in made if each is not None]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_is_claimed_is_gone_and_all_else_stays(scrubber: Scrubber, kind: Kind) -> None:
    cases = claimed(kind)
    assert len(cases) > 50
    score = Score()
    for each, output in zip(cases, scrubbed(scrubber, [each.record for each in cases]), strict=True):
        judge(each, output, score)
    allowed = 0 if kind.keys else score.planted // 1000
    assert score.planted - score.gone <= allowed, _shown(score.misses)
    assert score.exact + score.quarantined == score.planted, _shown(score.damaged)
    assert score.invalid == 0


def _shown(pairs: list[tuple[bytes, bytes]]) -> str:
    return "\n".join(f"in:  {before!r}\nout: {after!r}" for before, after in pairs[:3])


HARMLESS = ("pending", "order 88123 shipped", "1790000000000390524", "v2.14.0-rc.3", "naïve café", "10.2.0.17:5432")


@pytest.mark.parametrize("kind", [BY_SHAPE[0], BY_KEY[0]], ids=lambda kind: kind.name)
def test_clean_records_of_every_notation_and_encoding_stay_byte_for_byte(scrubber: Scrubber, kind: Kind) -> None:
    draw = Draw(f"clean/{kind.name}")
    made = (
        twin(cell, draw, draw.rnd.choice(HARMLESS))
        for cell in sample(kind)
        if not cell.encoding.changes  # those make an address of everything
        and cell.notation.name != "Cookie header"  # which is personal as a whole
    )
    cases = [each for each in made if each is not None]
    assert len(cases) > 100
    for each, output in zip(cases, scrubbed(scrubber, [each.record for each in cases]), strict=True):
        assert output == each.record


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
    assert {rule.detector for rule in load_policy().patterns} <= {kind.name for kind in BY_SHAPE}


def test_every_cell_that_is_open_exists() -> None:
    everything = list(cells())
    for row in OPEN:
        assert any(_covers(row, cell) for cell in everything), row


def _covers(row: Open, cell: Cell) -> bool:
    reason = why_open(cell)
    return reason == row.reason


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
        assert any(case(cell, draw) for cell in list(cells()) if cell.notation is notation and draw.rnd.random() < 0.05)
