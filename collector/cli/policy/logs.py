"""Log files of any size, or stdin → bodies of whole records, with a bar of how far it is where a person looks."""

import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from collector.cli.blocks import Bodies, Stop, arriving
from collector.sources.framing.cut import Cut

MAX_LINE_BYTES = 1 << 20

Clean: TypeAlias = Callable[[bytes], bytes]


class Logs:
    """Reads the files one after another; one that cannot be read does not keep the others from it.

    The first Ctrl-C or SIGTERM only ends the reading; `stopped` is then the exit code to end with.
    """

    def __init__(self, files: Iterable[Path] | None, clean: Clean) -> None:
        """`clean` says where a line longer than MAX_LINE_BYTES may be cut; see `collector.sources.framing.cut`."""
        self.failures: list[str] = []
        self.stopped: int | None = None
        self._files = list(files or [Path("-")])
        self._clean = clean

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """The file's name and a body of its records, in order; a last line may lack its end."""
        with Stop() as stop, _progress(self._files) as advance:
            for file in self._files:
                yield from self._file(file, stop, advance)
            if stop.signal is not None:
                self.stopped = 128 + stop.signal

    def _file(self, file: Path, stop: Stop, advance: Callable[[int], None]) -> Iterator[tuple[str, bytes]]:
        name = str(file)
        try:
            descriptor = 0 if name == "-" else os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            self.failures.append(f"{name}: {error.strerror}")
            return
        bodies = Bodies(Cut(MAX_LINE_BYTES, self._clean))
        try:
            for data in arriving(descriptor, stop):
                for body in bodies.take(data):
                    yield name, body
                advance(len(data))
        except BrokenPipeError:
            raise
        except OSError as error:
            self.failures.append(f"{name}: {error.strerror}")
        finally:
            if descriptor:
                os.close(descriptor)
        if stop.signal is None:
            yield from ((name, body) for body in bodies.end())


@contextmanager
def _progress(files: list[Path]) -> Iterator[Callable[[int], None]]:
    """A bar by bytes on stderr, if that is a terminal and it is known how much there is."""
    total = sum(map(_size, files))
    if not sys.stderr.isatty() or not total:
        yield lambda _: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    from collector.cli.terminal import Console

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(sys.stderr), transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda size: progress.advance(task, size)


def _size(file: Path) -> int:
    try:
        found = file.stat()
    except OSError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0
