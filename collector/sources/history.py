"""What was read of contents that are no longer where they were read: for a file that turns out to go on with one."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from collector import events
from collector.batch import Position
from collector.sources.fingerprint import Mark
from collector.sources.identity import Checkpoint, FileKey, decode_checkpoint
from collector.sources.tail import Tail

_MOST_FOLLOWED = 32  # contents that files with one inode went on with
_MOST_LEFT = 10_000  # files remembered that are no longer there


@dataclass(slots=True, frozen=True)
class Past:
    """A content that was read up to a mark, in the file `key` in its epoch `epoch`."""

    key: FileKey
    epoch: int
    path: str
    mark: Mark

    @property
    def name(self) -> str:
        return f"{self.key}:{self.epoch}:{self.mark.tail}"


class History:
    """Files that are not there (any more), with what they held before. Each content is continued once at most."""

    def __init__(self, source: str, positions: Mapping[str, Position]) -> None:
        self._left: OrderedDict[FileKey, tuple[int, Checkpoint]] = OrderedDict()
        self._families: dict[str, set[FileKey]] = {}
        self._continued: set[str] = set()
        for key, position in positions.items():
            try:
                checkpoint = decode_checkpoint(position.value)
            except ValueError:
                events.SourceFailed(source, "format", key, "a committed position cannot be read").emit()
                continue
            self._put(key, position.epoch, checkpoint)
            self._continued.update(checkpoint.follows)

    def __contains__(self, key: FileKey) -> bool:
        return key in self._left

    def get(self, key: FileKey) -> Checkpoint | None:
        known = self._left.get(key)
        return known[1] if known else None

    def take(self, key: FileKey) -> tuple[int, Checkpoint] | None:
        """The epoch and checkpoint of a file that is there again, forgotten here."""
        known = self._left.pop(key, None)
        if known:
            for home in _homes(known[1]):
                self._families[home].discard(key)
                if not self._families[home]:
                    del self._families[home]
        return known

    def leave(self, tail: Tail) -> None:
        """Remember a file that is let go."""
        self.take(tail.key)
        self._put(tail.key, tail.epoch, tail.checkpoint)
        while len(self._left) > _MOST_LEFT:
            self.take(next(iter(self._left)))

    def past(self, home: str, living: Iterable[Tail]) -> Iterator[Past]:
        """The ended contents of a family that no file goes on with yet. `living`: the files that are there."""
        known = [(key, *self._left[key]) for key in self._families.get(home, ())]
        for key, epoch, point in known:
            if point.home == home and point.mark.offset:
                yield from self._free(Past(key, epoch, point.path, point.mark))
        known += [(tail.key, tail.epoch, tail.checkpoint) for tail in living if tail.contents]
        for key, _, point in known:
            for ended in point.ended:
                if ended.home == home:
                    yield from self._free(Past(key, ended.epoch, ended.path, ended.mark))

    def _free(self, past: Past) -> Iterator[Past]:
        if not self.is_continued(past):
            yield past

    def go_on(self, past: Past, tail: Tail) -> None:
        """The file goes on with a content of the past."""
        self._continued.add(past.name)
        tail.follows = (*tail.follows, past.name)[-_MOST_FOLLOWED:]

    def is_continued(self, past: Past) -> bool:
        return past.name in self._continued

    def _put(self, key: FileKey, epoch: int, checkpoint: Checkpoint) -> None:
        self._left[key] = (epoch, checkpoint)
        for home in _homes(checkpoint):
            self._families.setdefault(home, set()).add(key)


def _homes(checkpoint: Checkpoint) -> set[str]:
    return {checkpoint.home, *(ended.home for ended in checkpoint.ended)}
