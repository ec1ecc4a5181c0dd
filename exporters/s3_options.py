"""How S3 and what speaks its protocol is reached and used.

boto3 takes tens of megabytes and a sixth of a second: it is imported where a client is made, so that processes that
only read the configuration go without.
"""

from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from exporters.exporter import Retryable
from exporters.keys import KMS_KEY
from exporters.options import StoreOptions
from settings import Duration, Secret, Settings, refuse

Tag: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9 +=._:/@-]{1,128}$")]
TagValue: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9 +=._:/@-]{0,256}$")]


class S3Connection(Settings):
    """How a bucket is reached, for writing and for reading alike."""

    bucket: str = Field(min_length=1)
    """The bucket's name."""
    prefix: str = Field(default="", pattern=r"^([^/].*/)?$")
    """Put before every key: empty, or ending in `/`."""
    region: str | None = None
    """The bucket's region. Default: as the AWS environment says, else us-east-1."""
    endpoint_url: str | None = Field(default=None, pattern=r"^https?://[^/@\s]+(/[^@\s]*)?$")
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
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

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


class S3Options(S3Connection, StoreOptions):
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
    seal_kms_key: str | None = Field(default=None, pattern=KMS_KEY)
    """Also encrypt before sending, with this key of AWS KMS: its ARN. The AWS environment gives the credentials."""
    storage_class: str | None = None
    """For instance STANDARD_IA. Default: the server's."""
    lifecycle: Literal["warn", "refuse", "sweep", "ignore"] = "warn"
    """What keeps the retention classes: the bucket's lifecycle rules, looked at when the gate starts, which `warn`s or
    `refuse`s to start if they are missing; or the gate itself, which deletes what is due (`sweep`, for servers without
    lifecycle); or nothing that the gate should care for."""
    abort_uploads_after: Annotated[Duration, Field(ge=timedelta(days=1))] | None = timedelta(days=7)
    """A part of the lifecycle rules: uploads that nobody finished are given up after so long; null: never."""
    tags: Annotated[dict[Tag, TagValue], Field(max_length=10)] = Field(default={})
    """Tags of every object; they need s3:PutObjectTagging."""
    overwrite: bool = True
    """A segment that is sent again, because its confirmation got lost, overwrites its own object. `false`: the server
    is told to keep what is there (`If-None-Match`), which is then looked at; for buckets that keep versions or lock
    objects."""
    checksum: Literal["SHA256", "CRC64NVME", "MD5", "none"] = "SHA256"
    """Sent with the content so that the server verifies it. `CRC64NVME` covers a large object as a whole, and needs
    the extra `sluicegate[crc64nvme]`; `MD5` (the header Content-MD5) is for servers that know nothing else, `none` for
    those that know nothing. Buckets with Object Lock want one."""

    @model_validator(mode="after")
    def _key_belongs_to_kms(self) -> Self:
        if self.kms_key_id is not None and not self.encryption.startswith("aws:kms"):
            refuse((("kms_key_id",), "is used with encryption aws:kms alone; set `encryption: aws:kms`, or remove it"))
        if self.checksum == "CRC64NVME" and find_spec("awscrt") is None:
            refuse((("checksum",), "needs the package awscrt: install sluicegate[crc64nvme], or write SHA256"))
        if self.key_file and self.seal_kms_key:
            refuse((("seal_kms_key",), "and key_file exclude each other; remove one"))
        return self
