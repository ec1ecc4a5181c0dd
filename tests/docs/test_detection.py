"""The page of what is found covers the corpus, and was measured when all claims held."""

from tests.corpus.encodings import ENCODINGS
from tests.corpus.kinds import BY_SHAPE
from tests.corpus.notations import FRAMES, NOTATIONS
from tests.corpus.services import SERVICES
from tests.docs.blocks import CHECKOUT

PAGE = (CHECKOUT / "docs" / "detection.md").read_text(encoding="utf-8")


def test_every_part_of_the_corpus_is_on_the_page() -> None:
    """A new notation, encoding, kind or log: `make detection`."""
    cells = {cell.strip() for line in PAGE.splitlines() if line.startswith("|") for cell in line.split("|")}
    for parts in (NOTATIONS, ENCODINGS, FRAMES, BY_SHAPE):
        assert {part.name for part in parts} <= cells
    assert set(SERVICES) <= cells


def test_it_was_measured_when_all_claims_held() -> None:
    assert "| claims that do not hold | 0 |" in PAGE
