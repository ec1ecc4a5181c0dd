"""One file being read: where we are in it, and the next batches from there."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from msgspec import structs

from collector import events
from collector.batch import Batch, Nanoseconds, Origin, Position
from collector.sources.content import Content, is_compressed, open_content
from collector.sources.fingerprint import DENSE, START, WINDOW, Fingerprints, Mark
from collector.sources.framing import Cut, Format, Line, Run, block, detect, frame, framer
from collector.sources.identity import Checkpoint, Ended, FileKey, file_key, row, text
from collector.sources.kubernetes import attributes

_PROBE = 4096  # bytes at the end of a block that are looked at for the end of a line
_MOST_ENDED = 8  # contents of one file, of which no copy has turned up


class Tail:
    """All that is kept of a file between turns is its mark: closing and opening again changes nothing.

    Methods block, and raise OSError when the file cannot be read.
    """

    def __init__(
        self,
        source: str,
        key: FileKey,
        path: str,
        real_path: str,
        *,
        home: str,
        cut: Cut,
        prints: Fingerprints,
        now: Callable[[], Nanoseconds],
        format: Format | None = None,  # noqa: A002
    ) -> None:
        self.key, self.home = key, home
        self.seen, self.real_path = path, real_path  # where it was last found
        self.path = path  # where its records were written
        self.epoch = 0
        self.mark: Mark = START
        self.contents: tuple[Ended, ...] = ()  # that the file held before
        self.cut: list[tuple[Ended, int]] = []  # truncated contents, and how much is known to have been unread of them
        self.follows: tuple[str, ...] = ()  # names of contents that it went on with
        self.more = True  # another turn may find something
        self.last = False  # the next turn takes all there is, a half-written line too
        self.drained = False  # that was done
        self.idle_since: float | None = None  # without news while its path does not lead to it any more
        self.signature = (-1, -1)  # size and time of change when last looked at
        self._source, self._cut, self._prints, self._now, self._format = source, cut, prints, now, format
        self._content: Content | None = None
        self.elsewhere = False  # when it was opened, it was no longer where it was seen
        self.packed = False  # known to be compressed
        self._before = b""  # the bytes before the offset, while open
        self._handed = 0  # offset up to which batches account for what was read
        self._origin = self._name()

    # Where we are ----------------------------------------------------------------------------------------------------

    def resume(self, epoch: int, checkpoint: Checkpoint) -> None:
        """Go on where a committed position says, if the file still is what it was then."""
        self.epoch, self.mark, self.packed = epoch, checkpoint.mark, checkpoint.packed
        self.path = checkpoint.path if checkpoint.mark.offset else self.seen
        self.contents, self.follows, self._handed = checkpoint.ended, checkpoint.follows, checkpoint.mark.offset
        self._origin = self._name()

    def rename(self, path: str, real_path: str) -> None:
        """It was found elsewhere before anything of it was read."""
        self.seen, self.real_path, self.path = path, real_path, path
        self._origin = self._name()

    def forget(self) -> None:
        """Begin a new epoch; what was read of the file is of no more use."""
        self.epoch, self.mark, self._handed = self.epoch + 1, START, 0
        self.path = self.seen
        self._origin = self._name()

    def start_at(self, mark: Mark) -> None:
        """Skip what is before the mark, which must be one of this content."""
        self.mark, self._handed = mark, mark.offset
        self.more, self.last, self.drained = True, False, False
        if self._content is not None:
            self.close()

    @property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint(text(self.path), self.home, self.mark, self.packed, self.contents, self.follows)

    @property
    def position(self) -> Position:
        return Position(self._source, row(self.key, self.home), self.epoch, self.checkpoint.encode())

    def announcement(self) -> Batch:
        """The position alone, for where it says something that no record does."""
        now = self._now()
        return Batch("logs", "lines", self._origin, b"", 0, now, now, (self.position,))

    # The open file ---------------------------------------------------------------------------------------------------

    def open(self) -> Content:
        if self._content is None:
            self._content = self._find()
            # A compressed copy may have got the very inode of what it is a copy of.
            another = bool(self.mark.offset) and self._content.fixed != self.packed
            self.packed = self._content.fixed
            before = None if another else self._prints.before(self.mark, self._content)
            if before is None:
                self._roll_over()
            else:
                self._before = before
                events.FileOpened(self._source, self.path, self.mark.offset).emit()
        return self._content

    def close(self) -> None:
        if self._content is not None:
            self._content.close()
            self._content, self._before = None, b""

    @property
    def is_open(self) -> bool:
        return self._content is not None

    @property
    def leaving(self) -> bool:
        """Whether its path does not lead to it any more: once closed, it may never be found again."""
        return self.idle_since is not None

    @property
    def unread(self) -> bool:
        """Whether there is more in the file than was read, as far as was seen."""
        return self.more or (not self.packed and self.signature[0] > self.mark.offset)

    @property
    def needed(self) -> bool:
        """Whether it must not be closed: it holds more than was read, and would not be found again."""
        if self._content is None:
            return False
        status = os.fstat(self._content.fileno())
        if not self.more and (self.packed or status.st_size <= self.mark.offset):
            return False
        if status.st_nlink == 0:
            return True
        try:
            return not (self._leads_here(self.seen) or any(map(self._leads_here, self._others())))
        except OSError:  # the folder is gone
            return True

    def status(self) -> tuple[int, int]:
        """Size and time of change now, wherever the file is."""
        status = os.fstat(self.open().fileno())
        return status.st_size, status.st_mtime_ns

    def check(self) -> Content:
        """The open file; if it was truncated, that is noticed now."""
        self._check()
        return self.open()

    def _find(self) -> Content:
        """By its path, or else, as it may have been renamed since, by its inode in the same folder."""
        try:
            content = open_content(self.seen)
            if file_key(content.status) == self.key:
                self.elsewhere = False
                return content
            content.close()
        except FileNotFoundError:
            pass
        for path in self._others():
            content = open_content(path)
            if file_key(content.status) == self.key:
                self.elsewhere = True
                return content
            content.close()
        raise FileNotFoundError(2, "no longer there", self.seen)

    def _others(self) -> list[str]:
        """Paths in the same folder that may lead to it."""
        inode = int(self.key.partition("-")[2], 16)
        with os.scandir(Path(self.real_path).parent) as entries:
            return [entry.path for entry in entries if entry.inode() == inode]

    def _leads_here(self, path: str) -> bool:
        try:
            return file_key(os.stat(path)) == self.key  # noqa: PTH116
        except OSError:
            return False

    def _read(self, size: int) -> tuple[bytes, bool]:
        """Up to `size` bytes from the offset, which is 0 if the bytes before it are not what they had been; and whether
        the content ends before. A line that is not whole is left out where that is cheap, so that it need not be cut
        off: a copy of a block costs a tenth of reading it.

        The bytes before are read last: if they still are there, what was read came from the same content.
        """
        content, offset = self.open(), self.mark.offset
        wanted = size
        if not content.fixed and size > _PROBE:
            last = content.read(offset + size - _PROBE, _PROBE)
            wanted -= len(last) - 1 - last.rfind(b"\n") if len(last) == _PROBE and b"\n" in last else 0
        data = content.read(offset, wanted)
        if not self._check():
            data = content.read(0, wanted := size)
        return data, len(data) < wanted

    def _check(self) -> bool:
        """Whether the bytes before the offset are what they had been; if they are not, a new epoch has begun."""
        content = self.open()
        window = len(self._before)
        if content.fixed or content.read(self.mark.offset - window, window) == self._before:
            return True
        self._roll_over()
        return False

    def _roll_over(self) -> None:
        """Another content is in the file: begin a new epoch with it."""
        if self.path == self.seen and not self.elsewhere:
            events.FileTruncated(self._source, self.path, self.mark.offset).emit()
        ended = Ended(self.epoch, text(self.path), self.mark)
        if (unread := self.signature[0] - self.mark.offset) > 0 and not self.packed:
            self.cut.append((ended, unread))
        self.contents = (*self.contents, ended)[-_MOST_ENDED:]
        self.mark, self._before = START, b""
        self.epoch += 1
        self._handed = 0
        self.path = self.seen
        self._origin = self._name()

    def _name(self) -> Origin:
        path = text(self.path)
        named = attributes(path, self.real_path) | {"log.file.path": path, "log.file.name": Path(path).name}
        return Origin(self._source, tuple(sorted(named.items())))

    # Reading ---------------------------------------------------------------------------------------------------------

    def turn(self) -> list[Batch]:
        """Read about one block and frame it."""
        data, ended = block(self._read, self.mark.state, self._cut)
        if not (self.mark.offset or self.open().fixed) and is_compressed(data):  # was empty when it was opened
            self.close()
            data, ended = block(self._read, self.mark.state, self._cut)
        content = self.open()
        closing = ended and (self.last or (content.fixed and content.complete))
        runs = self._frame(data, ended=ended, closing=closing)
        read = _Read(self._before, data, self.mark.offset)
        batches = [batch for run in runs if (batch := self._take(run, read))]
        if ended and content.fixed and not content.complete:
            self.close()  # so that what is still to be written is looked for
        held = b"\n" in data[self.mark.offset - read.offset :]  # of a line behind a long one, or of an open key
        self.more = not ended or bool(runs and (closing or held or self.mark.state.line is not Line.START))
        if closing and not self.more:
            self.drained, self.last = True, False
            if content.fixed:
                self.close()
        return batches

    def _frame(self, data: bytes, *, ended: bool, closing: bool) -> list[Run]:
        mark, cut, now = self.mark, self._cut, self._now()
        format = mark.format or self._format or detect(data + b"\n" if closing or len(data) > cut.limit else data)  # noqa: A001
        if format is None:
            return []
        self.mark = structs.replace(mark, format=format)
        framed = framer(format, read=self._again, cut=cut, now=now)
        return frame(framed, data, mark.offset, mark.state, cut, now, ended=ended, closing=closing)

    def _again(self, offset: int, size: int) -> bytes:
        return self.open().read(offset, size)

    def _take(self, run: Run, read: "_Read") -> Batch | None:
        """Move on behind a run."""
        offset = min(run.end, read.offset + len(read.data))
        raw, start = read.around(self.mark.offset, offset)
        self.mark, self._before = self._prints.grown(self.mark, raw, start, offset, run.state)
        if run.pieces:
            events.LineCut(self._source, self.path, run.pieces).emit()
        if run.dropped:
            events.Dropped("line_cannot_be_cut", self._source, "logs", run.given_up, run.dropped).emit()
            self._handed += run.dropped
        if not run.records:
            return None
        size, self._handed = offset - self._handed, offset
        return Batch(
            "logs",
            "lines",
            self._origin,
            run.body,
            run.records,
            run.first_time,
            run.last_time,
            (self.position,),
            run.heads,
            size,
        )


@dataclass(slots=True, frozen=True)
class _Read:
    """What was read at an offset, and the bytes before it."""

    before: bytes
    data: bytes
    offset: int

    def around(self, old: int, new: int) -> tuple[bytes, int]:
        """Bytes that hold what is between two marks, as far as it matters to fingerprints; and where they start.

        Both parts are joined only where they must be: a copy of a block costs as much as a tenth of reading it.
        """
        if old >= DENSE and new - self.offset >= WINDOW:
            return self.data, self.offset
        return self.before + self.data[: new - self.offset], self.offset - len(self.before)
