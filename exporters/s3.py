"""S3 and what speaks its protocol: one object a segment, whole or not at all."""

import hashlib
from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Literal, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import Field, model_validator

from exporters.exporter import Retryable
from exporters.keys import load_keys
from exporters.objects import Packing, metadata
from exporters.s3_errors import explain
from exporters.segment import Segment
from settings import Duration, Secret, Settings, refuse

_PART_BYTES = 8 << 20  # what one upload holds in memory; 10,000 parts are allowed


class S3Connection(Settings):
    """How a bucket is reached, for writing and for reading alike."""

    bucket: str = Field(min_length=1)
    """The bucket's name."""
    prefix: str = Field(default="", pattern=r"^([^/].*/)?$")
    """Put before every key: empty, or ending in `/`."""
    region: str | None = None
    """The bucket's region. Default: as the AWS environment says, else us-east-1."""
    endpoint_url: str | None = Field(default=None, pattern=r"^https?://")
    """Where the server is, if it is not AWS."""
    path_style: bool = False
    """Name the bucket in the path instead of the host name; most servers that are not AWS want it."""
    access_key_id: str | None = None
    """Default, with `secret_access_key`: as the AWS environment says (variables, profile, role of the pod or node)."""
    secret_access_key: Secret | None = None
    """Belongs to `access_key_id`."""
    connect_timeout: Duration = Field(default="10s", validate_default=True)
    """How long to wait for a connection."""
    read_timeout: Duration = Field(default="60s", validate_default=True)
    """How long to wait for the server to say something."""

    @model_validator(mode="after")
    def _credentials_belong_together(self) -> Self:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            missing = "access_key_id" if self.access_key_id is None else "secret_access_key"
            refuse(((missing,), "is missing; give access_key_id and secret_access_key, or neither"))
        return self

    def client(self, *, attempts: int) -> Any:
        """A boto3 client, safe to use from several threads, that tries a request so often. Raises Retryable."""
        secret = self.secret_access_key
        config = Config(
            signature_version="s3v4",
            connect_timeout=self.connect_timeout.total_seconds(),
            read_timeout=self.read_timeout.total_seconds(),
            retries={"total_max_attempts": attempts, "mode": "standard"},
            request_checksum_calculation="when_required",
            s3={"addressing_style": "path" if self.path_style else "auto"},
        )
        try:
            session = boto3.session.Session(
                aws_access_key_id=self.access_key_id,
                aws_secret_access_key=secret.get_secret_value() if secret else None,
            )
            return session.client(
                "s3",
                region_name=self.region or session.region_name or "us-east-1",
                endpoint_url=self.endpoint_url,
                config=config,
            )
        except (BotoCoreError, ValueError) as error:
            raise Retryable(f"{self.place}: cannot connect as configured: {error}") from error

    @property
    def place(self) -> str:
        """The bucket and where it is, for messages."""
        at = f" at {self.endpoint_url}" if self.endpoint_url else ""
        return f"s3://{self.bucket}/{self.prefix}{at}"


class S3Options(S3Connection):
    """Objects in an S3 bucket."""

    type: Literal["s3"] = "s3"
    """The kind of destination."""
    encryption: Literal["AES256", "aws:kms", "aws:kms:dsse", "bucket"] = "AES256"
    """What the server encrypts with; `bucket`: as the bucket's own default says."""
    kms_key_id: str | None = None
    """The KMS key (id, ARN or alias) for `aws:kms` and `aws:kms:dsse`. Default: the account's key for S3."""
    bucket_key: bool = True
    """With `aws:kms`: let S3 derive the objects' keys from one of the bucket, which spares calls to KMS."""
    key_file: Path | None = None
    """Also encrypt before sending, with this key file. It must be there: one made here would be lost with the node."""
    storage_class: str | None = None
    """For instance STANDARD_IA. Default: the server's."""
    checksum: Literal["SHA256", "none"] = "SHA256"
    """Sent with the content so that the server verifies it; `none` for servers that do not know it."""

    @model_validator(mode="after")
    def _key_belongs_to_kms(self) -> Self:
        if self.kms_key_id is not None and not self.encryption.startswith("aws:kms"):
            refuse((("kms_key_id",), "is used with encryption aws:kms alone; set `encryption: aws:kms`, or remove it"))
        return self


class S3Store:
    """Uploads each segment as one object; sending it again overwrites the same object."""

    def __init__(self, name: str, options: S3Options) -> None:
        """Reads the key file, connects to nothing yet. Raises SealError, and Retryable if no client can be made."""
        self.name = name
        self.options = options
        self._packing = Packing(load_keys(options.key_file) if options.key_file else ())
        self._parameters = _parameters(options)
        self._client = options.client(attempts=1)  # the shipper retries, with back-off and for as long as it takes

    def check(self) -> None:
        """Ask for an upload as `export` would make it, and give it up: tries all the rights and leaves no object.

        Raises Retryable with what to mend.
        """
        place = {"Bucket": self.options.bucket, "Key": f"{self.options.prefix}.sluicegate-check"}
        try:
            self._find_bucket()
            upload = self._client.create_multipart_upload(**place, **self._parameters)
            self._client.abort_multipart_upload(**place, UploadId=upload["UploadId"])
        except (ClientError, BotoCoreError) as error:
            raise explain(error, f"{self.name}: {self.options.place}") from error

    def _find_bucket(self) -> None:
        """Some servers make a bucket when something is sent to it: a misspelt name would go unnoticed."""
        try:
            self._client.head_bucket(Bucket=self.options.bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] != "403":  # looking is a right of its own, which sending does not need
                raise

    def export(self, segment: Segment) -> int:
        key = self.options.prefix + self._packing.key(segment)
        facts = {
            "Metadata": metadata(segment),
            "ContentType": "application/octet-stream" if self.options.key_file else "application/zstd",
        }
        with self._packing.open(segment) as content:
            try:
                return self._upload({"Bucket": self.options.bucket, "Key": key}, facts, content)
            except (ClientError, BotoCoreError) as error:
                raise explain(error, f"{self.name}: {self.options.place}") from error
            except OSError as error:
                raise Retryable(f"{self.name}: segment {segment.id} cannot be read: {error.strerror}") from error

    def close(self) -> None:
        self._client.close()

    # boto3's own transfer refuses BucketKeyEnabled, and over TLS sends checksums as trailers, which few servers know.

    def _upload(self, place: dict[str, str], facts: dict[str, Any], content: BinaryIO) -> int:
        """In one request if it fits into a part, else in parts; returns the bytes sent."""
        piece = content.read(_PART_BYTES)
        if len(piece) < _PART_BYTES:
            self._client.put_object(**place, **facts, **self._parameters, **self._checksum(piece), Body=piece)
            return len(piece)
        algorithm = {} if self.options.checksum == "none" else {"ChecksumAlgorithm": self.options.checksum}
        upload = self._client.create_multipart_upload(**place, **facts, **self._parameters, **algorithm)
        place = {**place, "UploadId": upload["UploadId"]}
        try:
            return self._upload_parts(place, piece, content)
        except BaseException:
            with suppress(ClientError, BotoCoreError):  # the first error is the one to tell
                self._client.abort_multipart_upload(**place)
            raise

    def _upload_parts(self, place: dict[str, str], piece: bytes, content: BinaryIO) -> int:
        parts: list[dict[str, Any]] = []
        size = 0
        while piece:
            number = {"PartNumber": len(parts) + 1}
            checksum = self._checksum(piece)
            part = self._client.upload_part(**place, **number, **checksum, Body=piece)
            parts.append({**number, **checksum, "ETag": part["ETag"]})
            size += len(piece)
            piece = content.read(_PART_BYTES)
        self._client.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
        return size

    def _checksum(self, piece: bytes) -> dict[str, str]:
        """Sent with the content: the server refuses what does not fit."""
        if self.options.checksum == "none":
            return {}
        return {"ChecksumSHA256": b64encode(hashlib.sha256(piece).digest()).decode()}


def _parameters(options: S3Options) -> dict[str, Any]:
    """What every upload asks of the server."""
    parameters: dict[str, Any] = {}
    if options.encryption != "bucket":
        parameters["ServerSideEncryption"] = options.encryption
    if options.kms_key_id:
        parameters["SSEKMSKeyId"] = options.kms_key_id
    if options.encryption == "aws:kms":
        parameters["BucketKeyEnabled"] = options.bucket_key
    if options.storage_class:
        parameters["StorageClass"] = options.storage_class
    return parameters
