"""A directory as an object store: the same keys as in S3, sealed unless told otherwise."""

import errno
import io
from pathlib import Path, PurePosixPath
from typing import Literal

from exporters import durable
from exporters.exporter import Rejected, Retryable
from exporters.keys import load_or_make_keys
from exporters.objects import Packing, default_key_file
from exporters.options import DestinationOptions
from exporters.segment import Segment

_MENDS = {
    errno.ENOSPC: "; free some space",
    errno.EDQUOT: "; raise the quota",
    errno.EACCES: "; let this user write there",
    errno.EPERM: "; let this user write there",
    errno.EROFS: "; mount it writable",
}


class LocalOptions(DestinationOptions):
    """Objects in a directory of this machine."""

    type: Literal["local"] = "local"
    """The kind of destination."""
    path: Path
    """The directory; made if it is not there (mode 0700)."""
    seal: bool = True
    """Encrypt objects with the key file before they are written."""
    key_file: Path | None = None
    """Holds the keys; made on first start (mode 0600). Default: `path` with `.key` behind it, beside the directory."""
    sweep: bool = True
    """Delete objects that were kept as long as their retention class says."""


class LocalStore:
    """Writes each segment as one file, whole or not at all, durable once `export` returns."""

    def __init__(self, name: str, options: LocalOptions) -> None:
        """Makes the key file if there is none. Raises SealError."""
        self.name = name
        self.options = options
        self._root = options.path.absolute()
        keys = load_or_make_keys(options.key_file or default_key_file(self._root)) if options.seal else ()
        self._packing = Packing(keys)

    def check(self) -> None:
        """Write and remove a small file. Raises Retryable."""
        probe = self._root / ".check"
        try:
            durable.make_directories(self._root)
            durable.write(probe, io.BytesIO(b"sluicegate\n"))
            probe.unlink()
        except OSError as error:
            raise self._refused(error) from error

    def export(self, segment: Segment) -> int:
        key = PurePosixPath(self._packing.key(segment))
        if key.is_absolute() or ".." in key.parts:
            raise Rejected(f"{self.name}: segment {segment.id}: its node or retention class leads out of the store")
        path = self._root / key
        try:
            with self._packing.open(segment) as content:
                durable.make_directories(path.parent)
                return durable.write(path, content)
        except OSError as error:
            raise self._refused(error) from error

    def close(self) -> None:
        """Nothing stays open."""

    def _refused(self, error: OSError) -> Retryable:
        mend = _MENDS.get(error.errno or 0, "")
        return Retryable(f"{self.name}: cannot store in {self._root}: {error.strerror or type(error).__name__}{mend}")
