"""A store with `format: json`: lines of OTLP/JSON that any tool reads, and that are read back as what was committed."""

from pathlib import Path

import pytest
import zstandard

from exporters.browsing import LocalObjects
from exporters.chunk import ChunkHeader, encode
from exporters.exporter import Rejected
from exporters.keys import load_keys
from exporters.local import LocalOptions, LocalStore
from exporters.otlp_json import readable
from exporters.reading import Query, Reader
from exporters.requests import framed
from tests.exporters.segments import HOUR, Made, segment
from tests.otlp import NOON, log_records, spans

REQUESTS = [spans(["a", "b"]), spans(["c"], service="bank"), spans(["d"], start=NOON + 1)]


def made(folder: Path, *requests: bytes, signal: str = "traces") -> Made:
    """Two chunks."""
    stored = [b"".join(map(framed, requests[:2])), b"".join(map(framed, requests[2:]))]
    header = ChunkHeader(
        signal=signal,  # type: ignore[arg-type]
        format="otlp",
        source="otlp",
        records=2,
        first_time=NOON,
        last_time=NOON + HOUR - 1,
        policy="f",
        resource={"source": "otlp"},
    )
    chunks = [(encode(header, each), each) for each in stored]
    return segment(folder, *chunks, records=4, signal=signal, format="otlp", first_time=NOON)


def test_its_objects_are_lines_of_json_in_zstd(tmp_path: Path) -> None:
    store = LocalStore("local", LocalOptions(path=tmp_path / "store", seal=False, format="json"))
    store.export(made(tmp_path, *REQUESTS).segment)
    (path,) = (tmp_path / "store").rglob("*.zst")
    assert path.name.endswith(".otlp.ndjson.zst")
    with path.open("rb") as file:
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        assert reader.read() == b"".join(readable("traces", each) for each in REQUESTS)


@pytest.mark.parametrize("seal", [True, False])
def test_it_is_read_back_as_what_was_committed(seal: bool, tmp_path: Path) -> None:
    store = LocalStore("local", LocalOptions(path=tmp_path / "store", seal=seal, format="json"))
    store.export(made(tmp_path, *REQUESTS).segment)
    keys = load_keys(tmp_path / "store.key") if seal else ()

    def read(**query: object) -> bytes:
        reader = Reader(LocalObjects(tmp_path / "store"), keys)
        blocks = list(reader.read(Query(**query)))  # type: ignore[arg-type]
        assert reader.failures == []
        assert {header.format for header, _ in blocks} <= {"otlp"}
        return b"".join(block for _, block in blocks)

    assert read() == b"".join(map(framed, REQUESTS))
    assert read(format="otlp") == read()
    assert read(format="lines") == b""
    assert read(resource={"service.name": "bank"}) == framed(REQUESTS[1])
    assert read(since=NOON + 1, until=NOON + 2) == framed(REQUESTS[2])


def test_lines_are_stored_as_ever(tmp_path: Path) -> None:
    store = LocalStore("local", LocalOptions(path=tmp_path / "store", seal=False, format="json"))
    lines = segment(tmp_path)
    store.export(lines.segment)
    assert (tmp_path / "store" / lines.segment.name).read_bytes() == lines.segment.path.read_bytes()


@pytest.mark.parametrize("request_", [b"\x0a\x02\x12\x01", spans(["a"])[:-1]])
def test_what_json_cannot_hold_is_rejected_and_says_what_to_do(request_: bytes, tmp_path: Path) -> None:
    store = LocalStore("local", LocalOptions(path=tmp_path / "store", seal=False, format="json"))
    with pytest.raises(Rejected, match="write `format: proto`"):
        store.export(made(tmp_path, request_, log_records(["x"])).segment)
    assert list((tmp_path / "store").rglob("*.zst")) == []
