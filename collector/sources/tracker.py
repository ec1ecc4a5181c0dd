"""Which files this worker reads, through rename, copy, compression, truncation and deletion.

A file is known by its key, so renaming changes nothing. A file that turns up under a rotated name with a new inode is
a copy (copytruncate, gzip) if its content says so: while its original is still being read it waits, and is continued
where reading of the original ended. What is decided here follows from the files and from committed positions alone,
so it is decided again in the same way after a kill.
"""

import os
import zlib
from collections.abc import Callable, Iterable, Mapping

from collector import events
from collector.batch import Batch, Position
from collector.sources.content import Content, open_content, starts_with
from collector.sources.copies import Copies, Waiting
from collector.sources.discovery import Found
from collector.sources.fingerprint import START, Fingerprints, Mark
from collector.sources.history import History, Past
from collector.sources.identity import Checkpoint, FileKey, family, file_key, is_rotated
from collector.sources.tail import Tail

LINGER = 5.0
"""Seconds without news after which a file that left its path is let go: its writer may not have noticed yet."""


class Tracker:
    """The files of one worker. `make` builds a Tail from (key, path, real path, home)."""

    def __init__(
        self,
        source: str,
        make: Callable[[FileKey, str, str, str], Tail],
        positions: Mapping[str, Position],
        prints: Fingerprints,
        *,
        start: str,
        worker: int,
        workers: int,
        clock: Callable[[], float],
    ) -> None:
        self.tails: dict[FileKey, Tail] = {}
        self._source, self._make, self._start, self._clock = source, make, start, clock
        self._prints, self._history = prints, History(source, positions)
        self._worker, self._workers = worker, workers
        self._homes: dict[FileKey, tuple[str, str]] = {}  # path and family
        self._copies = Copies(self.tails, self._history, prints)
        self._cut: list[tuple[Past, int, float]] = []  # with what was unread of it, and since when
        self._first = True

    # What is there ---------------------------------------------------------------------------------------------------

    def update(self, found: Iterable[Found]) -> list[Batch]:
        """Take in what `discover` found; positions that must be committed now."""
        there: dict[FileKey, Found] = {}
        paths: dict[str, FileKey] = {}
        for file in found:
            paths[file.path] = file.key
            there.setdefault(file.key, file)
        self._homes = {key: (file.path, self._home(key, file)) for key, file in there.items()}
        mine = {key: file for key, file in there.items() if key in self.tails or self._owns(self._homes[key][1])}
        for tail in list(self.tails.values()):
            at_path = paths.get(tail.path) or _key_at(tail.path)
            self._follow(tail, mine.get(tail.key), left=at_path != tail.key)
            if tail.key not in self.tails and tail.key in there:  # its inode is another file's by now
                self._homes.pop(tail.key)
                self._homes[tail.key] = (there[tail.key].path, self._home(tail.key, there[tail.key]))
        for key, waiting in list(self._copies.waiting.items()):
            if key not in there or self._homes[key][1] != waiting.tail.home:
                self._set_aside(self._copies.waiting.pop(key).tail)
        announced = self._adopt([file for key, file in mine.items() if key not in self.tails])
        self._tell_of_losses()
        self._first = False
        return announced

    def finish(self) -> bool:
        """Have everything emitted that is there, half-written lines too; whether there is anything left to do."""
        for tail in self.tails.values():
            if not tail.drained:
                tail.last = tail.more = True
        return any(tail.more for tail in self.tails.values())

    def _home(self, key: FileKey, file: Found) -> str:
        """The family of its path; a file that was renamed out of its family stays in it, and so with its worker."""
        if tail := self.tails.get(key):
            return tail.home
        seen, home = self._homes.get(key, ("", ""))
        if seen == file.path:
            return home
        home = family(os.path.realpath(file.path))
        known = self._history.of(key)
        if not any(point.home == home for point in known):
            for point in known:
                if point.mark.offset and self._holds(file, point):
                    return point.home
        return home

    def _holds(self, file: Found, point: Checkpoint) -> bool:
        """Whether a file still is what a checkpoint was made of; also if that cannot be found out."""
        try:
            content = open_content(file.path)
        except OSError:
            return True
        try:
            return content.fixed == point.packed and self._prints.before(point.mark, content) is not None
        except OSError:
            return True
        finally:
            content.close()

    def _owns(self, home: str) -> bool:
        return zlib.crc32(home.encode()) % self._workers == self._worker

    def _follow(self, tail: Tail, file: Found | None, *, left: bool) -> None:
        """News of a file that is being read."""
        if file is not None:
            if file.path != tail.seen:
                tail.seen, tail.real_path = file.path, os.path.realpath(file.path)
            signature = file.signature
        else:
            try:
                if not self.reopen(tail):
                    return
            except OSError as error:
                self.lose(tail, error)
                return
            signature = tail.status()
        if signature != tail.signature:
            if file is not None and not self._known(tail):
                return
            tail.signature, tail.more, tail.drained = signature, True, False
            tail.idle_since = None
        if not left:
            tail.idle_since = None
        elif not tail.more:
            if tail.idle_since is None:
                tail.idle_since = self._clock()
            tail.last = self._clock() - tail.idle_since >= LINGER
            if tail.drained and file is None:
                self.release(tail)

    def reopen(self, tail: Tail) -> bool:
        """Open a file if it is closed; whether it is what it was. Its inode may belong to another file by now, perhaps
        a copy, perhaps one of another family: then that is left to the next look. Raises OSError."""
        if tail.is_open:
            tail.check()  # so that the size last seen is one of the content before, and tells what was cut off
            return True
        epoch = tail.epoch
        tail.open()
        # What nothing was read of cannot be told from another file, unless it is as it was.
        if tail.epoch == epoch and (tail.mark.offset or tail.status() == tail.signature):
            return True
        gone = tail.elsewhere or family(tail.real_path) != tail.home
        if not gone and not is_rotated(tail.seen):
            return True
        tail.close()
        del self.tails[tail.key]
        tail.idle_since = None
        if gone:
            self._set_aside(tail)
        else:
            self._copies.waiting[tail.key] = Waiting(tail, (-1, -1))
        return False

    def _set_aside(self, tail: Tail) -> None:
        tail.close()
        if tail.epoch or tail.mark.offset:
            self._history.leave(tail)

    def _known(self, tail: Tail) -> bool:
        try:
            return self.reopen(tail)
        except OSError:
            return True  # told when it is to be read

    def lose(self, tail: Tail, error: OSError) -> None:
        """Let go of a file that cannot be opened again where it has no path any more; told if it was not read to its
        end."""
        if tail.unread:
            failed(self._source, tail.path, error)
        self.release(tail)

    def release(self, tail: Tail) -> None:
        """Let go of a file that has no path any more."""
        tail.close()
        self.tails.pop(tail.key, None)
        tail.idle_since = None
        self._history.leave(tail)
        events.FileClosed(self._source, tail.path, tail.mark.offset).emit()

    def _tell_of_losses(self) -> None:
        """What was seen of a file, but cut off before it was read, is lost if no copy of it turns up."""
        now = self._clock()
        for tail in self.tails.values():
            for ended, unread in tail.cut:
                past = Past(tail.key, tail.home, ended.epoch, ended.path, ended.mark)
                self._cut.append((past, unread, now))
            tail.cut.clear()
        for lost in [lost for lost in self._cut if now - lost[2] >= LINGER]:
            self._cut.remove(lost)
            if not self._history.is_continued(lost[0]):
                events.Dropped("truncated", self._source, "logs", 0, lost[1]).emit()

    def close(self) -> None:
        for tail in self.tails.values():
            tail.close()

    # New files -------------------------------------------------------------------------------------------------------

    def _adopt(self, files: list[Found]) -> list[Batch]:
        """Take in files that are not read yet; originals before their copies."""
        for file in files:
            if known := self._history.take(file.key, self._homes[file.key][1]):
                self._resume(file, *known)
        announced: list[Batch] = []
        for file in sorted(files, key=_rank):
            if file.key in self.tails or not self._owns(self._homes[file.key][1]):
                continue
            waiting = self._copies.waiting.get(file.key)
            tail = waiting.tail if waiting else self._new(file)
            if tail.seen != file.path:
                tail.rename(file.path, os.path.realpath(file.path))
            try:
                announce = self._begin(tail, file)
            except OSError as error:
                failed(self._source, file.path, error)
                tail.close()
                announce = False
                if not is_rotated(file.path):
                    self.tails[file.key] = tail  # what it holds is read once it can be opened
            if announce:
                announced.append(tail.announcement())
        return announced

    def _new(self, file: Found) -> Tail:
        tail = self._make(file.key, file.path, os.path.realpath(file.path), self._homes[file.key][1])
        tail.signature = file.signature
        return tail

    def _resume(self, file: Found, epoch: int, checkpoint: Checkpoint) -> None:
        """A file with a position goes on from there, if it still is what it was."""
        tail = self._make(file.key, file.path, os.path.realpath(file.path), self._homes[file.key][1])
        self.tails[tail.key] = tail
        if self._anew:
            tail.epoch = epoch + 1
            return
        tail.resume(epoch, checkpoint)
        if self._history.is_continued(Past(tail.key, tail.home, epoch, tail.path, tail.mark)):
            tail.forget()  # read to its end in another file: an inode used again, perhaps by a copy of that one
        self._known(tail)

    @property
    def _anew(self) -> bool:
        """Whether files that are there are read from their beginning, whatever was read of them."""
        return self._first and self._start == "beginning"

    def _begin(self, tail: Tail, file: Found) -> bool:
        """Find where to start; whether that must be committed at once. The tail may be left waiting."""
        original = self._copies.original(tail, file, anew=self._anew)
        if original is None:
            tail.close()
            return False
        self._copies.waiting.pop(tail.key, None)
        self.tails[tail.key] = tail
        announce = original is not START
        if original is START and self._first and self._start == "end":
            original, announce = self._last_line(tail.open()), True
        tail.start_at(original)
        tail.signature = file.signature
        tail.open()
        return announce

    def _last_line(self, content: Content) -> Mark:
        """Behind the last line end: to begin within a line could show half of a secret."""
        step = 64 << 10
        offset = content.status.st_size
        if content.fixed:
            offset = starts_with(content, content) or 0
        while offset > 0:
            start = max(0, offset - step)
            newline = content.read(start, offset - start).rfind(b"\n")
            if newline >= 0:
                return self._prints.at(start + newline + 1, content)
            offset = start
        return START


def failed(source: str, path: str, error: OSError) -> None:
    """Say that a file cannot be read; it is tried again as long as it is there."""
    reason = {PermissionError: "permission", FileNotFoundError: "vanished"}.get(type(error), "io")
    events.SourceFailed(source, reason, path, error.strerror or type(error).__name__).emit()


def _rank(file: Found) -> tuple[bool, bool, int]:
    """Files under their own name come first, then plain ones, then older ones."""
    return (is_rotated(file.path), file.path.endswith(".gz"), file.signature[1])


def _key_at(path: str) -> FileKey | None:
    try:
        return file_key(os.stat(path))  # noqa: PTH116
    except OSError:
        return None
