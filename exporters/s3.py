"""S3 and what speaks its protocol: one object a segment, whole or not at all."""

import hashlib
from base64 import b64encode
from contextlib import suppress
from typing import Any, BinaryIO
from urllib.parse import urlencode

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from exporters.exporter import ExportError, Rejected, Retryable
from exporters.keys import SealError
from exporters.objects import Packing, metadata
from exporters.s3_errors import explain
from exporters.s3_options import S3Options
from exporters.segment import Segment

_REFUSED = {
    "ExpiredToken",
    "InvalidToken",
    "TokenRefreshRequired",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "403",
}
_THERE = {"PreconditionFailed", "412"}
_PART_BYTES = 8 << 20  # what one upload holds in memory; 10,000 parts are allowed


class S3Store:
    """Uploads each segment as one object; sending it again overwrites the same object."""

    def __init__(self, name: str, options: S3Options) -> None:
        """Reads the key file, connects to nothing yet. Raises SealError, and Retryable if no client can be made."""
        self.name = name
        self.options = options
        self._packing = Packing(options.key_file, options.seal_kms_key, otlp=options.format)
        self._parameters = _parameters(options)
        self._once = {} if options.overwrite else {"IfNoneMatch": "*"}
        self._connect()

    def _connect(self) -> None:
        self._client = self.options.client(attempts=1)  # the shipper retries, with back-off and for as long as it takes

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
            raise self._explained(error) from error

    def _explained(self, error: ClientError | BotoCoreError) -> ExportError:
        """The error to raise. Credentials that are refused are read again: boto3 keeps those of a file as they were."""
        refused = isinstance(error, ClientError) and error.response["Error"]["Code"] in _REFUSED
        if refused or isinstance(error, NoCredentialsError):
            with suppress(Retryable):  # the error at hand says what is wrong
                self._connect()
        return explain(error, f"{self.name}: {self.options.place}")

    def _find_bucket(self) -> None:
        """Some servers make a bucket when something is sent to it: a misspelt name would go unnoticed."""
        try:
            self._client.head_bucket(Bucket=self.options.bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] != "403":  # looking is a right of its own, which sending does not need
                raise

    def export(self, segment: Segment) -> int:
        place = {"Bucket": self.options.bucket, "Key": self.options.prefix + self._packing.key(segment)}
        facts = {
            "Metadata": metadata(segment),
            "ContentType": "application/octet-stream" if self._packing.sealed else "application/zstd",
        }
        try:
            with self._packing.open(segment) as content:
                return self._upload(place, facts, content)
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error.response["Error"]["Code"] in _THERE:
                return self._confirmed(place, segment)
            raise self._explained(error) from error
        except SealError as error:
            raise Retryable(f"{self.name}: cannot seal: {error}") from error
        except OSError as error:
            raise Retryable(f"{self.name}: segment {segment.id} cannot be read: {error.strerror}") from error

    def _confirmed(self, place: dict[str, str], segment: Segment) -> int:
        """The size of an object that is there already, where it is this segment's. Raises Rejected, Retryable."""
        try:
            head = self._client.head_object(**place)
        except (ClientError, BotoCoreError) as error:
            raise explain(error, f"{self.name}: {self.options.place}") from error
        if head["Metadata"] != metadata(segment):
            raise Rejected(f"{self.name}: segment {segment.id}: another object is in its place, and `overwrite` is off")
        return int(head["ContentLength"])

    def close(self) -> None:
        self._client.close()

    # boto3's own transfer refuses BucketKeyEnabled, and over TLS sends checksums as trailers, which few servers know.

    def _upload(self, place: dict[str, str], facts: dict[str, Any], content: BinaryIO) -> int:
        """In one request if it fits into a part, else in parts; returns the bytes sent."""
        piece = content.read(_PART_BYTES)
        if len(piece) < _PART_BYTES:
            checksum = self._checksum(piece)
            self._client.put_object(**place, **facts, **self._parameters, **self._once, **checksum, Body=piece)
            return len(piece)
        algorithm = _ALGORITHMS.get(self.options.checksum, {})
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
        size = crc = 0
        while piece:
            number = {"PartNumber": len(parts) + 1}
            checksum = self._checksum(piece)
            part = self._client.upload_part(**place, **number, **checksum, Body=piece)
            checksum.pop("ContentMD5", None)
            parts.append({**number, **checksum, "ETag": part["ETag"]})
            size += len(piece)
            if self.options.checksum == "CRC64NVME":
                crc = _crc64nvme(piece, crc)
            piece = content.read(_PART_BYTES)
        whole = {"ChecksumType": "FULL_OBJECT", "ChecksumCRC64NVME": _big_endian(crc)}
        self._client.complete_multipart_upload(
            **place,
            **self._once,
            **(whole if self.options.checksum == "CRC64NVME" else {}),
            MultipartUpload={"Parts": parts},
        )
        return size

    def _checksum(self, piece: bytes) -> dict[str, str]:
        """Sent with the content: the server refuses what does not fit."""
        match self.options.checksum:
            case "SHA256":
                return {"ChecksumSHA256": b64encode(hashlib.sha256(piece).digest()).decode()}
            case "CRC64NVME":
                return {"ChecksumCRC64NVME": _big_endian(_crc64nvme(piece))}
            case "MD5":
                return {"ContentMD5": b64encode(hashlib.md5(piece, usedforsecurity=False).digest()).decode()}
            case _:
                return {}


_ALGORITHMS = {
    "SHA256": {"ChecksumAlgorithm": "SHA256"},
    "CRC64NVME": {"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "FULL_OBJECT"},
}


def _crc64nvme(data: bytes, previous: int = 0) -> int:
    from awscrt import checksums  # `S3Options` has seen that it is there

    return int(checksums.crc64nvme(data, previous))


def _big_endian(crc: int) -> str:
    return b64encode(crc.to_bytes(8, "big")).decode()


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
    if options.tags:
        parameters["Tagging"] = urlencode(options.tags)
    return parameters
