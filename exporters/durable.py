"""Files and directories that are still there after a power cut. All functions raise OSError."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

_COPY_BYTES = 256 << 10


def write(path: Path, content: BinaryIO) -> int:
    """Write a file (mode 0600) whole or not at all, in place of one that is there, and return its size in bytes.

    It is written under a temporary name first, the same at each attempt: one that was killed leaves nothing behind for
    good.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
            shutil.copyfileobj(content, file, _COPY_BYTES)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    sync_directory(path.parent)
    return size


def make_directories(path: Path) -> None:
    """Make a directory and those above it as needed (mode 0700)."""
    if not path.is_dir():
        make_directories(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make a directory's entries durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
