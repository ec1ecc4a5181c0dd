import io
import subprocess
import sys
import tracemalloc

import aws_encryption_sdk
import pytest
from aws_encryption_sdk.identifiers import AlgorithmSuite, CommitmentPolicy
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.keys import Key, SealError, Tampered, WrongKey
from exporters.sealing import FRAME_BYTES, Sealer

KEY = Key.generate()
SEALER = Sealer([KEY])
CONTEXT = {"object": "standard/logs/x", "records": "3"}
SEALED = SEALER.seal(io.BytesIO(b"hello" * 1000), CONTEXT).read()


def opened(sealed: bytes, sealer: Sealer = SEALER) -> bytes:
    stream, _ = sealer.open(io.BytesIO(sealed))
    return stream.read()


@pytest.mark.parametrize("size", [0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 3 * FRAME_BYTES])
def test_sealed_then_opened_is_the_same(size: int) -> None:
    plain = bytes(range(256)) * (size // 256) + bytes(size % 256)
    sealed = SEALER.seal(io.BytesIO(plain), CONTEXT).read()
    stream, context = SEALER.open(io.BytesIO(sealed))
    assert stream.read() == plain
    assert context == CONTEXT


@given(st.binary(max_size=2000), st.lists(st.integers(1, 700), min_size=1))
def test_any_way_of_reading_gives_the_same(plain: bytes, sizes: list[int]) -> None:
    stream = SEALER.seal(io.BytesIO(plain), {})
    pieces = [stream.read(size) for size in sizes]
    stream, _ = SEALER.open(io.BytesIO(b"".join(pieces) + stream.read()))
    assert b"".join([stream.read(size) for size in sizes]) + stream.read() == plain


@given(st.data())
@settings(max_examples=300)
def test_any_changed_byte_is_noticed(data: st.DataObject) -> None:
    changed = bytearray(SEALED)
    at = data.draw(st.one_of(st.integers(0, 300), st.integers(0, len(changed) - 1)))
    changed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises((Tampered, WrongKey)):
        opened(bytes(changed))


@given(st.integers(0, len(SEALED) - 1))
def test_any_cut_is_noticed(cut: int) -> None:
    with pytest.raises(Tampered):
        opened(SEALED[:cut])


@given(st.binary(min_size=1, max_size=100))
def test_what_follows_the_end_is_noticed(more: bytes) -> None:
    with pytest.raises(Tampered):
        opened(SEALED + more)


@given(st.binary(max_size=500), st.booleans())
def test_garbage_is_refused(garbage: bytes, begins_well: bool) -> None:
    with pytest.raises(SealError):
        opened(SEALED[:5] + garbage if begins_well else garbage)


def test_frames_cannot_change_places() -> None:
    sealed = SEALER.seal(io.BytesIO(bytes(2 * FRAME_BYTES)), {}).read()
    frame = 4 + 12 + FRAME_BYTES + 16
    start = len(sealed) - (4 + 4 + 12 + 4 + 16) - 2 * frame  # behind the two frames: an empty last one
    one, two = sealed[start : start + frame], sealed[start + frame : start + 2 * frame]
    assert opened(sealed) == bytes(2 * FRAME_BYTES)
    with pytest.raises(Tampered):
        opened(sealed[:start] + two + one + sealed[start + 2 * frame :])


def test_the_needed_key_is_named() -> None:
    other = Key.generate()
    with pytest.raises(WrongKey, match=KEY.id):
        opened(SEALED, Sealer([other]))
    assert opened(SEALED, Sealer([other, KEY])) == b"hello" * 1000


def test_a_key_under_the_id_of_another_does_not_open() -> None:
    class Pretending(Key):
        @property
        def id(self) -> str:
            return KEY.id

    with pytest.raises(Tampered):
        opened(SEALED, Sealer([Pretending(Key.generate().secret)]))


def test_the_format_is_the_one_promised() -> None:
    """Opened by the plain SDK, with nothing of ours but the key's bytes."""
    from aws_encryption_sdk.identifiers import EncryptionKeyType, WrappingAlgorithm
    from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey
    from aws_encryption_sdk.key_providers.raw import RawMasterKey

    wrapping = WrappingKey(WrappingAlgorithm.AES_256_GCM_IV12_TAG16_NO_PADDING, KEY.secret, EncryptionKeyType.SYMMETRIC)
    client = aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
    plain, header = client.decrypt(
        source=SEALED,
        key_provider=RawMasterKey(key_id=KEY.id.encode(), provider_id="sluicegate", wrapping_key=wrapping),
    )
    assert plain == b"hello" * 1000
    assert header.algorithm == AlgorithmSuite.AES_256_GCM_HKDF_SHA512_COMMIT_KEY
    assert header.frame_length == 256 << 10
    assert header.encryption_context == CONTEXT


def test_a_message_without_key_commitment_is_refused() -> None:
    from aws_encryption_sdk.identifiers import CommitmentPolicy as Policy

    client = aws_encryption_sdk.EncryptionSDKClient(commitment_policy=Policy.FORBID_ENCRYPT_ALLOW_DECRYPT)
    sealed, _ = client.encrypt(
        source=b"hello",
        key_provider=SEALER._to_seal,
        algorithm=AlgorithmSuite.AES_256_GCM_IV12_TAG16_HKDF_SHA256,
    )
    with pytest.raises(Tampered):
        opened(sealed)


def test_memory_does_not_grow_with_the_size() -> None:
    class Zeros(io.RawIOBase):
        left = 64 << 20

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray, /) -> int:  # type: ignore[override]
            size = min(len(buffer), self.left)
            self.left -= size
            return size

    sealed = SEALER.seal(io.BufferedReader(Zeros()), {})
    plain, _ = SEALER.open(sealed)
    tracemalloc.start()
    try:
        total = 0
        while piece := plain.read(100_000):
            total += len(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == 64 << 20
    assert peak < 8 << 20


def test_an_error_of_the_source_passes() -> None:
    class Broken(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, _: bytearray, /) -> int:  # type: ignore[override]
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        SEALER.seal(io.BufferedReader(Broken()), {}).read()
    with pytest.raises(OSError, match="Input/output"):
        SEALER.open(io.BufferedReader(Broken()))


def test_the_sdk_is_imported_only_where_something_is_sealed() -> None:
    program = (
        "import sys, exporters.local, exporters.s3, exporters.reading, exporters.browsing, exporters.null;"
        "sys.exit('aws_encryption_sdk' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
