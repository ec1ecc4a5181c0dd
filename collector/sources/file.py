"""The `file` source: tails files, plain or written by a container runtime."""

import asyncio
import contextlib
import heapq
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from datetime import timedelta
from gzip import BadGzipFile
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from watchfiles import Change

from collector import events
from collector.batch import TARGET_BYTES, Batch, Nanoseconds, Position
from collector.sources.discovery import Roots, Watcher, discover
from collector.sources.fingerprint import Fingerprints
from collector.sources.framing import Cut
from collector.sources.identity import FileKey
from collector.sources.pace import Pace
from collector.sources.source import Emit, Redact
from collector.sources.tail import Tail
from collector.sources.thread import in_thread
from collector.sources.tracker import Tracker, failed
from settings import ByteSize, Duration, Settings

_BACKUP = 10  # with inotify, polling is this much rarer: it only catches what the kernel did not tell
_SHARE = 10  # looking for files may take one part in this many of the time


class FileOptions(Settings):
    """Tails files. Positions are kept in the spool: after a restart reading goes on exactly where it ended."""

    type: Literal["file"] = "file"
    include: Annotated[tuple[str, ...], Field(min_length=1)]
    """Glob patterns of the files to read; `**` matches any number of folders."""
    exclude: tuple[str, ...] = ()
    """Glob patterns of files not to read, written like those of `include`."""
    format: Literal["auto", "plain", "docker", "cri"] = "auto"
    """The envelope around each line: none, Docker's json-file, or CRI; `auto` looks at each file's first lines."""
    start: Literal["checkpoint", "beginning", "end"] = "checkpoint"
    """Where to start: `checkpoint` goes on where it ended, and reads files without a position from their beginning;
    `end` does the same, but skips what is in files without a position when it starts; `beginning` reads files that are
    there at the start anew, whatever was read of them."""
    max_line_bytes: Annotated[ByteSize, Field(ge=64 << 10, le=64 << 20)] = 1 << 20
    """A longer line is cut into records marked `"partial":true`, where no secret is divided."""
    watch: Literal["inotify", "poll"] = "inotify"
    """How to learn of changes: from the kernel (polling all the same, ten times as rarely), or by polling alone, for
    file systems whose changes the kernel does not see."""
    poll_interval: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(seconds=1)
    """How often to look for new and changed files."""
    rate_limit: Annotated[ByteSize, Field(ge=1024)] | None = None
    """Bytes a second that one file, with those rotated away from it, may be read at; the rest waits in the file. What
    floods then leaves the others their share of the spool. Default: no limit; files have their turns one by one."""
    max_open_files: Annotated[int, Field(ge=1)] = 512
    """Files kept open at the same time; more are read in turn."""


class FileSource:
    """Reads its share of the files, a block of each in turn, so that a noisy one does not hold up the others.

    `redact` is the scrubber: it is asked where a long line may be cut. `positions` are the committed ones of this
    source. Of `workers` processes, this is `worker`; files go by directory and name, so that rotated files stay where
    they are. `once`: read what is there, half-written lines too, and return. `secret` keys the fingerprints in
    positions, which are stored with the data; it must stay the same as long as the positions do. `now` and `clock` are
    the wall clock in nanoseconds and a monotonic one in seconds.
    """

    def __init__(
        self,
        name: str,
        options: FileOptions,
        *,
        redact: Redact,
        positions: Mapping[str, Position] | None = None,
        worker: int = 0,
        workers: int = 1,
        once: bool = False,
        secret: bytes = b"",
        now: Callable[[], Nanoseconds] = time.time_ns,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._options, self._once, self._clock, self._now = options, once, clock, now
        self._cut, self._prints = Cut(options.max_line_bytes, redact), Fingerprints(secret)
        self._tracker = Tracker(
            name,
            self._tail,
            positions or {},
            self._prints,
            start=options.start,
            worker=worker,
            workers=workers,
            clock=clock,
        )
        self._ready: deque[FileKey] = deque()
        self._packed: deque[FileKey] = deque()  # of those that are ready
        self._turn_of_packed = False
        self._pace = Pace(options.rate_limit, clock)
        self._resting: list[tuple[float, FileKey, bool]] = []  # a heap: until when, and whether a packed one is begun
        self._queued: set[FileKey] = set()
        self._open: OrderedDict[FileKey, Tail] = OrderedDict()  # least recently read first
        self._paths: dict[str, FileKey] = {}
        self._roots = Roots.of(options.include, ())
        self._due = self._earliest = 0.0  # when to look for files again, and when at the earliest
        self._stale = False  # the kernel told of files that came or went since
        self._news = asyncio.Event()

    async def run(self, emit: Emit) -> None:
        watching = self._options.watch == "inotify" and not self._once
        watcher = Watcher(self.name, self.told)
        finishing = False
        try:
            while True:
                if watching and await watcher.follow(self._roots):
                    self._due = 0.0
                if self._clock() >= self._next_scan() or (finishing and not self.ready):
                    for batch in await in_thread(self.scan):
                        await emit(batch)
                for batch in await in_thread(self.turns):
                    await emit(batch)
                if self.ready:
                    await asyncio.sleep(0)
                elif self._once and self._resting:
                    await asyncio.sleep(max(0.0, self._resting[0][0] - self._clock()))
                elif not self._once:
                    await self._wait()
                elif finishing and not self._finish():
                    return
                else:
                    finishing = True
        finally:
            await watcher.stop()
            self.close()

    def close(self) -> None:
        """Let go of all files."""
        self._tracker.close()

    # In a thread; never two at a time ---------------------------------------------------------------------------------

    def scan(self) -> list[Batch]:
        """Look for files and for news of them; positions to be committed."""
        began, self._stale = self._clock(), False
        batches = self._tracker.update(discover(self._options.include, self._options.exclude))
        self._paths = {}
        for key, tail in self._tracker.tails.items():
            self._paths[str(Path(tail.seen).absolute())] = self._paths[tail.real_path] = key
            if tail.more or tail.last:
                self._enqueue(key)
            if tail.is_open and self._open.get(key) is not tail:
                self._open[key] = tail
        for key in [key for key, tail in self._open.items() if not tail.is_open]:
            del self._open[key]
        self._limit_open()
        self._roots = Roots.of(self._options.include, {tail.real_path for tail in self._tracker.tails.values()})
        ended = self._clock()
        interval = self._options.poll_interval.total_seconds()
        self._earliest = ended + _SHARE * (ended - began)
        self._due = max(self._earliest, began + (_BACKUP * interval if self._options.watch == "inotify" else interval))
        return batches

    def turns(self) -> list[Batch]:
        """A turn for each file that is ready, until there is about one batch to hand on."""
        batches: list[Batch] = []
        size = 0
        self._wake()
        while self.ready and size < TARGET_BYTES:
            key, begun = self._next()
            tail = self._tracker.tails.get(key)
            if tail is None:
                continue
            if (wait := self._pace.wait(tail.home)) > 0:
                self._rest(key, tail, wait, begun=begun)
                continue
            try:
                if not self._tracker.reopen(tail):
                    self._stale = True
                    continue
                new = tail.turn()
            except FileNotFoundError as error:
                self._tracker.lose(tail, error)
                continue
            except OSError as error:
                failed(self.name, tail.seen, error)
                tail.close()
                tail.drained = tail.drained or self._once
                tail.more = not isinstance(error, BadGzipFile)  # damaged data does not mend itself
                continue
            batches += new
            read = sum(len(batch.body) for batch in new)
            size += read
            self._pace.spend(tail.home, read)
            self._open[key] = tail
            self._open.move_to_end(key)
            if tail.more and tail.packed:
                self._go_on(key, first=begun or not self._packed)
            elif tail.more:
                self._enqueue(key)
            self._limit_open()
        return batches

    @property
    def ready(self) -> bool:
        """Whether there is a file to be read."""
        return bool(self._ready or self._packed)

    def _next(self) -> tuple[FileKey, bool]:
        """The file whose turn it is, and whether it is a compressed one that is being read.

        Files have their turns one after another, but of the compressed ones one is read to its end before the next,
        every other turn: going on in one that was closed means decompressing it from its start, and open ones take
        memory.
        """
        self._turn_of_packed = not self._turn_of_packed
        packed = bool(self._packed and (self._turn_of_packed or not self._ready))
        key = (self._packed if packed else self._ready).popleft()
        self._queued.discard(key)
        return key, packed

    def _enqueue(self, key: FileKey) -> None:
        if key not in self._queued:
            self._queued.add(key)
            self._ready.append(key)

    def _rest(self, key: FileKey, tail: Tail, seconds: float, *, begun: bool) -> None:
        """Read on in a file when its budget allows."""
        events.SourceThrottled(self.name, tail.seen, seconds).emit()
        self._queued.add(key)
        heapq.heappush(self._resting, (self._clock() + seconds, key, begun))

    def _wake(self) -> None:
        now = self._clock()
        while self._resting and self._resting[0][0] <= now:
            _, key, begun = heapq.heappop(self._resting)
            tail = self._tracker.tails.get(key)
            if tail is not None and tail.packed and key in self._open:
                self._go_on(key, first=begun)
            else:
                self._ready.append(key)

    def _go_on(self, key: FileKey, *, first: bool) -> None:
        self._queued.add(key)
        if first:
            self._packed.appendleft(key)
        else:
            self._packed.append(key)
            if not self._open[key].needed:
                self._open.pop(key).close()

    def _limit_open(self) -> None:
        """Close what was not read for longest; of those that have lost their path only if there are no others, and only
        if they hold nothing unread."""
        most = self._options.max_open_files
        if len(self._open) <= most:
            return
        kept = self._packed[0] if self._packed else None
        for key in sorted(self._open, key=lambda key: self._open[key].leaving):
            if key != kept and not self._open[key].needed:
                self._open.pop(key).close()
                if len(self._open) <= most:
                    return

    def _finish(self) -> bool:
        left = self._tracker.finish()
        for key, tail in self._tracker.tails.items():
            if tail.more:
                self._enqueue(key)
        return left

    def _tail(self, key: FileKey, path: str, real_path: str, home: str) -> Tail:
        wanted = self._options.format
        return Tail(
            self.name,
            key,
            path,
            real_path,
            home=home,
            cut=self._cut,
            prints=self._prints,
            now=self._now,
            format=None if wanted == "auto" else wanted,
        )

    # News ------------------------------------------------------------------------------------------------------------

    def told(self, changes: set[tuple[Change, str]]) -> None:
        for change, path in changes:
            key = self._paths.get(path)
            if key is not None:
                self._enqueue(key)
            if change is not Change.modified:
                self._stale = True
        self._news.set()

    def _next_scan(self) -> float:
        return self._earliest if self._stale else self._due

    async def _wait(self) -> None:
        """Until a file has changed or it is time to look for files."""
        wake = self._resting[0][0] if self._resting else math.inf
        while not self.ready and (rest := min(wake, self._next_scan()) - self._clock()) > 0:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), rest)
