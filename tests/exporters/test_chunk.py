import io
import threading
import zlib

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from exporters import chunk
from exporters.chunk import (
    MAX_HEADER_BYTES,
    MAX_STORED_BYTES,
    ChunkError,
    ChunkHeader,
    ChunkPosition,
    Corrupt,
    TooLarge,
    Truncated,
    decode,
    encode,
    read_chunks,
)

HEADER = ChunkHeader(
    signal="logs", format="lines", source="app", records=2, first_time=1, last_time=2, policy="0123456789abcdef"
)
LINES = b'{"time":"a"}\n{"time":"b"}\n'

headers = st.builds(
    ChunkHeader,
    signal=st.sampled_from(["logs", "traces", "metrics"]),
    format=st.just("lines"),
    source=st.text(max_size=20),
    records=st.just(0),
    first_time=st.integers(-(2**63), 2**63 - 1),
    last_time=st.integers(-(2**63), 2**63 - 1),
    policy=st.text(max_size=16),
    resource=st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=4),
    input_bytes=st.integers(0, 2**63 - 1),
    positions=st.lists(
        st.builds(
            ChunkPosition, source=st.text(), key=st.text(), epoch=st.integers(0, 2**40), value=st.binary(max_size=40)
        ),
        max_size=3,
    ).map(tuple),
)
stored_lines = st.lists(st.binary(max_size=50).map(lambda line: line.replace(b"\n", b"") + b"\n"), max_size=20)


def read_all(content: bytes) -> list[tuple[ChunkHeader, bytes]]:
    return [(header, decode(header, frame)) for header, frame in read_chunks(io.BytesIO(content))]


@given(st.lists(st.tuples(headers, stored_lines), max_size=4))
def test_what_was_encoded_is_read_back(chunks: list[tuple[ChunkHeader, list[bytes]]]) -> None:
    given = [(msgspec.structs.replace(header, records=len(lines)), b"".join(lines)) for header, lines in chunks]
    content = b"".join(encode(header, stored) for header, stored in given)
    back = read_all(content)
    assert [stored for _, stored in back] == [stored for _, stored in given]
    assert [msgspec.structs.replace(header, bytes=0, frame=0) for header, _ in back] == [header for header, _ in given]
    assert [header.bytes for header, _ in back] == [len(stored) for _, stored in given]


def test_any_zstd_reads_an_object() -> None:
    content = encode(HEADER, LINES) + encode(msgspec.structs.replace(HEADER, records=0), b"") + encode(HEADER, LINES)
    reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(content), read_across_frames=True)
    assert reader.read() == LINES + LINES


@given(st.data())
def test_a_cut_is_noticed_unless_it_is_between_chunks(data: st.DataObject) -> None:
    one = encode(HEADER, LINES)
    cut = data.draw(st.integers(0, 2 * len(one)))
    if cut % len(one) == 0:
        assert len(read_all((one * 2)[:cut])) == cut // len(one)
    else:
        with pytest.raises(Truncated) as caught:
            read_all((one * 2)[:cut])
        assert caught.value.offset == cut // len(one) * len(one)


@given(st.data())
def test_a_changed_byte_is_noticed(data: st.DataObject) -> None:
    content = bytearray(encode(HEADER, LINES))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ChunkError):
        read_all(bytes(content))


@given(st.binary(max_size=200))
def test_garbage_is_refused(garbage: bytes) -> None:
    if garbage:
        with pytest.raises(ChunkError):
            read_all(garbage)


def test_the_file_stands_behind_the_chunk_while_it_is_out() -> None:
    one = encode(HEADER, LINES)
    file = io.BytesIO(one + one + b"torn")
    chunks = read_chunks(file)
    for number in (1, 2):
        next(chunks)
        assert file.tell() == number * len(one)
    with pytest.raises(Truncated) as caught:
        next(chunks)
    assert caught.value.offset == 2 * len(one)


def test_a_file_that_gives_little_at_a_time_is_read() -> None:
    class Dripping(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 3))

    ((header, frame),) = read_chunks(Dripping(encode(HEADER, LINES)))
    assert decode(header, frame) == LINES


@pytest.mark.parametrize(
    ("records", "stored"), [(1, LINES), (3, LINES), (2, LINES[:-1]), (2, LINES + b"x"), (0, b"x")], ids=str
)
def test_records_that_do_not_match_their_number_are_refused(records: int, stored: bytes) -> None:
    with pytest.raises(Corrupt):
        read_all(encode(msgspec.structs.replace(HEADER, records=records), stored))


def _with_frame(frame: bytes, **changed: int) -> bytes:
    """A chunk with a frame of our making under a header that is right otherwise."""
    head = chunk._encode_json(msgspec.structs.replace(HEADER, frame=len(frame), **changed))
    return chunk._PREAMBLE.pack(chunk._MAGIC, len(head) + 4, zlib.crc32(head)) + head + frame


def test_a_frame_that_grows_beyond_its_header_is_not_decompressed() -> None:
    bomb = zstandard.ZstdCompressor(write_checksum=True).compress(b"\n" * (MAX_STORED_BYTES * 2))
    with pytest.raises(Corrupt, match="not the one its header describes"):
        read_all(_with_frame(bomb, bytes=2))
    with pytest.raises(Corrupt, match="states"):
        read_all(_with_frame(bomb, bytes=MAX_STORED_BYTES * 2))


def test_a_frame_without_size_or_checksum_is_refused() -> None:
    for options in ({"write_checksum": False}, {"write_checksum": True, "write_content_size": False}):
        frame = zstandard.ZstdCompressor(**options).compress(LINES)
        with pytest.raises(Corrupt):
            read_all(_with_frame(frame, bytes=len(LINES)))


def test_a_frame_with_something_behind_it_is_refused() -> None:
    frame = zstandard.ZstdCompressor(write_checksum=True).compress(LINES)
    with pytest.raises(Corrupt):
        read_all(_with_frame(frame + frame, bytes=len(LINES)))


def test_a_newer_version_is_named() -> None:
    frame = zstandard.ZstdCompressor(write_checksum=True).compress(LINES)
    with pytest.raises(Corrupt, match="format version 2"):
        read_all(_with_frame(frame, bytes=len(LINES), version=2))


def test_limits_hold_when_writing() -> None:
    with pytest.raises(TooLarge):
        encode(HEADER, bytes(MAX_STORED_BYTES + 1))
    with pytest.raises(TooLarge):
        encode(msgspec.structs.replace(HEADER, source="x" * MAX_HEADER_BYTES), LINES)


def test_errors_hold_no_contents() -> None:
    header = msgspec.structs.replace(HEADER, source="secret-source", records=7)
    with pytest.raises(ChunkError) as caught:
        read_all(encode(header, b"secret-body\n"))
    assert "secret" not in f"{caught.value!r}"


def test_threads_do_not_disturb_one_another() -> None:
    def work(number: int) -> None:
        stored = b"%d\n" % number * 20_000
        header = msgspec.structs.replace(HEADER, records=20_000)
        results.append(all(read_all(encode(header, stored))[0][1] == stored for _ in range(20)))

    results: list[bool] = []
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 4
