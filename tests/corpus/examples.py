"""Kinds for detectors that no generator here makes values for: the examples they are documented with.

What is personal in an example is what is found in it standing alone, and tests of their own hold the detectors to that.
"""

from collections.abc import Iterator

from scrubbers import Scrubber, load_policy
from scrubbers.detectors import DETECTORS
from tests.corpus.draw import Kind, Make, Planted

SENTENCES = ("JSON string", "JSON, in a sentence", "prose")
"""For values that are told by the words around them."""


def kinds_by_example(made: frozenset[str]) -> Iterator[Kind]:
    """A kind for each detector of the default policy but those in `made`."""
    scrubber = Scrubber(load_policy())
    for rule in load_policy().patterns:
        if rule.detector is None or rule.detector in made:
            continue
        detector = DETECTORS[rule.detector]
        planted = tuple(each for example in detector.must if (each := _planted(scrubber, rule.detector, example)))
        alone = tuple(each for each in planted if each.text == each.value)
        yield Kind(
            rule.detector,
            _one_of(alone or planted),
            notations=() if alone else SENTENCES,
        )


def _one_of(planted: tuple[Planted, ...]) -> Make:
    return lambda draw: draw.rnd.choice(planted)


def _planted(scrubber: Scrubber, name: str, example: str) -> Planted | None:
    """The example, with what is found in it; None where that is not one thing in one line."""
    found = scrubber.explain(example.encode())
    if len(found) != 1 or found[0].rule != name or "\n" in example:
        return None
    start, end = found[0].start, found[0].end
    whole = example.encode()
    return Planted(whole[start:end].decode(), whole[:start].decode(), whole[end:].decode())
