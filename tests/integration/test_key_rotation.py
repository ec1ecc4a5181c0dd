"""Keys: rotated while a gate runs, kept in KMS, and objects that the SDK of another language opens."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from exporters.browsing import LocalObjects
from exporters.exporter import Retryable
from exporters.keys import AnyKey, Key, KmsKey, load_keys
from exporters.local import LocalOptions, LocalStore
from exporters.reading import KeyNeeded, NotGenuine, Query, Reader
from tests.exporters.segments import NOON, chunk, segment
from tests.integration.gating import COMMAND, Gate, records
from tests.services import esdk_js
from tests.services.kms import REGION, Kms
from tests.services.server import Unavailable, unavailable

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def kms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kms]:
    try:
        server = Kms(tmp_path_factory.mktemp("kms"))
        server.server.start()
    except Unavailable as error:
        unavailable(error)
    yield server
    server.server.stop()


@pytest.fixture
def found(kms: Kms, monkeypatch: pytest.MonkeyPatch) -> Kms:
    """The server, found by clients that go by the environment."""
    for name, value in kms.environment.items():
        monkeypatch.setenv(name, value)
    return kms


def read(store: Path, *keys: AnyKey) -> tuple[bytes, list[Exception]]:
    reader = Reader(LocalObjects(store), keys)
    return b"".join(block for _, block in reader.read(Query())), list(reader.failures)


@pytest.mark.parametrize("size", [1, 3_000_000], ids=["one frame", "many frames"])
def test_the_sdk_for_javascript_opens_an_object(tmp_path: Path, size: int) -> None:
    store = LocalStore("local", LocalOptions(path=tmp_path / "store"))
    made = segment(tmp_path, chunk([NOON], text="x" * size))
    store.export(made.segment)
    (key,) = load_keys(tmp_path / "store.key")
    path = tmp_path / "store" / f"{made.segment.name}.enc"
    try:
        plain, context = esdk_js.open_object(path, key.id, key.secret)
    except Unavailable as error:
        unavailable(error)
    assert zstandard.ZstdDecompressor().decompressobj(read_across_frames=True).decompress(plain) == made.lines
    assert context["object"] == made.segment.name
    assert (context["segment"], context["retention"], context["records"]) == (made.segment.id, "standard", "1")

    with pytest.raises(ValueError, match="unencryptedDataKey"):
        esdk_js.open_object(path, key.id, Key.generate().secret)
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="auth"):
        esdk_js.open_object(path, key.id, key.secret)


def test_a_running_gate_takes_a_new_key_for_the_next_segment(make_gate: Callable[..., Gate]) -> None:
    gate = make_gate()
    log = gate.inputs / "app.log"
    log.write_bytes(records(0, 10))
    gate.start()
    gate.reaches(1, "sluicegate_export_objects_total")
    key_file = gate.folder / "store.key"
    (old,) = load_keys(key_file)
    done = subprocess.run([COMMAND, "keys", "rotate", key_file], capture_output=True, check=True)
    new, behind = load_keys(key_file)
    assert behind == old
    assert new.id.encode() in done.stdout
    for secret in (old.secret, new.secret):
        assert secret.hex().encode() not in done.stdout + done.stderr
    assert key_file.stat().st_mode & 0o777 == 0o600
    before = gate.metric("sluicegate_export_objects_total")
    with log.open("ab") as file:
        file.write(records(10, 10))
    gate.reaches(before + 1, "sluicegate_export_objects_total")

    # A key file that nobody could read later seals nothing: the data waits.
    content = key_file.read_bytes()
    key_file.unlink()
    with log.open("ab") as file:
        file.write(records(20, 10))
    assert "store.key" in gate.event("ExportDelayed")["message"]
    key_file.write_bytes(content)
    key_file.chmod(0o600)
    gate.event("ExportResumed")
    assert gate.stop() == 0

    by_new, failures = read(gate.store, new)
    assert by_new.count(b"\n") == 20
    assert [type(failure) for failure in failures] == [KeyNeeded]
    assert old.id in str(failures[0])
    assert len(gate.stored()) == 30
    gate.conserved()


def test_sealed_with_kms_it_is_read_back_with_the_key_that_the_object_names(
    found: Kms, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    arn, other = found.make_key(), found.make_key()
    store = tmp_path / "store"
    exporter = LocalStore("local", LocalOptions(path=store, seal_kms_key=arn))
    made = [segment(tmp_path, chunk([NOON], text=text)) for text in ("one", "two")]
    for each in made:
        exporter.export(each.segment)
    assert not (tmp_path / "store.key").exists()
    lines, failures = read(store, Key.generate(), KmsKey(other), KmsKey(arn))
    assert (sorted(lines.splitlines()), failures) == (sorted((made[0].lines + made[1].lines).splitlines()), [])
    done = subprocess.run([COMMAND, "read", store, "--key", arn], capture_output=True, check=True)
    assert sorted(done.stdout.splitlines()) == sorted(lines.splitlines())

    for wrong in ([], [KmsKey(other)], [Key.generate()]):
        _, failures = read(store, *wrong)
        assert [type(failure) for failure in failures] == [KeyNeeded, KeyNeeded]
        assert arn in str(failures[0])

    one, two = (store / f"{each.segment.name}.enc" for each in made)
    content, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(content)
    _, failures = read(store, KmsKey(arn))
    assert [type(failure) for failure in failures] == [NotGenuine, NotGenuine]
    # A context that was changed in the object itself is not the one that KMS wrapped the key for.
    one.write_bytes(content.replace(b"standard", b"standart"))
    two.write_bytes(second.replace(b"records\x00\x011", b"records\x00\x012"))
    _, failures = read(store, KmsKey(arn))
    assert [type(failure) for failure in failures] == [NotGenuine, NotGenuine]
    assert caplog.text == ""  # the SDK would tell what it raises once more


def test_a_kms_that_refuses_or_is_away_is_told_and_retried(
    found: Kms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = f"arn:aws:kms:{REGION}:123456789012:key/00000000-0000-0000-0000-000000000000"
    made = segment(tmp_path).segment
    with pytest.raises(Retryable, match=r"kms:GenerateDataKey allowed\? \(NotFoundException\)"):
        LocalStore("local", LocalOptions(path=tmp_path / "store", seal_kms_key=unknown)).export(made)
    arn = found.make_key()
    LocalStore("local", LocalOptions(path=tmp_path / "store", seal_kms_key=arn)).export(made)
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:9")
    with pytest.raises(Retryable, match="no answer"):
        LocalStore("local", LocalOptions(path=tmp_path / "away", seal_kms_key=arn)).export(made)
    _, failures = read(tmp_path / "store", KmsKey(arn))
    assert [type(failure) for failure in failures] == [KeyNeeded]
    assert "no answer" in str(failures[0])
    assert list((tmp_path / "away").rglob("*.enc")) == []
