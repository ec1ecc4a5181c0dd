"""An application whose log is rotated in every way, step by step: whatever else happens can happen between any two."""

import gzip
import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

HEADERS = [b"", b"== start ==\n", b"".join(b"header line %d of every file\n" % n for n in range(60))]


class Application:
    """Writes lines to a log through one open file. `written` is what must be read exactly once; `cut` is what a
    truncation took away before it was copied: it may be read or not."""

    def __init__(
        self, folder: Path, name: str = "app", header: bytes = b"", *, dated: bool = False, seed: int = 0
    ) -> None:
        self.log, self.header, self.dated = folder / f"{name}.log", header, dated
        self.written: Counter[bytes] = Counter()
        self.cut: Counter[bytes] = Counter()
        self._uncopied: Counter[bytes] = Counter()  # written since the copy was taken
        self._random = random.Random(seed)
        self._name, self._number, self._rotations = name.encode(), 0, 0
        self._job: Iterator[None] | None = None
        self._file = self.log.open("ab", buffering=0)

    def close(self) -> None:
        self._file.close()

    # The writer ------------------------------------------------------------------------------------------------------

    def write(self, count: int = 1) -> None:
        text = self.header if os.fstat(self._file.fileno()).st_size == 0 else b""
        for _ in range(count):
            self._number += 1
            text += b"%b line %d %s\n" % (self._name, self._number, b"x" * (self._number % 97))
        self._file.write(text)
        self.written.update(text.split(b"\n")[:-1])
        self._uncopied.update(text.split(b"\n")[:-1])

    def reopen(self) -> None:
        self._file.close()
        self._file = self.log.open("ab", buffering=0)

    # Rotation --------------------------------------------------------------------------------------------------------

    def start(self, job: str) -> None:
        """Begin with a rotation once the one before is through."""
        self.finish()
        self._job = {"rename": self._rename, "copytruncate": self._copytruncate, "compress": self._compress}[job]()

    def advance(self) -> None:
        if self._job is not None and next(self._job, self) is self:
            self._job = None

    def finish(self) -> None:
        while self._job is not None:
            self.advance()

    @property
    def busy(self) -> bool:
        return self._job is not None

    def _rename(self) -> Iterator[None]:
        self.log.rename(self._target())
        yield
        self.log.touch()
        yield
        self.reopen()

    def _copytruncate(self) -> Iterator[None]:
        with self.log.open("rb") as original, self._target().open("wb", buffering=0) as copy:
            copy.write(original.read(self._random.randrange(1 + self.log.stat().st_size)))
            yield
            copy.write(original.read())
            self._uncopied.clear()
            yield
        os.truncate(self.log, 0)
        self.written -= self._uncopied
        self.cut += self._uncopied

    def _compress(self) -> Iterator[None]:
        plain = [path for path in self.rotated() if path.suffix != ".gz"]
        if not plain:
            return
        path = self._random.choice(plain)
        packed = gzip.compress(path.read_bytes())
        at = self._random.randrange(len(packed))
        with path.with_name(path.name + ".gz").open("wb", buffering=0) as file:
            yield
            file.write(packed[:at])
            yield
            file.write(packed[at:])
            yield
        path.unlink()

    def rotated(self) -> list[Path]:
        """The oldest first."""
        return sorted(self.log.parent.glob(f"{self.log.name}[.-]*"), key=_number, reverse=not self.dated)

    def _target(self) -> Path:
        """Where the log goes: `.1`, after making room for it, or a name by the date."""
        if self.dated:
            self._rotations += 1
            return self.log.with_name(f"{self.log.name}-{20260000 + self._rotations}")
        for path in self.rotated():
            packed = ".gz" if path.suffix == ".gz" else ""
            path.rename(path.with_name(f"{self.log.name}.{_number(path) + 1}{packed}"))
        return self.log.with_name(f"{self.log.name}.1")

    # What is done to files besides -----------------------------------------------------------------------------------

    def recreate(self) -> None:
        self.log.unlink()
        self.reopen()

    def replace(self) -> None:
        """Truncate, and write more than there was before."""
        size = self.log.stat().st_size
        os.truncate(self.log, 0)
        self.write()
        while self.log.stat().st_size <= size:
            self.write(10)


def _number(path: Path) -> int:
    return int(re.split("[.-]", path.name.removesuffix(".gz"))[-1])
