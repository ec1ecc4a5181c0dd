"""Client-side encryption in the message format of the AWS Encryption SDK, as streams.

Suite AES_256_GCM_HKDF_SHA512_COMMIT_KEY: key-committing, unsigned; 256 KiB frames; REQUIRE_ENCRYPT_REQUIRE_DECRYPT.
The data key is wrapped by a raw AES key, name space `sluicegate`, name = the key's id: the raw AES keyring of the SDK
in any language opens it. The encryption context travels in clear, authenticated: it says what was sealed and for
which place.

Import this module only where something is sealed or opened: the SDK costs tens of megabytes. Errors are those of
`exporters.keys`.
"""

import io
import logging
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from aws_encryption_sdk import CommitmentPolicy, EncryptionSDKClient, StreamDecryptor
from aws_encryption_sdk.identifiers import AlgorithmSuite, EncryptionKeyType, WrappingAlgorithm
from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey
from aws_encryption_sdk.key_providers.raw import RawMasterKeyProvider
from aws_encryption_sdk.materials_managers.default import DefaultCryptoMaterialsManager

from exporters.keys import Key, Tampered, WrongKey

FRAME_BYTES = 256 << 10
_NAMESPACE = "sluicegate"
_KEY_INFO_TAIL = 4 + 4 + 12  # behind the key's name: tag length, IV length, IV

# It tells every encryption context it meets, as often as it meets one.
logging.getLogger("aws_encryption_sdk").setLevel(logging.WARNING)


class Sealer:
    """Seals with the first key, opens with any of them. Safe to use from several threads."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self.key_id = keys[0].id
        self._client = EncryptionSDKClient(
            commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT, max_encrypted_data_keys=1
        )
        self._to_seal = _provider(keys[:1])
        self._to_open = _Materials(master_key_provider=_provider(keys))
        self._to_open.known = frozenset(key.id for key in keys)

    def seal(self, plain: BinaryIO, context: Mapping[str, str]) -> BinaryIO:
        """The sealed form of what `plain` gives, made while it is read: memory stays at a few frames.

        Sealing the same thing twice gives different bytes. Raises what reading `plain` raises.
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
        has ended. The call and the stream raise WrongKey, Tampered, or what reading `sealed` raises.
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


def _provider(keys: Sequence[Key]) -> "_Provider":
    provider = _Provider()
    provider.secrets = {key.id.encode(): key.secret for key in keys}
    for name in provider.secrets:
        provider.add_master_key(name)
    return provider


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
        needed = [
            key.key_provider.key_info[:-_KEY_INFO_TAIL].decode("ascii", "replace")
            for key in request.encrypted_data_keys
            if key.key_provider.provider_id == _NAMESPACE
        ]
        if not self.known.intersection(needed):
            raise WrongKey(f"sealed with key {needed[0]!r}" if needed else "not sealed with a sluicegate key")
        return super().decrypt_materials(request)


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
        if isinstance(error, Exception) and not isinstance(error, OSError | WrongKey | MemoryError):
            raise Tampered("authentication failed: it was changed or cut off after sealing") from error
