"""Which files this worker reads, through rename, copy, compression, truncation and deletion.

A file is known by its key, so renaming changes nothing. A file that turns up under a rotated name with a new inode is
a copy (copytruncate, gzip) if its content says so: while its original is still being read it waits, and is continued
where reading of the original ended. Each ended content is continued by one file at most.
"""

import os
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from collector import events
from collector.batch import Batch, Position
from collector.sources.content import Content, starts_with
from collector.sources.discovery import Found
from collector.sources.identity import START, Checkpoint, FileKey, Mark, base_name, decode_checkpoint, family, file_key
from collector.sources.tail import Tail

LINGER = 5.0
"""Seconds without news after which a file that left its path is let go: its writer may not have noticed yet."""

_MOST_LEFT = 10_000  # ended contents remembered for a copy that may turn up


@dataclass(slots=True, frozen=True)
class _Waiting:
    """A copy of what `key` holds in `epoch`, to be continued when that is over."""

    tail: Tail
    signature: tuple[int, int]
    key: FileKey | None = None
    epoch: int = 0
    length: int = 0


@dataclass(slots=True, frozen=True)
class _Ended:
    """A content that was read up to a mark and is no longer where it was."""

    key: FileKey
    epoch: int
    mark: Mark

    @property
    def name(self) -> str:
        return f"{self.key}:{self.epoch}"


class Tracker:
    """The files of one worker. `make` builds a Tail from (key, path, real path, home)."""

    def __init__(
        self,
        source: str,
        make: Callable[[FileKey, str, str, str], Tail],
        positions: Mapping[str, Position],
        *,
        start: str,
        worker: int,
        workers: int,
        clock: Callable[[], float],
    ) -> None:
        self.tails: dict[FileKey, Tail] = {}
        self._source, self._make, self._start, self._clock = source, make, start, clock
        self._worker, self._workers = worker, workers
        self._left: OrderedDict[FileKey, tuple[int, Checkpoint]] = OrderedDict()
        self._homes: dict[FileKey, str] = {}
        self._waiting: dict[FileKey, _Waiting] = {}
        self._idle_since: dict[FileKey, float] = {}  # of files that left their path
        self._continued: set[str] = set()
        self._first = True
        for key, position in positions.items():
            try:
                checkpoint = decode_checkpoint(position.value)
            except ValueError:
                events.SourceFailed(source, "format", key, "a committed position cannot be read").emit()
                continue
            self._left[key] = (position.epoch, checkpoint)
            if checkpoint.follows:
                self._continued.add(checkpoint.follows)

    # What is there ---------------------------------------------------------------------------------------------------

    def update(self, found: Iterable[Found]) -> list[Batch]:
        """Take in what `discover` found; positions that must be committed now."""
        there: dict[FileKey, Found] = {}
        paths: dict[str, FileKey] = {}
        for file in found:
            paths[file.path] = file.key
            there.setdefault(file.key, file)
        self._homes = {key: self._homes.get(key) or self._home(key, file) for key, file in there.items()} | {
            key: tail.home for key, tail in self.tails.items()
        }
        mine = {key: file for key, file in there.items() if self._owns(self._homes[key])}
        for tail in list(self.tails.values()):
            at_path = paths.get(tail.path) or _key_at(tail.path)
            self._follow(tail, mine.get(tail.key), left=at_path != tail.key)
        announced = self._adopt([file for key, file in mine.items() if key not in self.tails])
        for key in self._waiting.keys() - mine.keys():
            tail = self._waiting.pop(key).tail
            if tail.previous:
                self._leave(tail)
        self._first = False
        return announced

    def finish(self) -> bool:
        """Have everything emitted that is there, half-written lines too; whether there is anything left to do."""
        for tail in self.tails.values():
            if not tail.ended:
                tail.last = tail.more = True
        return any(tail.more for tail in self.tails.values())

    def _home(self, key: FileKey, file: Found) -> str:
        """A file stays with the worker of the path where it was first seen, or where its records were written."""
        known = self._left.get(key)
        return known[1].home if known else family(os.path.realpath(file.path))

    def _owns(self, home: str) -> bool:
        return zlib.crc32(os.fsencode(home)) % self._workers == self._worker

    def _follow(self, tail: Tail, file: Found | None, *, left: bool) -> None:
        """News of a file that is being read."""
        if file is not None:
            if file.path != tail.seen:
                tail.seen, tail.real_path = file.path, os.path.realpath(file.path)
            signature = file.signature
        else:
            try:
                tail.open()
            except OSError:
                self.release(tail)
                return
            status = tail.status()
            assert status is not None
            signature = (status.st_size, status.st_mtime_ns)
        if signature != tail.signature:
            if file is not None and not tail.is_open and self._reborn(tail, file):
                return
            tail.signature, tail.more, tail.ended = signature, True, False
            self._idle_since.pop(tail.key, None)
        if not left:
            self._idle_since.pop(tail.key, None)
        elif not tail.more:
            since = self._idle_since.setdefault(tail.key, self._clock())
            tail.last = self._clock() - since >= LINGER
            if tail.ended and file is None:
                self.release(tail)

    def _reborn(self, tail: Tail, file: Found) -> bool:
        """Open a file that was closed; whether its inode turns out to belong to another file by now, perhaps a copy."""
        epoch = tail.epoch
        try:
            tail.open()
        except OSError:
            return False  # told when it is to be read
        if tail.epoch == epoch or not _is_rotated(file.path):
            return False
        del self.tails[tail.key]
        self._waiting[tail.key] = _Waiting(tail, (-1, -1))
        return True

    def release(self, tail: Tail) -> None:
        """Let go of a file that has no path any more."""
        tail.close()
        self.tails.pop(tail.key, None)
        self._idle_since.pop(tail.key, None)
        self._leave(tail)
        events.FileClosed(self._source, tail.path, tail.mark.offset).emit()

    def _leave(self, tail: Tail) -> None:
        self._left[tail.key] = (tail.epoch, tail.checkpoint)
        self._left.move_to_end(tail.key)
        while len(self._left) > _MOST_LEFT:
            self._left.popitem(last=False)

    def leaving(self, tail: Tail) -> bool:
        """Whether its path does not lead to it any more: once closed, it may never be found again."""
        return tail.key in self._idle_since

    def close(self) -> None:
        for tail in self.tails.values():
            tail.close()

    # New files -------------------------------------------------------------------------------------------------------

    def _adopt(self, files: list[Found]) -> list[Batch]:
        """Known positions first, then files under their own name: a copy is recognised by what is known of both."""
        announced: list[Batch] = []
        files.sort(key=lambda file: (file.key not in self._left, _is_rotated(file.path), file.signature[1]))
        for file in files:
            waiting = self._waiting.get(file.key)
            tail = waiting.tail if waiting else self._new(file)
            try:
                announce = self._begin(tail, file, waiting)
            except OSError as error:
                failed(self._source, file.path, error)
                tail.close()
                announce = False
                if file.key not in self.tails and not _is_rotated(file.path):
                    self.tails[file.key] = tail  # what it holds is read once it can be opened
            if announce:
                announced.append(tail.announcement())
        return announced

    def _new(self, file: Found) -> Tail:
        tail = self._make(file.key, file.path, os.path.realpath(file.path), self._homes[file.key])
        tail.signature = file.signature
        return tail

    def _begin(self, tail: Tail, file: Found, waiting: _Waiting | None) -> bool:
        """Find where to start; whether that must be committed at once. The tail may be left waiting."""
        if tail.key in self._left:
            epoch, checkpoint = self._left.pop(tail.key)
            if self._first and self._start == "beginning":
                tail.epoch = epoch + 1
            else:
                tail.resume(epoch, checkpoint)
            self.tails[tail.key] = tail
            if not self._reborn(tail, file):
                return False
        original = self._original(tail, file, waiting)
        if original is None:
            tail.close()
            return False
        self._waiting.pop(tail.key, None)
        self.tails[tail.key] = tail
        announce = tail.follows is not None
        if original is START and self._first and self._start == "end":
            original, announce = _last_line(tail.open()), True
        tail.start_at(original)
        tail.open()
        return announce

    def _original(self, tail: Tail, file: Found, waiting: _Waiting | None) -> Mark | None:
        """The mark up to which another file's reading covers this one; START if none; None to wait."""
        if waiting and waiting.signature == file.signature:
            if waiting.key is None:
                return None
            sibling = self.tails.get(waiting.key)
            if sibling and sibling.epoch == waiting.epoch:
                return None
            for ended in self._ended(tail):
                if (ended.key, ended.epoch) == (waiting.key, waiting.epoch):
                    self._continue(tail, ended)
                    short = waiting.length < ended.mark.offset
                    return Mark.at(waiting.length, tail.open(), ended.mark.format) if short else ended.mark
        if not _is_rotated(file.path):
            return self._renumbered(tail)
        family = [other for other in self.tails.values() if other.home == tail.home]
        if not family and not any(self._ended(tail)):
            return START
        content = tail.open()
        # Rotated files are not copied but compressed; what may equal them otherwise is another file.
        siblings = [other for other in family if content.fixed or not _is_rotated(other.seen) or self.leaving(other)]
        if not content.read(0, 1):
            self._waiting[tail.key] = _Waiting(tail, file.signature)
            return None
        for sibling in siblings:
            length = starts_with(sibling.check(), content)
            if length is not None:
                self._waiting[tail.key] = _Waiting(tail, file.signature, sibling.key, sibling.epoch, length)
                return None
        if content.fixed and not content.complete:
            self._waiting[tail.key] = _Waiting(tail, file.signature)
            return None
        for sibling in siblings:
            sibling.check()  # if it was truncated while it was compared, its content has ended now
        return self._match(tail, content, self._ended(tail))

    def _renumbered(self, tail: Tail) -> Mark:
        """The same path and inode on a device that got another number, as happens when a machine starts."""
        inode = tail.key.partition("-")[2]
        same = []
        for ended in self._ended(tail):
            if ended.key.partition("-")[2] == inode and (known := self._left.get(ended.key)):
                same += [ended] if known[1].path == tail.checkpoint.path else []
        return self._match(tail, tail.open(), same) if same else START

    def _match(self, tail: Tail, content: Content, candidates: Iterable[_Ended]) -> Mark:
        for ended in sorted(candidates, key=lambda ended: -ended.mark.offset):
            if ended.mark.offset and ended.mark.matches(content) is not None:
                self._continue(tail, ended)
                return ended.mark
        return START

    def _ended(self, tail: Tail) -> Iterator[_Ended]:
        """The ended contents of the file's family that no file continues yet."""
        known = [(key, epoch, point) for key, (epoch, point) in self._left.items() if point.home == tail.home]
        living = [*self.tails.values(), *(waiting.tail for waiting in self._waiting.values())]
        known += [(live.key, live.epoch, live.checkpoint) for live in living if live.home == tail.home]
        for key, epoch, point in known:
            marks = [_Ended(key, epoch, point.mark)] if key in self._left else []
            marks += [_Ended(key, epoch - 1, point.previous)] if point.previous else []
            yield from (ended for ended in marks if ended.name not in self._continued)

    def _continue(self, tail: Tail, ended: _Ended) -> None:
        self._continued.add(ended.name)
        tail.follows = ended.name
        waiting = self._waiting.get(ended.key)
        live = self.tails.get(ended.key) or (waiting.tail if waiting else None)
        if live and live.epoch == ended.epoch + 1:
            live.previous = None


def failed(source: str, path: str, error: OSError) -> None:
    """Say that a file cannot be read; it is tried again as long as it is there."""
    reason = {PermissionError: "permission", FileNotFoundError: "vanished"}.get(type(error), "io")
    events.SourceFailed(source, reason, path, error.strerror or type(error).__name__).emit()


def _key_at(path: str) -> FileKey | None:
    try:
        return file_key(os.stat(path))  # noqa: PTH116
    except OSError:
        return None


def _is_rotated(path: str) -> bool:
    name = os.path.basename(path)  # noqa: PTH119
    return base_name(name) != name


def _last_line(content: Content) -> Mark:
    """Behind the last line end: to begin within a line could show half of a secret."""
    step = 64 << 10
    offset = content.status.st_size
    if content.fixed:
        offset = starts_with(content, content) or 0
    while offset > 0:
        start = max(0, offset - step)
        newline = content.read(start, offset - start).rfind(b"\n")
        if newline >= 0:
            return Mark.at(start + newline + 1, content)
        offset = start
    return START
