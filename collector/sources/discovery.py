"""Which files there are, and news of them."""

import asyncio
import glob
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from watchfiles import Change, awatch

from collector import events
from collector.sources.identity import FileKey, file_key


@dataclass(slots=True, frozen=True)
class Found:
    """A regular file that the patterns match; links are followed."""

    path: str
    key: FileKey
    signature: tuple[int, int]  # size, time of change: when it differs there may be something to read


def discover(include: Iterable[str], exclude: Iterable[str]) -> list[Found]:
    """Every path once, outermost first; several paths may lead to the same file."""
    paths = {path for pattern in include for path in _expand(pattern)}
    for pattern in exclude:
        paths.difference_update(_expand(pattern))
    found = []
    for path in sorted(paths, key=lambda path: (path.count("/"), path)):
        try:
            status = os.stat(path)  # noqa: PTH116 (thousands per second)
        except OSError:
            continue  # gone since; or a link to nowhere
        if stat.S_ISREG(status.st_mode):
            found.append(Found(path, file_key(status), (status.st_size, status.st_mtime_ns)))
    return found


def _expand(pattern: str) -> Iterable[str]:
    return glob.iglob(pattern, recursive=True)  # noqa: PTH207 (pathlib makes an object of every path)


@dataclass(slots=True, frozen=True)
class Roots:
    """Folders to be told about: those with all that is below them, and those alone."""

    deep: frozenset[str]
    flat: frozenset[str]

    @classmethod
    def of(cls, include: Iterable[str], real_paths: Iterable[str]) -> "Roots":
        """The existing folders behind the patterns, and those of files that links lead to."""
        deep: set[str] = set()
        flat: set[str] = set()
        for pattern in include:
            path = Path(pattern).absolute()
            fixed = next((i for i, part in enumerate(path.parts) if glob.has_magic(part)), len(path.parts) - 1)
            root = Path(*path.parts[:fixed])
            if root.is_dir():
                (flat if fixed == len(path.parts) - 1 else deep).add(str(root))
        for folder in {os.path.dirname(path) for path in real_paths}:  # noqa: PTH120
            if not any(folder == root or folder.startswith(root.rstrip("/") + "/") for root in deep):
                flat.add(folder)
        return cls(frozenset(deep), frozenset(flat - deep))


class Watcher:
    """Passes on what the kernel tells about the folders; when it refuses, polling alone must do."""

    def __init__(self, source: str, told: Callable[[set[tuple[Change, str]]], None]) -> None:
        self._source, self._told = source, told
        self._roots: Roots | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def follow(self, roots: Roots) -> bool:
        """Watch these folders; whether that is news, so that what changed meanwhile must be looked for."""
        if roots == self._roots:
            return False
        await self.stop()
        self._roots = roots
        folders = ((roots.deep, True), (roots.flat, False))
        self._tasks = [asyncio.create_task(self._listen(paths, deep=deep)) for paths, deep in folders if paths]
        await asyncio.sleep(0)  # the tasks run up to where they wait: the kernel is told
        return True

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks, self._roots = [], None

    async def _listen(self, paths: Iterable[str], *, deep: bool) -> None:
        try:
            async for found in awatch(
                *paths, recursive=deep, step=20, debounce=200, ignore_permission_denied=True, watch_filter=None
            ):
                self._told(found)
        except (OSError, RuntimeError) as error:  # out of watches, out of instances
            message = f"the kernel refuses to watch ({type(error).__name__}); polling instead"
            events.SourceFailed(self._source, "inotify", min(paths, default=""), message).emit()
