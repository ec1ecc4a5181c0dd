"""Client-side encryption in the message format of the AWS Encryption SDK, as streams.

Suite AES_256_GCM_HKDF_SHA512_COMMIT_KEY: key-committing, unsigned; 256 KiB frames; REQUIRE_ENCRYPT_REQUIRE_DECRYPT.
The data key is wrapped by a raw AES key, name space `sluicegate`, name = the key's id, or by a key of AWS KMS: the raw
AES or KMS keyring of the SDK in any language opens it. The encryption context travels in clear, authenticated: it says
what was sealed and for which place.

Import this module only where something is sealed or opened: the SDK costs tens of megabytes. Errors are those of
`exporters.keys`.
"""

import io
import logging
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from aws_encryption_sdk import CommitmentPolicy, EncryptionSDKClient, StreamDecryptor
from aws_encryption_sdk.exceptions import DecryptKeyError, GenerateKeyError
from aws_encryption_sdk.identifiers import AlgorithmSuite, EncryptionKeyType, WrappingAlgorithm
from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey
from aws_encryption_sdk.internal.formatting.deserialize import deserialize_header
from aws_encryption_sdk.key_providers.kms import KMSMasterKey, KMSMasterKeyConfig
from aws_encryption_sdk.key_providers.raw import RawMasterKeyProvider
from aws_encryption_sdk.materials_managers.default import DefaultCryptoMaterialsManager
from botocore.exceptions import BotoCoreError, ClientError

from exporters.keys import AnyKey, Key, KeyUnavailable, KmsKey, SealError, Tampered, WrongKey

FRAME_BYTES = 256 << 10
_NAMESPACE = "sluicegate"
_KEY_INFO_TAIL = 4 + 4 + 12  # behind the key's name: tag length, IV length, IV

_KMS_SECONDS = 10.0  # for one answer; whoever seals or opens tries again

# It tells every encryption context it meets, and every error beside raising it.
logging.getLogger("aws_encryption_sdk").setLevel(logging.CRITICAL)


class Sealer:
    """Seals with the first key, opens with any of them; without keys it tells which one is needed.

    Safe to use from several threads.
    """

    def __init__(self, keys: Sequence[AnyKey]) -> None:
        self.key_id = keys[0].id if keys else ""
        self._client = EncryptionSDKClient(
            commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT, max_encrypted_data_keys=1
        )
        self._to_seal = _provider(keys[:1])
        self._to_open = _Materials(master_key_provider=_provider(keys))
        self._to_open.known = frozenset(key.id for key in keys)

    def seal(self, plain: BinaryIO, context: Mapping[str, str]) -> BinaryIO:
        """The sealed form of what `plain` gives, made while it is read: memory stays at a few frames.

        Sealing the same thing twice gives different bytes. Raises KeyUnavailable, and what reading `plain` raises.
        """
        stream = self._client.stream(
            mode="encrypt",
            source=plain,
            key_provider=self._to_seal,
            algorithm=AlgorithmSuite.AES_256_GCM_HKDF_SHA512_COMMIT_KEY,
            frame_length=FRAME_BYTES,
            encryption_context=dict(context),
        )
        return io.BufferedReader(_Pieces(stream), FRAME_BYTES)

    def open(self, sealed: BinaryIO) -> tuple[BinaryIO, dict[str, str]]:
        """The plain form, and the authenticated context it was sealed with, which the caller must check.

        What the stream gives is authentic, frame by frame; that nothing is missing at the end is known once the stream
        has ended. The call and the stream raise WrongKey, KeyUnavailable, Tampered, or what reading `sealed` raises.
        """
        stream = self._client.stream(
            mode="decrypt-unsigned",
            source=sealed,
            materials_manager=self._to_open,
            source_length=0,  # unused, but without it the SDK would seek
            max_body_length=FRAME_BYTES,
        )
        with _Translated():
            context = dict(stream.header.encryption_context)
        return io.BufferedReader(_Opened(stream, sealed), FRAME_BYTES), context


def context_of(sealed: BinaryIO) -> dict[str, str]:
    """The context that something sealed claims, which is not verified: no key is needed. Raises Tampered."""
    with _Translated():
        header, _ = deserialize_header(sealed)
        return dict(header.encryption_context)


def _provider(keys: Sequence[AnyKey]) -> Any:
    if len(keys) == 1 and isinstance(keys[0], KmsKey):
        return _kms(keys[0])
    provider = _Provider()
    provider.secrets = {key.id.encode(): key.secret for key in keys if isinstance(key, Key)}
    for name in provider.secrets:
        provider.add_master_key(name)
    for key in keys:
        if isinstance(key, KmsKey):
            provider.add_master_key_provider(_kms(key))
    return provider


def _kms(key: KmsKey) -> "_KmsMasterKey":
    import boto3
    from botocore.config import Config

    config = Config(connect_timeout=_KMS_SECONDS, read_timeout=_KMS_SECONDS, retries={"total_max_attempts": 2})
    try:
        client = boto3.session.Session().client("kms", region_name=key.arn.split(":")[3], config=config)
    except (BotoCoreError, ValueError) as error:
        raise KeyUnavailable(f"KMS key {key.arn}: cannot connect as configured: {error}") from error
    return _KmsMasterKey(config=KMSMasterKeyConfig(key_id=key.arn, client=client))


class _KmsMasterKey(KMSMasterKey):  # type: ignore[misc]
    """A KMS key whose refusals are told apart from objects that it never sealed."""

    def _generate_data_key(self, *arguments: Any, **named: Any) -> Any:
        try:
            return super()._generate_data_key(*arguments, **named)
        except (GenerateKeyError, BotoCoreError) as error:
            raise self._unavailable(error, "kms:GenerateDataKey") from error

    def _decrypt_data_key(self, *arguments: Any, **named: Any) -> Any:
        try:
            return super()._decrypt_data_key(*arguments, **named)
        except (DecryptKeyError, BotoCoreError) as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and cause.response["Error"]["Code"] == "InvalidCiphertextException":
                raise Tampered("KMS did not make it: its key or its context was changed after sealing") from error
            raise self._unavailable(error, "kms:Decrypt") from error

    def _unavailable(self, error: BaseException, right: str) -> KeyUnavailable:
        cause = error.__cause__ if isinstance(error.__cause__, ClientError) else error
        name = self.config.key_id.decode()
        if not isinstance(cause, ClientError):
            return KeyUnavailable(f"KMS key {name}: no answer ({type(error).__name__})")
        code = cause.response["Error"]["Code"]
        return KeyUnavailable(f"KMS key {name}: refused; is it enabled, and is {right} allowed? ({code})")


class _Provider(RawMasterKeyProvider):  # type: ignore[misc]
    """Raw AES keys by name."""

    provider_id = _NAMESPACE
    secrets: Mapping[bytes, bytes] = {}

    def _get_raw_key(self, key_id: bytes) -> WrappingKey:
        return WrappingKey(
            wrapping_algorithm=WrappingAlgorithm.AES_256_GCM_IV12_TAG16_NO_PADDING,
            wrapping_key=self.secrets[key_id],
            wrapping_key_type=EncryptionKeyType.SYMMETRIC,
        )


class _Materials(DefaultCryptoMaterialsManager):  # type: ignore[misc]
    """Says which key is needed, where the SDK says only that it has none."""

    known: frozenset[str] = frozenset()

    def decrypt_materials(self, request: Any) -> Any:
        needed = [name for key in request.encrypted_data_keys if (name := _name(key.key_provider))]
        if not self.known.intersection(needed):
            raise WrongKey(f"sealed with key {needed[0]!r}" if needed else "not sealed with a sluicegate key")
        return super().decrypt_materials(request)


def _name(provider: Any) -> str:
    """The id of the key that a data key was wrapped with; empty if it is none of ours."""
    info: bytes = provider.key_info
    match provider.provider_id:
        case "sluicegate":
            return info[:-_KEY_INFO_TAIL].decode("ascii", "replace")
        case "aws-kms":
            return info.decode("ascii", "replace")
    return ""


class _Pieces(io.RawIOBase):
    """An SDK stream, read a frame at a time: it takes quadratic time for large reads."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        piece = self._stream.read(min(len(buffer), FRAME_BYTES))
        buffer[: len(piece)] = piece
        return len(piece)


class _Opened(_Pieces):
    """A decrypting stream: its errors translated, and nothing allowed behind the message's end."""

    def __init__(self, stream: StreamDecryptor, sealed: BinaryIO) -> None:
        super().__init__(stream)
        self._sealed = sealed

    def readinto(self, buffer: Any, /) -> int:
        with _Translated():
            count = super().readinto(buffer)
        if count == 0 and self._sealed.read(1):
            raise Tampered("more follows the end of the sealed message")
        return count


class _Translated:
    """Turns the SDK's many errors into ours; those of the source it reads pass."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        # Garbage makes the SDK raise its own errors, cryptography's, struct's, ValueError, UnicodeDecodeError …
        if isinstance(error, Exception) and not isinstance(error, OSError | SealError | MemoryError):
            raise Tampered("authentication failed: it was changed or cut off after sealing") from error
