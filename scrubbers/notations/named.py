"""Values that a key names without a sign of assignment: options on a command line, XML elements, comparisons in SQL."""

import re

from scrubbers.detectors.detector import Span
from scrubbers.notations.assignment import BARE, IN_NAME

_FLAG = re.compile(rb"[ \t]+(?=[^\s-])").match
_LONGEST_ELEMENT = 16384  # bytes; a longer one goes as far as the next tag
# An opening tag behind its name: what is written there begins with an attribute ("sent to <address of Ann>" has none).
_TAG = re.compile(rb"(?:\s{1,8}[A-Za-z_:][A-Za-z0-9_:.-]{0,64}\s{0,8}=[^<>]{0,256}|\s{0,8}/?)>").match
_COMPARED = re.compile(
    rb"[\]`\"]?\s{0,4}(?:<>|!=|[<>]=?|(?:not\s{1,4})?(?:i?like|r?like|regexp|in|between)\b)\s{0,4}", re.IGNORECASE
).match
_IN_STRING = rb"(?:[^'\\\n]|\\.|'')*"  # a quote is doubled
_STRING = rb"'" + _IN_STRING + rb"'"
_LIST = re.compile(rb"\((?:" + _STRING + rb"|[^'()\n])*\)").match
_RANGE = re.compile(_STRING + rb"\s{1,4}(?i:and)\s{1,4}" + _STRING).match
_ONE = re.compile(rb"'(" + _IN_STRING + rb")'?").match


def may_be_named(text: bytes, end: int) -> bool:
    """Whether `named_value` may find one: cheap, and never no wrongly."""
    return _AHEAD(text, end) is not None


_AHEAD = re.compile(rb"[\s<>!]|[\]`\"][\s<>!bilnrBILNR]").match


def named_value(text: bytes, end: int, name: bytes) -> Span | None:
    """The span of a value that is named by the key that ends at `end`, but by no sign of assignment.

    `--key value` on a command line; `<key>value</key>`; `key <> 'value'`, `LIKE`, `IN (…)`, `BETWEEN … AND …` in SQL.
    """
    start = end - len(name)
    if text[start - 2 : start] == b"--" and (flag := _FLAG(text, end)):
        return _flag_value(text, flag.end())
    tag = start - len(text[max(0, start - 64) : start]) + len(text[max(0, start - 64) : start].rstrip(IN_NAME + b":"))
    if text[tag - 1 : tag] == b"<" and (opened := _TAG(text, end)) and not opened[0].endswith(b"/>"):
        return _content(text, opened.end(), text[tag:end])
    compared = _COMPARED(text, end)
    return _operand(text, compared.end()) if compared else None


def _content(text: bytes, at: int, name: bytes) -> Span | None:
    """What an XML element of this name holds, whose opening tag ends at `at`."""
    close = text.find(b"</" + name + b">", at, at + _LONGEST_ELEMENT)
    if close < 0:
        close = text.find(b"<", at)
    end = close if close >= 0 else len(text.rstrip(b"\r\n"))
    return (at, end) if close != at else None


def _operand(text: bytes, at: int) -> Span | None:
    """What a key is compared with in SQL: a string, a list of some, or two ends of a range."""
    if several := _LIST(text, at):
        return at + 1, several.end() - 1
    if both := _RANGE(text, at):
        return both.span()
    one = _ONE(text, at)
    return one.span(1) if one else None


def _flag_value(text: bytes, at: int) -> Span | None:
    quoted = _FLAG_QUOTED(text, at)
    if quoted:
        return quoted.span(quoted.lastindex or 0)
    found = BARE.match(text, at)
    return found.span() if found else None


_FLAG_QUOTED = re.compile(rb"'([^'\n]*)'?|\"((?:[^\"\\\n]|\\.)*)\"?").match
