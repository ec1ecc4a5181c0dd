r"""How severe a stored record is, where it says so.

Known are: `severity` of the stored line; in a JSON record `level`, `severity` and their kin; in text `level=…`, a word
in capitals near its beginning (`2026-11-24 12:00:00 ERROR …`, `[WARN]`), or the letter that klog begins a line with
(`E1124 12:00:00.000000`). Numbers are not: 30 is a warning in one library and information in another.
"""

import re
from typing import Any, Literal, TypeAlias

import msgspec

Level: TypeAlias = Literal["trace", "debug", "info", "warn", "error", "fatal"]

_SPELLINGS: dict[Level, str] = {
    "trace": "trace finest finer verbose",
    "debug": "debug dbg fine",
    "info": "info information informational notice",
    "warn": "warn warning",
    "error": "error err severe",
    "fatal": "fatal critical crit alert emerg emergency panic dpanic",
}
_LEVELS: dict[str, Level] = {word: level for level, words in _SPELLINGS.items() for word in words.split()}
_KLOG: dict[bytes, Level] = {b"I": "info", b"W": "warn", b"E": "error", b"F": "fatal"}
_NAMES = (
    "level",
    "severity",
    "severity_text",
    "severityText",
    "levelname",
    "log.level",
    "loglevel",
    "log_level",
    "lvl",
)

_HEAD = 512  # bytes of a text that are looked at
_PAIR = re.compile(rb'(?<![A-Za-z0-9_.-])(?:log[._]?level|level|lvl|severity)=(?:\\?["\'])?([A-Za-z]{3,13})\b')
_WORD = re.compile(
    rb"(?<![A-Za-z0-9_])(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|SEVERE|CRITICAL|FATAL|PANIC)(?![A-Za-z0-9_])"
)
_WORD_BYTES = 120  # a word in capitals further on is a part of what is told
_KLOG_LINE = re.compile(rb'"([IWEF])\d{4} \d\d:\d\d:\d\d')


class _Line(msgspec.Struct):
    """What is looked at of a stored line; the rest is skipped, not built."""

    severity: Any = None
    body: msgspec.Raw = msgspec.Raw()


_Body = msgspec.defstruct(
    "_Body",
    [(f"name{number}", Any, None) for number in range(len(_NAMES))],
    rename={f"name{number}": name for number, name in enumerate(_NAMES)},
)
_decode_line = msgspec.json.Decoder(_Line).decode
_decode_body = msgspec.json.Decoder(_Body).decode
_fields = msgspec.structs.astuple


def level_of(stored: bytes) -> Level | None:
    """The level of one stored line; None if it tells none."""
    try:
        line = _decode_line(stored)
        if found := _named(line.severity):
            return found
        body = bytes(line.body)
        if body.startswith(b"{"):
            for value in _fields(_decode_body(body)):
                if value is not None and (found := _named(value)):
                    return found
            return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return _in_text(body[:_HEAD]) if body.startswith(b'"') else None


def _named(value: object) -> Level | None:
    return _LEVELS.get(value.lower()) if isinstance(value, str) else None


def _in_text(text: bytes) -> Level | None:
    if klog := _KLOG_LINE.match(text):
        return _KLOG[klog[1]]
    found = (b"=" in text and _PAIR.search(text)) or _WORD.search(text[:_WORD_BYTES])
    return _LEVELS.get(found[1].decode().lower()) if found else None
