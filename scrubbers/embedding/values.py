"""Python values without personal data: each is written as a JSON record, scrubbed, and what changed is read back.

So everything holds that holds for records: keys at any depth, JSON inside strings, encodings, precedence.
"""

import secrets
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

import orjson

from scrubbers.engine import Scrubber

UNSCRUBBABLE: Final = "[REDACTED:unscrubbable]"
"""What stands for a value that cannot be made clean for sure."""

MAX_BYTES = 1 << 20  # of a value, as JSON: a larger one is not looked at, and does not pass
_MAX_DEPTH = 32  # as deep as the values of an attribute or of `extra` go, if they do not contain themselves
_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
_BYTES = f"bytes{secrets.token_hex(8)}"  # marks what was bytes; no value can know it
_ESCAPED_SURROGATE = "backslashreplace"


class Values:
    """Scrubs texts, numbers, mappings, sequences and bytes, nested as they come; of other objects what `str` gives.

    What is clean comes back as the same object. Threads may share one.
    """

    def __init__(self, scrubber: Scrubber, signal: str = "logs") -> None:
        """`signal` is what the scopes of rules ask for: `logs`, `traces` or `metrics`."""
        self._scrubber = scrubber
        self._signal = signal

    def scrub(self, value: Any) -> Any:
        """One value without personal data, or UNSCRUBBABLE. Never raises."""
        return self.scrub_all([value])[0]

    def scrub_all(self, values: Sequence[Any]) -> list[Any]:
        """The same for many values at once, in the same order: faster than one by one."""
        try:
            return self._scrub_all(values)
        except Exception:  # fail closed: nothing passes that was not looked at
            return [self._alone(value) for value in values]

    def _alone(self, value: Any) -> Any:
        try:
            return self._scrub_all([value])[0]
        except Exception:
            return UNSCRUBBABLE

    def _scrub_all(self, values: Sequence[Any]) -> list[Any]:
        lines = [_line(value) for value in values]
        block = b"".join(lines)
        scrubbed = self._scrubber.scrub(block, signal=self._signal)
        if scrubbed.body is block and all(line is not _WITHHELD for line in lines):
            return list(values)
        out = {each.index for each in scrubbed.quarantined}
        left = iter(scrubbed.body.split(b"\n"))
        result: list[Any] = []
        for index, (value, line) in enumerate(zip(values, lines, strict=True)):
            clean = None if index in out else next(left)
            if clean is None or line is _WITHHELD:
                result.append(UNSCRUBBABLE)
            elif clean == line[:-1]:
                result.append(value)
            else:
                result.append(_read_back(value, orjson.loads(clean)[0]))
        return result


_WITHHELD = b"[]\n"


def _line(value: Any) -> bytes:
    try:
        line = orjson.dumps([value], _other, _OPTIONS)
    except (TypeError, RecursionError):  # not in JSON as it is: keys that are no text, huge numbers, lone surrogates
        line = orjson.dumps([_written(value, 0)])
    return line + b"\n" if len(line) <= MAX_BYTES else _WITHHELD


def _other(value: Any) -> Any:
    """A value that JSON does not have, as one that it has."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return {_BYTES: _as_text(bytes(value))}
    if isinstance(value, list | tuple | AbstractSet):
        return list(value)
    return str(value)


def _as_text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")  # whatever text is in it is found, and every byte comes back


def _written(value: Any, depth: int) -> Any:
    """The same as orjson would take it, whatever it is made of."""
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deep")
    if value is None or isinstance(value, bool):
        return value
    if type(value) in (int, float):
        return value if isinstance(value, float) or -(1 << 63) <= value < 1 << 64 else str(value)
    if isinstance(value, str):
        return value.encode("utf-8", _ESCAPED_SURROGATE).decode()
    value = _other(value)
    if isinstance(value, dict):
        return {_written(str(key), depth): _written(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list):
        return [_written(each, depth + 1) for each in value]
    return _written(value, depth + 1)


def _read_back(value: Any, clean: Any) -> Any:
    """`clean` as Python had it: what did not change is the object that it was."""
    if isinstance(clean, dict):
        if isinstance(value, bytes | bytearray | memoryview) and _BYTES in clean:
            return _bytes_back(bytes(value), clean[_BYTES])
        known = {str(key): (key, each) for key, each in value.items()} if isinstance(value, Mapping) else {}
        # A key that was personal itself has a name that was not there.
        return {
            known[key][0] if key in known else key: _read_back(known[key][1], each) if key in known else _plain(each)
            for key, each in clean.items()
        }
    if isinstance(clean, list):
        before = list(value) if isinstance(value, list | tuple | AbstractSet) else []
        if len(before) != len(clean):
            return _plain(clean)
        after = [_read_back(old, new) for old, new in zip(before, clean, strict=True)]
        return tuple(after) if isinstance(value, tuple) else after
    if isinstance(value, float) and clean is None:
        return value  # not a number, or infinite
    return value if _written(value, 0) == clean else clean


def _bytes_back(value: bytes, clean: str) -> bytes:
    before = _as_text(value)
    if before == clean:
        return value
    return clean.encode("latin-1", "replace") if before.encode() != value else clean.encode()


def _plain(clean: Any) -> Any:
    """What JSON gives, without our mark of bytes."""
    if isinstance(clean, dict):
        return clean[_BYTES].encode() if _BYTES in clean else {key: _plain(each) for key, each in clean.items()}
    return [_plain(each) for each in clean] if isinstance(clean, list) else clean
