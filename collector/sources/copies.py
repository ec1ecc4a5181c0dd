"""Whether a file that turns up is a copy of one that is known: made by copytruncate or gzip."""

from collections.abc import Mapping
from dataclasses import dataclass

from collector.sources.content import Content, is_compressed, starts_with
from collector.sources.discovery import Found
from collector.sources.fingerprint import START, Fingerprints, Mark
from collector.sources.history import History, Past
from collector.sources.identity import FileKey, is_rotated
from collector.sources.tail import Tail


@dataclass(slots=True, frozen=True)
class Waiting:
    """A file that must not be read now: a copy of what `key` holds in `epoch`, or one that cannot be told yet."""

    tail: Tail
    signature: tuple[int, int]
    key: FileKey | None = None
    epoch: int = 0


class Copies:
    """Decides from where a file is read. `tails`: the files that are being read."""

    def __init__(self, tails: Mapping[FileKey, Tail], history: History, prints: Fingerprints) -> None:
        self.waiting: dict[FileKey, Waiting] = {}
        self._tails, self._history, self._prints = tails, history, prints

    def original(self, tail: Tail, file: Found, *, anew: bool) -> Mark | None:
        """The mark up to which another file's reading covers this one; START if none; None to wait."""
        waiting = self.waiting.get(tail.key)
        if waiting and waiting.signature == file.signature:
            if waiting.key is None:
                return None
            sibling = self._tails.get(waiting.key)
            if sibling and sibling.epoch == waiting.epoch:
                return None
        if not is_rotated(file.path):
            return self._renumbered(tail)
        content = tail.open()
        if (not content.fixed and is_compressed(content.read(0, 2)) is None) or not content.read(0, 1):
            self.waiting[tail.key] = Waiting(tail, file.signature)
            return None
        siblings = self._siblings(tail, packed=content.fixed)
        for sibling in siblings:
            if starts_with(sibling.check(), content) is not None:
                self.waiting[tail.key] = Waiting(tail, file.signature, sibling.key, sibling.epoch)
                return None
        for sibling in siblings:
            sibling.check()  # if it was truncated while it was compared, its content has ended now
        return self._match(tail, file, content, [] if anew else self._past(tail))

    def _siblings(self, tail: Tail, *, packed: bool) -> list[Tail]:
        """The files that this one may be a copy of. Rotated files are not copied but compressed, or unpacked; what may
        equal them otherwise is another file."""
        return [
            other
            for other in self._tails.values()
            if other.home == tail.home and (packed or other.packed or not is_rotated(other.path) or other.leaving)
        ]

    def _match(self, tail: Tail, file: Found, content: Content, pasts: list[Past]) -> Mark | None:
        """The ended content that this one goes on with, or is a front part of: the longest that was read."""
        pasts.sort(key=lambda past: -past.mark.offset)
        for past in pasts:
            if self._prints.before(past.mark, content) is not None:
                return self._go_on(tail, past)
        for past in pasts:  # a shorter copy has nothing new, and leaves the content to another one
            length = self._prints.covered(past.mark, content)
            if length is not None:
                if content.fixed and not content.complete:  # still being written: it may hold more than was read
                    self.waiting[tail.key] = Waiting(tail, file.signature)
                    return None
                return self._prints.at(length, content, past.mark.format)
        return START

    def _renumbered(self, tail: Tail) -> Mark:
        """The same path and inode on a device that got another number, as happens when a machine starts."""
        inode = tail.key.partition("-")[2]
        for past in self._past(tail):
            same_place = past.key.partition("-")[2] == inode and past.path == tail.checkpoint.path
            if same_place and self._prints.before(past.mark, tail.open()) is not None:
                return self._go_on(tail, past)
        return START

    def _past(self, tail: Tail) -> list[Past]:
        living = [*self._tails.values(), *(waiting.tail for waiting in self.waiting.values())]
        return list(self._history.past(tail.home, living))

    def _go_on(self, tail: Tail, past: Past) -> Mark:
        """Go on with a content where its reading ended."""
        self._history.go_on(past, tail)
        waiting = self.waiting.get(past.key)
        live = self._tails.get(past.key) or (waiting.tail if waiting else None)
        if live and live.home == past.home:
            live.contents = tuple(ended for ended in live.contents if ended.epoch != past.epoch)
        return past.mark
