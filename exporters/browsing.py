"""Looks into stores: lists, fetches and removes objects. The writing side is `local.py` and `s3.py`."""

import errno
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from exporters.exporter import ExportError
from exporters.s3_errors import explain
from exporters.s3_options import S3Connection

_IN_MEMORY_BYTES = 8 << 20  # larger objects are fetched to a temporary file, as they are: sealed ones stay sealed
_ATTEMPTS = 5
_REMOVED_AT_ONCE = 1000  # what one request may name
_PARAMETERS = {"endpoint_url", "region", "path_style"}


class LocationError(ValueError):
    """A text does not say where a store is."""


class StoreError(Exception):
    """A store cannot be listed, or an object cannot be fetched or removed; the message says why."""


@dataclass(slots=True, frozen=True)
class StoredObject:
    """One object as its store lists it. `key` is whole: for a local store the absolute path."""

    key: str
    size: int
    modified: float
    """When it was stored: seconds since the epoch, by the store's clock."""


class Listing(NamedTuple):
    """What lies directly in one place of a store, sorted."""

    places: list[str]
    objects: list[StoredObject]


class ObjectStore(Protocol):
    """The reading side of a store. Calls raise StoreError; opening and reading a local object raise OSError."""

    root: str
    """The place to begin: keys begin with it. Places end in `/`, but an S3 bucket's own is empty."""

    def list(self, place: str) -> Listing: ...

    def open(self, key: str) -> AbstractContextManager[tuple[BinaryIO, dict[str, str]]]:
        """The content, and the metadata where the store keeps any."""

    def metadata(self, key: str) -> dict[str, str]:
        """What `open` gives as metadata, without the content."""

    def remove(self, keys: Sequence[str]) -> None:
        """Remove objects, and the places that hold nothing then. One that is gone already is no error."""


def find_store(location: str) -> ObjectStore:
    """The store at a path, `file:///path`, or `s3://bucket/prefix?endpoint_url=…&region=…&path_style=true`.

    Raises LocationError, and StoreError if no connection can be made as the environment says.
    """
    parts = urlsplit(location)
    if parts.scheme == "s3":
        return S3Objects(_connection(parts.netloc, parts.path, parts.query))
    if parts.scheme == "file":
        if parts.netloc not in {"", "localhost"} or parts.query:
            raise LocationError("a file location is file:///path")
        return LocalObjects(Path(unquote(parts.path)))
    if "://" in location:
        raise LocationError("a store is a path, file:///path or s3://bucket/prefix")
    return LocalObjects(Path(location))


class LocalObjects:
    """A directory."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.root = f"{self.path}/"

    def list(self, place: str) -> Listing:
        listing = Listing([], [])
        try:
            for path in sorted(Path(place).iterdir()):
                if path.name.startswith("."):
                    continue  # being written
                if path.is_dir():
                    listing.places.append(f"{path}/")
                elif path.is_file():
                    found = path.stat()
                    listing.objects.append(StoredObject(str(path), found.st_size, found.st_mtime))
        except OSError as error:
            raise StoreError(f"{_reason(error)}") from error
        return listing

    @contextmanager
    def open(self, key: str) -> Iterator[tuple[BinaryIO, dict[str, str]]]:
        with Path(key).open("rb") as file:
            yield file, {}

    def metadata(self, key: str) -> dict[str, str]:  # noqa: ARG002
        return {}

    def remove(self, keys: Sequence[str]) -> None:
        try:
            for key in keys:
                Path(key).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{error.filename}: {_reason(error)}") from error
        for place in sorted({above for key in keys for above in Path(key).parents}, reverse=True):
            if self.path in place.parents:
                with suppress(OSError):  # not empty, or gone
                    place.rmdir()


class S3Objects:
    """An S3 bucket, below a prefix."""

    def __init__(self, connection: S3Connection) -> None:
        self.root = connection.prefix
        self._connection = connection
        try:
            self._client = connection.client(attempts=_ATTEMPTS)
        except ExportError as error:
            raise StoreError(str(error)) from error

    def list(self, place: str) -> Listing:
        listing = Listing([], [])
        try:
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._connection.bucket, Prefix=place, Delimiter="/"
            )
            for page in pages:
                listing.places.extend(entry["Prefix"] for entry in page.get("CommonPrefixes", ()))
                listing.objects.extend(
                    StoredObject(entry["Key"], entry["Size"], entry["LastModified"].timestamp())
                    for entry in page.get("Contents", ())
                )
        except (ClientError, BotoCoreError) as error:
            raise self._error(error) from error
        return listing

    @contextmanager
    def open(self, key: str) -> Iterator[tuple[BinaryIO, dict[str, str]]]:
        # Fetched whole before it is read: a reader that takes its time must not keep the connection waiting.
        with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as file:
            metadata = self._fetch(key, file)
            file.seek(0)
            yield cast("BinaryIO", file), metadata

    def metadata(self, key: str) -> dict[str, str]:
        try:
            return dict(self._client.head_object(Bucket=self._connection.bucket, Key=key)["Metadata"])
        except (ClientError, BotoCoreError) as error:
            raise self._error(error) from error

    def remove(self, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), _REMOVED_AT_ONCE):
            objects = [{"Key": key} for key in keys[start : start + _REMOVED_AT_ONCE]]
            try:
                answer = self._client.delete_objects(
                    Bucket=self._connection.bucket, Delete={"Objects": objects, "Quiet": True}
                )
            except (ClientError, BotoCoreError) as error:
                raise self._error(error) from error
            for failed in answer.get("Errors", ())[:1]:
                raise StoreError(f"{failed['Key']}: cannot be removed; allow s3:DeleteObject ({failed['Code']})")

    def close(self) -> None:
        self._client.close()

    def _fetch(self, key: str, file: "tempfile.SpooledTemporaryFile[bytes]") -> dict[str, str]:
        try:
            answer: dict[str, Any] = self._client.get_object(Bucket=self._connection.bucket, Key=key)
            with closing(answer["Body"]) as body:
                for piece in body.iter_chunks(256 << 10):
                    file.write(piece)
        except (ClientError, BotoCoreError) as error:
            raise self._error(error) from error
        except OSError as error:
            raise StoreError(f"cannot be kept in {tempfile.gettempdir()}: {_reason(error)}") from error
        return dict(answer["Metadata"])

    def _error(self, error: ClientError | BotoCoreError) -> StoreError:
        return StoreError(str(explain(error, self._connection.place)))


def _connection(bucket: str, path: str, query: str) -> S3Connection:
    prefix = unquote(path).strip("/")
    given = dict(parse_qsl(query))
    if unknown := sorted(given.keys() - _PARAMETERS):
        raise LocationError(f"{', '.join(unknown)}: not among {', '.join(sorted(_PARAMETERS))}")
    try:
        return S3Connection.model_validate({"bucket": bucket, "prefix": f"{prefix}/" if prefix else "", **given})
    except ValidationError as error:
        wrong = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors(include_input=False))
        raise LocationError(f"{wrong}: not valid in an S3 location") from error


def _reason(error: OSError) -> str:
    return "is not there" if error.errno == errno.ENOENT else error.strerror or type(error).__name__
