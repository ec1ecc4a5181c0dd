r"""What is personal only beside a word that says so: `SSN 536817623`, `Geburtsdatum: 12.03.1985`.

The word is a literal, which costs the trigger next to nothing; the thing is looked for in the few bytes behind it.
These end at a quote, a backslash, a bracket and a line end: so they lie in one string in whatever way the record is
read, tokens end them (scrubbing twice is scrubbing once), and no record reaches into the next. Hence a JSON member's
name is no context for its value: such names belong to the policy's `keys`.
"""

import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

from scrubbers.detectors.detector import Confidence, Find, Span, Trigger, after_escape

Match: TypeAlias = Callable[[bytes, int], "re.Match[bytes] | None"]

_SUFFIX = rb"(?:s|'s|[ _-]?(?i:numbers?|num|no|nr|n\xc2[\xb0\xba]|id|code|value))?(?![A-Za-z0-9])"
# White space may be an escape's: what stands behind a tab begins as the engine's introducers ask for.
_TO_VALUE = rb"(?:\t(?=[0-9A-Z+]))?(?<![0-9A-Za-z*])"
GAP = _SUFFIX + rb"[A-Za-z .:=#'_()/>\x80-\xff-]{0,32}?" + _TO_VALUE
"""A few words and signs: `no. of the applicant is: `."""
NEAR = (
    _SUFFIX
    + rb"(?:[A-Za-z .'_()/\x80-\xff-]{0,32}?(?:[:=#>]| (?i:is|was|ist|war|est|es|era|\xc3\xa8) ))?[ .:=#'()>-]{0,4}"
    + _TO_VALUE
)
"""No words, unless a sign follows them: for what looks like any number."""
ASSIGNED = _SUFFIX + rb" {0,2}(?:[:=#]|=>|->| is | was )[ .:=#'(]{0,4}" + _TO_VALUE
"""A sign that says that the value follows."""


def after(
    words: Iterable[str],
    value: bytes,
    valid: Callable[[bytes], bool] | None = None,
    *,
    gap: bytes = GAP,
    caseless: bool = True,
) -> tuple[Trigger, ...]:
    """Triggers for `value` (a regular expression that starts and ends at a guard) behind any of the words.

    A word may end in a sign (`dni=`): so a short one is no part of a longer word. What stands behind a `|` is not of
    the literal: the search for all literals slows down where many end as other words do (`…code`, `…ation`).
    """
    triggers = []
    for word in words:
        literal, _, rest = word.partition("|")
        match = re.compile(b"(?i:" + re.escape(rest.encode()) + b")" + gap + b"(" + value + b")").match
        find = _behind(literal.encode(), match, valid)
        triggers.append(Trigger(re.escape(literal.encode()), find, Confidence.CONTEXT, caseless=caseless))
    return tuple(triggers)


def signed(*words: str) -> tuple[str, ...]:
    """Short words with the signs around them. By themselves they are in many other words, and literals of three or four
    letters slow the search for all others down."""
    return tuple(written for word in words for written in (f"{word}: ", f" {word}="))


def _behind(word: bytes, match: Match, valid: Callable[[bytes], bool] | None) -> Find:
    size, signs = len(word.lstrip()), len(word) - len(word.rstrip(b":= "))

    def find(text: bytes, end: int) -> Span | None:
        start = end - size
        if start and text[start - 1] in _ALNUM and not after_escape(text, start):
            return None
        found = match(text, end - signs)
        if found is None or (valid is not None and not valid(found[1])):
            return None
        return found.span(1)

    return find


_ALNUM = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
