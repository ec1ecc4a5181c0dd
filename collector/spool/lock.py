"""Who may use a spool: one gate per spool, one process per worker number, and local disks alone."""

import fcntl
import os
import re
from pathlib import Path
from typing import Self

from collector.spool.errors import SpoolRefused

DIRECTORY = "locks"
GATE = "gate"

# SQLite's write-ahead log needs shared memory and locks that hold; these give neither, or do not say when they fail.
NETWORK = {
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "glusterfs", "gfs2", "gpfs", "lustre", "ncpfs", "nfs",
    "nfs4", "ocfs2", "orangefs", "smb3", "smbfs",
}  # fmt: skip
LOCAL_FUSE = {"fuse.fuse-overlayfs", "fuse.ext4", "fuse.ntfs-3g", "fuse.bindfs", "fuseblk"}


class Lock:
    """A lock file that is held until `close`, or the end of the process and of all it forked."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def take(cls, directory: Path, role: str) -> Self:
        """Take the lock of a role (`gate`, `worker-0`, …). Raises SpoolRefused if somebody holds it."""
        path = directory / DIRECTORY / f"{role}.lock"
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise SpoolRefused(f"{path}: {error.strerror}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(fd, 20).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            raise SpoolRefused(f"{directory} is in use: process {holder} holds {path.name}") from error
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        return cls(fd)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def take_gate(directory: Path) -> Lock:
    """Take the spool for this gate; a worker that outlived its gate counts as a gate that still runs."""
    lock = Lock.take(directory, GATE)
    try:
        for path in sorted((directory / DIRECTORY).glob("*.lock")):
            if path.stem != GATE:
                Lock.take(directory, path.stem).close()
    except SpoolRefused:
        lock.close()
        raise
    return lock


def refuse_network(directory: Path, mounts: Path = Path("/proc/self/mountinfo")) -> None:
    """Raise SpoolRefused if the directory lies on a network file system (where the system can tell)."""
    try:
        table = mounts.read_text(errors="surrogateescape")
    except OSError:
        return  # no such file on this system
    kind = _file_system(directory.resolve(), table)
    if kind in NETWORK or (kind.startswith("fuse") and kind not in LOCAL_FUSE):
        raise SpoolRefused(
            f"{directory} is on a file system of type {kind}, where locks and syncs do not hold; use a local disk"
        )


def _file_system(directory: Path, table: str) -> str:
    """Type of the file system of a directory: of the deepest mount above it, the last one mounted there."""
    deepest, kind = -1, ""
    for line in table.splitlines():
        mount, _, rest = line.partition(" - ")
        fields = mount.split(" ")
        if len(fields) < 5 or not rest:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4]))
        if directory.is_relative_to(point) and len(point.parts) >= deepest:
            deepest, kind = len(point.parts), rest.split(" ")[0]
    return kind
