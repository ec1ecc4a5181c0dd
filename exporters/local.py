"""A directory as an object store: the same keys as in S3, sealed unless told otherwise."""

import errno
import io
from pathlib import Path, PurePosixPath
from typing import Literal, Self

from pydantic import Field, model_validator

from exporters import durable
from exporters.exporter import Rejected, Retryable
from exporters.keys import KMS_KEY, SealError, load_or_make_keys
from exporters.objects import Packing, default_key_file
from exporters.options import StoreOptions
from exporters.segment import Segment
from settings import refuse

_MENDS = {
    errno.ENOSPC: "; free some space",
    errno.EDQUOT: "; raise the quota",
    errno.EACCES: "; let this user write there",
    errno.EPERM: "; let this user write there",
    errno.EROFS: "; mount it writable",
}


class LocalOptions(StoreOptions):
    """Objects in a directory of this machine."""

    type: Literal["local"] = "local"
    """The kind of destination."""
    path: Path
    """The directory; made if it is not there (mode 0700)."""
    seal: bool = True
    """Encrypt objects with the key file before they are written."""
    key_file: Path | None = None
    """Holds the keys; made on first start (mode 0600). Default: `path` with `.key` behind it, beside the directory."""
    seal_kms_key: str | None = Field(default=None, pattern=KMS_KEY)
    """The ARN of a key of AWS KMS to encrypt with instead; the AWS environment gives the credentials."""
    sweep: bool = True
    """Delete objects that were kept as long as their retention class says."""

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.seal_kms_key and (self.key_file or not self.seal):
            refuse((("seal_kms_key",), "and `key_file` or `seal: false` exclude each other; remove one"))
        return self


class LocalStore:
    """Writes each segment as one file, whole or not at all, durable once `export` returns."""

    def __init__(self, name: str, options: LocalOptions) -> None:
        """Makes the key file if there is none. Raises SealError."""
        self.name = name
        self.options = options
        self._root = options.path.absolute()
        key_file = None
        if options.seal and options.seal_kms_key is None:
            key_file = options.key_file or default_key_file(self._root)
            load_or_make_keys(key_file)
        self._packing = Packing(key_file, options.seal_kms_key, otlp=options.format)

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
        except SealError as error:
            raise Retryable(f"{self.name}: cannot seal: {error}") from error

    def close(self) -> None:
        """Nothing stays open."""

    def _refused(self, error: OSError) -> Retryable:
        mend = _MENDS.get(error.errno or 0, "")
        return Retryable(f"{self.name}: cannot store in {self._root}: {error.strerror or type(error).__name__}{mend}")
