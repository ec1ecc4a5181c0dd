"""The openings of stored lines, of which only the time differs: made when they are asked for."""

from collections.abc import Iterator, Sequence
from typing import overload

from collector.sources.framing.stamp import SIZE

_BEFORE = b'{"time":"'


class Heads(Sequence[bytes]):
    r"""`{"time":"…Z","stream":"stdout"` per record.

    `joined` holds for each record a time of `SIZE` bytes and `between`, which is found nowhere else in it. Stamps that
    stand together cost little to check and to keep; one object per record costs as much as reading the record.
    """

    def __init__(self, joined: bytes, between: bytes, stream: bytes) -> None:
        self._joined, self._between = joined, between
        self._after = b'Z","stream":"' + stream + b'"'

    def __len__(self) -> int:
        return len(self._joined) // (SIZE + len(self._between))

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        return list(self)[index]

    def __iter__(self) -> Iterator[bytes]:
        heads = _BEFORE + self._joined.replace(self._between, self._after + _BEFORE)
        size = len(_BEFORE) + SIZE + len(self._after)
        return (heads[at : at + size] for at in range(0, len(self) * size, size))
