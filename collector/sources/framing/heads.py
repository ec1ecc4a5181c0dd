"""The openings of stored lines, of which only time and stream differ: made when they are asked for."""

import re
from collections.abc import Iterator, Sequence
from typing import overload

from collector.sources.framing.stamp import SIZE, chunks

_BEFORE = b'{"time":"'
_AFTER = b'Z","stream":"stdout"'
_SIZE = len(_BEFORE) + SIZE + len(_AFTER)
_STDERR = re.compile(b"e")


class Heads(Sequence[bytes]):
    r"""`{"time":"…Z","stream":"stdout"` per record.

    `joined` holds for each record a time of `SIZE` bytes and `between`, which is found nowhere else in it; `streams` a
    letter, `o` or `e`. Stamps that stand together cost little to check and to keep; one object per record costs as
    much as reading the record.
    """

    def __init__(self, joined: bytes, between: bytes, streams: bytes) -> None:
        self._joined, self._between, self._streams = joined, between, streams

    def __len__(self) -> int:
        return len(self._streams)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        return list(self)[index]

    def __iter__(self) -> Iterator[bytes]:
        joined = _BEFORE + self._joined.replace(self._between, _AFTER + _BEFORE)
        heads = list(chunks(joined[: _SIZE * len(self)], _SIZE))
        for found in _STDERR.finditer(self._streams):
            heads[found.start()] = heads[found.start()].replace(b'"stdout"', b'"stderr"')
        return iter(heads)
