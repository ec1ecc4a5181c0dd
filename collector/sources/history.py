"""What was read of contents that are no longer where they were read: for a file that turns out to go on with one."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from collector import events
from collector.batch import Position
from collector.sources.fingerprint import Mark
from collector.sources.identity import Checkpoint, FileKey, decode_checkpoint, row
from collector.sources.tail import Tail

_MOST_FOLLOWED = 32  # contents that files with one inode went on with
_MOST_LEFT = 10_000  # files remembered that are no longer there


class _Left(NamedTuple):
    key: FileKey
    epoch: int
    checkpoint: Checkpoint


@dataclass(slots=True, frozen=True)
class Past:
    """A content that was read up to a mark, in the file `key` in its epoch `epoch`, as one of the family `home`."""

    key: FileKey
    home: str
    epoch: int
    path: str
    mark: Mark

    @property
    def name(self) -> str:
        return f"{row(self.key, self.home)}:{self.epoch}:{self.mark.tail}"


class History:
    """Files that are not there (any more), with what they held before. Each content is continued once at most."""

    def __init__(self, source: str, positions: Mapping[str, Position]) -> None:
        self._left: OrderedDict[str, _Left] = OrderedDict()
        self._files: dict[FileKey, set[str]] = {}
        self._families: dict[str, set[str]] = {}
        self._continued: set[str] = set()
        for name, position in positions.items():
            try:
                checkpoint = decode_checkpoint(position.value)
            except ValueError:
                events.SourceFailed(source, "format", name, "a committed position cannot be read").emit()
                continue
            self._put(_Left(name.partition("@")[0], position.epoch, checkpoint))
            self._continued.update(checkpoint.follows)

    def of(self, key: FileKey) -> list[Checkpoint]:
        """What is known of a file, in each family that its inode was in."""
        return [self._left[name].checkpoint for name in self._files.get(key, ())]

    def take(self, key: FileKey, home: str) -> tuple[int, Checkpoint] | None:
        """The epoch and checkpoint of a file that is there again, forgotten here."""
        left = self._pop(row(key, home))
        return (left.epoch, left.checkpoint) if left else None

    def leave(self, tail: Tail) -> None:
        """Remember a file that is let go."""
        self.take(tail.key, tail.home)
        self._put(_Left(tail.key, tail.epoch, tail.checkpoint))
        while len(self._left) > _MOST_LEFT:
            self._pop(next(iter(self._left)))

    def past(self, home: str, living: Iterable[Tail]) -> Iterator[Past]:
        """The ended contents of a family that no file goes on with yet. `living`: the files that are there."""
        known = [self._left[name] for name in self._families.get(home, ())]
        for key, epoch, point in known:
            if point.mark.offset:
                yield from self._free(Past(key, home, epoch, point.path, point.mark))
        known += [_Left(tail.key, tail.epoch, tail.checkpoint) for tail in living if tail.home == home]
        for key, _, point in known:
            for ended in point.ended:
                yield from self._free(Past(key, home, ended.epoch, ended.path, ended.mark))

    def _free(self, past: Past) -> Iterator[Past]:
        if not self.is_continued(past):
            yield past

    def go_on(self, past: Past, tail: Tail) -> None:
        """The file goes on with a content of the past."""
        self._continued.add(past.name)
        tail.follows = (*tail.follows, past.name)[-_MOST_FOLLOWED:]

    def is_continued(self, past: Past) -> bool:
        return past.name in self._continued

    def _put(self, left: _Left) -> None:
        name = row(left.key, left.checkpoint.home)
        self._left[name] = left
        self._files.setdefault(left.key, set()).add(name)
        self._families.setdefault(left.checkpoint.home, set()).add(name)

    def _pop(self, name: str) -> _Left | None:
        left = self._left.pop(name, None)
        if left:
            _discard(self._files, left.key, name)
            _discard(self._families, left.checkpoint.home, name)
        return left


def _discard(index: dict[str, set[str]], key: str, name: str) -> None:
    index[key].discard(name)
    if not index[key]:
        del index[key]
