"""An output file that is whole or not there, and that an interrupted command can go on with.

Until it is whole, what is written stands in `.NAME.part`, and `.NAME.journal` says what was asked for and which objects
are wholly in it: the same command, given again, fetches the others.
"""

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from collector.cli.blocks import write
from collector.cli.exits import CommandError


class Resumable:
    """Enter it to write. Left without an error, the file gets its name; else what is written waits for the next time.

    `asked`: what must be the same for going on. `settled`: what was made of it, such as times from `1h`; what the first
    run settled holds.
    """

    def __init__(self, path: Path, asked: Mapping[str, Any], settled: Mapping[str, Any]) -> None:
        self.settled = dict(settled)
        self.done: set[str] = set()  # keys of objects that are in it
        self.problems: list[str] = []  # of earlier runs
        self.finished = True  # set it to False where something is missing that may come
        self._path = path
        self._asked = dict(asked)
        self._part = path.with_name(f".{path.name}.part")
        self._journal = path.with_name(f".{path.name}.journal")
        self._length = 0

    def __enter__(self) -> Self:
        self._log = os.open(self._journal, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._log)
            raise CommandError(f"{self._path}: another command is writing it") from None
        self._file = os.open(self._part, os.O_WRONLY | os.O_CREAT, 0o666)
        if not self._resume():
            os.ftruncate(self._log, 0)
            write(self._log, json.dumps([self._asked, self.settled]).encode() + b"\n")
        os.ftruncate(self._file, self._length)
        os.lseek(self._file, self._length, os.SEEK_SET)
        return self

    def write(self, data: bytes) -> None:
        write(self._file, data)
        self._length += len(data)

    def note(self, key: str, problem: object = None) -> None:
        """All that can be had of an object is written; `problem`: what is wrong with it for good."""
        self.done.add(key)
        write(self._log, json.dumps([self._length, key, str(problem or "")]).encode() + b"\n")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)
        if kind is None and self.finished:
            self._part.replace(self._path)
            self._journal.unlink()
        elif not self.done:
            self._part.unlink()
            self._journal.unlink()
        os.close(self._log)

    def _resume(self) -> bool:
        """Take up what the journal says, if it is of the same command and the part is as long as it says."""
        with self._journal.open("rb") as file:
            lines = file.read().split(b"\n")[:-1]  # the last one may be torn
        try:
            (asked, settled), *noted = map(json.loads, lines)
        except ValueError:
            return False
        if asked != self._asked:
            return False
        self.settled = settled
        size = self._part.stat().st_size
        for length, key, problem in noted:
            if length > size:
                break  # it was not written before the power went
            self._length = length
            self.done.add(key)
            self.problems += [problem] if problem else []
        return True
