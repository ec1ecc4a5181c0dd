"""The S3 exporter and reading back, against a real SeaweedFS."""

import hashlib
import json
import os
import re
import secrets
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from awscrt import checksums

from exporters.browsing import S3Objects
from exporters.exporter import Rejected, Retryable
from exporters.keys import Key, KeyFileError, load_keys, load_or_make_keys
from exporters.reading import Damaged, KeyNeeded, NotGenuine, Query, Reader, Unreachable
from exporters.s3 import S3Store
from exporters.s3_options import S3Options
from tests.exporters.segments import HOUR, NOON, SECOND, chunk, line, segment
from tests.integration.gating import COMMAND, Gate, records
from tests.services.seaweedfs import ACCESS_KEY, READER, SECRET_KEY, SeaweedFS
from tests.services.server import Unavailable, unavailable

pytestmark = pytest.mark.service

PREFIX = "gate/"


@pytest.fixture
def client(seaweedfs: SeaweedFS) -> Iterator[Any]:
    client = seaweedfs.client()
    yield client
    client.close()


def options(server: SeaweedFS, bucket: str, /, **others: object) -> S3Options:
    return S3Options.model_validate(
        {
            "bucket": bucket,
            "prefix": PREFIX,
            "endpoint_url": server.url,
            "path_style": True,
            "access_key_id": ACCESS_KEY,
            "secret_access_key": SECRET_KEY,
            **others,
        }
    )


def reader(server: SeaweedFS, bucket: str, key_file: Path | None = None, /, **others: object) -> Reader:
    return Reader(S3Objects(options(server, bucket, **others)), load_keys(key_file) if key_file else ())


def keys(client: Any, bucket: str) -> list[str]:
    return [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket).get("Contents", [])]


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    load_or_make_keys(tmp_path / "key")
    return tmp_path / "key"


def test_a_segment_becomes_one_object_with_its_facts(
    seaweedfs: SeaweedFS, bucket: str, client: Any, tmp_path: Path
) -> None:
    made = segment(tmp_path)
    exporter = S3Store("archive", options(seaweedfs, bucket))
    exporter.check()
    assert keys(client, bucket) == []  # looking leaves nothing
    assert exporter.export(made.segment) == made.segment.bytes
    key = f"gate/standard/logs/dt=2026-11-24/hr=12/node-1-{made.segment.id}.ndjson.zst"
    assert keys(client, bucket) == [key]
    head = client.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    assert head["ServerSideEncryption"] == "AES256"
    assert head["ContentType"] == "application/zstd"
    assert head["ChecksumSHA256"]
    assert head["Metadata"] == {
        "segment": made.segment.id,
        "policy": made.segment.policy,
        "records": "3",
        "first-time": str(made.segment.first_time),
        "last-time": str(made.segment.last_time),
    }
    body = client.get_object(Bucket=bucket, Key=key)["Body"]
    assert zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True).read() == made.lines
    exporter.close()


def test_kms_as_stored(seaweedfs: SeaweedFS, bucket: str, client: Any, tmp_path: Path) -> None:
    exporter = S3Store("archive", options(seaweedfs, bucket, encryption="aws:kms", kms_key_id="alias/logs"))
    exporter.check()
    made = segment(tmp_path)
    exporter.export(made.segment)
    head = client.head_object(Bucket=bucket, Key=PREFIX + made.segment.name)
    assert head["ServerSideEncryption"] == "aws:kms"
    assert head["SSEKMSKeyId"] == "alias/logs"
    assert read(reader(seaweedfs, bucket)) == made.lines


def test_the_bucket_key_is_asked_for(seaweedfs: SeaweedFS, bucket: str, tmp_path: Path) -> None:
    """The server does not show it in HeadObject, so look at what is sent."""
    exporter = S3Store("archive", options(seaweedfs, bucket, encryption="aws:kms", kms_key_id="alias/logs"))
    sent: list[dict[str, Any]] = []
    exporter._client.meta.events.register("before-call.s3.PutObject", lambda params, **_: sent.append(params))
    exporter.export(segment(tmp_path).segment)
    headers = sent[0]["headers"]
    assert headers["x-amz-server-side-encryption-bucket-key-enabled"] == "true"
    assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == "alias/logs"


def test_the_buckets_own_encryption(seaweedfs: SeaweedFS, bucket: str, client: Any, tmp_path: Path) -> None:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    client.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    made = segment(tmp_path)
    S3Store("archive", options(seaweedfs, bucket, encryption="bucket")).export(made.segment)
    assert client.head_object(Bucket=bucket, Key=PREFIX + made.segment.name)["ServerSideEncryption"] == "AES256"


def read(reader: Reader, **query: Any) -> bytes:
    lines = b"".join(block for _, block in reader.read(Query(**query)))
    assert reader.failures == []
    return lines


def test_sealed_it_is_read_back_with_the_key_alone(
    seaweedfs: SeaweedFS, bucket: str, client: Any, tmp_path: Path, key_file: Path
) -> None:
    made = segment(tmp_path)
    S3Store("archive", options(seaweedfs, bucket, key_file=key_file)).export(made.segment)
    (key,) = keys(client, bucket)
    assert key == f"{PREFIX}{made.segment.name}.enc"
    assert b"hello" not in client.get_object(Bucket=bucket, Key=key)["Body"].read()
    assert read(reader(seaweedfs, bucket, key_file)) == made.lines
    (tmp_path / "other").touch(mode=0o600)
    other = Key.generate()
    (tmp_path / "other").write_text(f"sluicegate-key-1 {other.id} {other.secret.hex()}\n")
    for wrong in (None, tmp_path / "other"):
        blind = reader(seaweedfs, bucket, wrong)
        assert list(blind.read(Query())) == []
        assert [type(failure) for failure in blind.failures] == [KeyNeeded]


def test_a_key_file_is_never_made_for_s3(seaweedfs: SeaweedFS, bucket: str, tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="No such file"):
        S3Store("archive", options(seaweedfs, bucket, key_file=tmp_path / "none"))


@pytest.mark.parametrize("seal", [True, False])
@pytest.mark.parametrize("checksum", ["SHA256", "CRC64NVME", "MD5", "none"])
def test_a_large_segment_goes_in_parts_and_comes_back(
    seaweedfs: SeaweedFS, bucket: str, client: Any, tmp_path: Path, key_file: Path, seal: bool, checksum: str
) -> None:
    made = segment(tmp_path, *(chunk([NOON + number], text=os.urandom(1_000_000).hex()) for number in range(25)))
    assert made.segment.bytes > 20 << 20
    exporter = S3Store("archive", options(seaweedfs, bucket, checksum=checksum, key_file=key_file if seal else None))
    size = exporter.export(made.segment)
    (key,) = keys(client, bucket)
    head = client.head_object(Bucket=bucket, Key=key)
    assert head["ContentLength"] == size
    assert head["ETag"].strip('"').endswith(f"-{-(-size // (8 << 20))}")
    assert head["ServerSideEncryption"] == "AES256"
    assert read(reader(seaweedfs, bucket, key_file)) == made.lines


def test_sending_again_leaves_one_object(
    seaweedfs: SeaweedFS, bucket: str, client: Any, tmp_path: Path, key_file: Path
) -> None:
    made = segment(tmp_path)
    for _ in range(2):
        S3Store("archive", options(seaweedfs, bucket, key_file=key_file)).export(made.segment)
    assert len(keys(client, bucket)) == 1
    assert read(reader(seaweedfs, bucket, key_file)) == made.lines


@pytest.mark.parametrize(
    ("checksum", "header"), [("SHA256", "ChecksumSHA256"), ("CRC64NVME", "ChecksumCRC64NVME"), ("MD5", "ETag")]
)
def test_what_the_server_verified_is_kept(
    seaweedfs: SeaweedFS, bucket: str, client: Any, tmp_path: Path, checksum: str, header: str
) -> None:
    made = segment(tmp_path)
    S3Store("archive", options(seaweedfs, bucket, checksum=checksum)).export(made.segment)
    head = client.head_object(Bucket=bucket, Key=PREFIX + made.segment.name, ChecksumMode="ENABLED")
    content = made.segment.path.read_bytes()
    expected = {
        "ChecksumSHA256": b64encode(hashlib.sha256(content).digest()).decode(),
        "ChecksumCRC64NVME": b64encode(checksums.crc64nvme(content).to_bytes(8, "big")).decode(),
        "ETag": f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"',
    }
    assert head[header] == expected[header]


@pytest.mark.parametrize("large", [False, True], ids=["one request", "parts"])
@pytest.mark.parametrize("checksum", ["SHA256", "CRC64NVME", "MD5"])
def test_a_locked_bucket_takes_objects_and_a_repetition_adds_no_version(
    seaweedfs: SeaweedFS, client: Any, tmp_path: Path, checksum: str, large: bool
) -> None:
    bucket = f"locked-{secrets.token_hex(6)}"
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
    client.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock)
    chunks = [chunk([NOON + n], text=os.urandom(1_000_000).hex()) for n in range(10)] if large else []
    made = segment(tmp_path, *chunks)
    exporter = S3Store("archive", options(seaweedfs, bucket, checksum=checksum, overwrite=False))
    exporter.check()
    size = exporter.export(made.segment)
    assert exporter.export(made.segment) == size  # its confirmation got lost
    versions = client.list_object_versions(Bucket=bucket)
    assert [entry["Key"] for entry in versions["Versions"]] == [PREFIX + made.segment.name]
    assert versions.get("DeleteMarkers", []) == []
    assert client.head_object(Bucket=bucket, Key=PREFIX + made.segment.name)["ObjectLockMode"] == "GOVERNANCE"
    assert client.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []
    assert read(reader(seaweedfs, bucket)) == made.lines


def test_another_object_in_a_segments_place_is_kept_and_told(
    seaweedfs: SeaweedFS, bucket: str, client: Any, tmp_path: Path
) -> None:
    made = segment(tmp_path)
    client.put_object(Bucket=bucket, Key=PREFIX + made.segment.name, Body=b"theirs")
    with pytest.raises(Rejected, match="another object is in its place"):
        S3Store("archive", options(seaweedfs, bucket, overwrite=False)).export(made.segment)
    assert client.get_object(Bucket=bucket, Key=PREFIX + made.segment.name)["Body"].read() == b"theirs"


def test_a_segment_that_is_cut_meanwhile_leaves_no_upload_open(
    seaweedfs: SeaweedFS, bucket: str, client: Any, tmp_path: Path
) -> None:
    made = segment(tmp_path, *(chunk([NOON + number], text=os.urandom(1_000_000).hex()) for number in range(25)))
    exporter = S3Store("archive", options(seaweedfs, bucket))
    # The first part arrives; then the file is as a broken disk leaves it.
    exporter._client.meta.events.register(
        "after-call.s3.UploadPart", lambda **_: os.truncate(made.segment.path, 0), unique_id="break"
    )
    with pytest.raises(Rejected, match=made.segment.id):
        exporter.export(made.segment)
    assert keys(client, bucket) == []
    assert client.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"bucket": "no-such-bucket-here"}, "no such bucket"),
        ({"secret_access_key": "wrong"}, "secret access key is wrong"),
        ({"access_key_id": "nobody"}, "does not know the access key"),
        ({"access_key_id": READER[0], "secret_access_key": READER[1]}, "access is denied"),
        ({"endpoint_url": "http://127.0.0.1:9"}, "cannot connect"),
        ({"endpoint_url": "http://sluicegate.invalid"}, "cannot connect"),
        ({"bucket": "Not A Bucket"}, "not one that S3 allows"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_a_wrong_configuration_is_told_and_retried(
    seaweedfs: SeaweedFS, bucket: str, client: Any, tmp_path: Path, change: dict[str, str], says: str
) -> None:
    exporter = S3Store("archive", options(seaweedfs, bucket, **change))
    with pytest.raises(Retryable, match=says) as caught:
        exporter.check()
    assert str(caught.value).startswith("archive: s3://")
    assert "wrong" not in str(caught.value).replace(says, "")  # not the secret
    with pytest.raises(Retryable, match=says):
        exporter.export(segment(tmp_path).segment)
    assert keys(client, bucket) == []


def test_content_that_changes_on_its_way_is_sent_again(
    seaweedfs: SeaweedFS, bucket: str, client: Any, tmp_path: Path
) -> None:
    """The server compares the content with the checksum that came with it."""
    made = segment(tmp_path)
    exporter = S3Store("archive", options(seaweedfs, bucket))

    def change(params: dict[str, Any], **_: object) -> None:
        params["Body"] = bytes([params["Body"][0] ^ 1]) + params["Body"][1:]

    exporter._client.meta.events.register("provide-client-params.s3.PutObject", change, unique_id="change")
    with pytest.raises(Retryable, match="changed on its way"):
        exporter.export(made.segment)
    exporter._client.meta.events.unregister("provide-client-params.s3.PutObject", unique_id="change")
    exporter.export(made.segment)
    assert read(reader(seaweedfs, bucket)) == made.lines


def test_no_credentials_are_told(
    seaweedfs: SeaweedFS, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    exporter = S3Store("archive", options(seaweedfs, bucket, access_key_id=None, secret_access_key=None))
    with pytest.raises(Retryable, match="no credentials found"):
        exporter.check()


def test_credentials_that_are_replaced_in_their_file_are_used(
    seaweedfs: SeaweedFS, bucket: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))

    def write(key: str, secret: str) -> None:
        text = f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
        (tmp_path / "credentials").write_text(text)

    write("nobody", "old")
    exporter = S3Store("archive", options(seaweedfs, bucket, access_key_id=None, secret_access_key=None))
    made = segment(tmp_path).segment
    with pytest.raises(Retryable, match="does not know the access key"):
        exporter.export(made)
    write(ACCESS_KEY, "wrong")
    with pytest.raises(Retryable, match=r"does not know the access key|secret access key is wrong"):
        exporter.export(made)
    write(ACCESS_KEY, SECRET_KEY)
    with pytest.raises(Retryable):  # with what was read before
        exporter.export(made)
    exporter.export(made)
    assert keys(client, bucket) == [PREFIX + made.name]
    exporter.close()


def test_reading_by_time_and_origin(seaweedfs: SeaweedFS, bucket: str, tmp_path: Path, key_file: Path) -> None:
    exporter = S3Store("archive", options(seaweedfs, bucket, key_file=key_file))
    for hour in range(3):
        noon = NOON + hour * HOUR
        exporter.export(
            segment(
                tmp_path,
                chunk([noon, noon + SECOND], pod="web-1", text=f"web {hour}"),
                chunk([noon], pod="db-1", text=f"db {hour}"),
                first_time=noon,
            ).segment
        )
    part = reader(seaweedfs, bucket, key_file)
    lines = read(part, since=NOON + HOUR + 1, until=NOON + 2 * HOUR, resource={"k8s.pod.name": "web-*"})
    assert lines == line(NOON + HOUR + SECOND, "web 1")
    assert (part.progress.objects_done, part.progress.chunks, part.progress.chunks_skipped) == (1, 2, 1)
    assert read(reader(seaweedfs, bucket, key_file), retention="audit") == b""


def test_fetched_ahead_it_is_the_same_and_listed_without_a_key(
    seaweedfs: SeaweedFS, bucket: str, tmp_path: Path, key_file: Path, environment: dict[str, str]
) -> None:
    exporter = S3Store("archive", options(seaweedfs, bucket, key_file=key_file))
    made = [segment(tmp_path, chunk([NOON + hour * HOUR]), first_time=NOON + hour * HOUR) for hour in range(9)]
    for each in made:
        exporter.export(each.segment)
    lines = b"".join(each.lines for each in made)
    store = S3Objects(options(seaweedfs, bucket))
    ahead = Reader(store, load_keys(key_file), fetch_ahead=3)
    assert read(ahead) == lines
    assert ahead.progress.objects_done == 9
    place = f"s3://{bucket}/gate?endpoint_url={seaweedfs.url}&path_style=true&region=us-east-1"

    def run(*arguments: str | Path) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run([COMMAND, *arguments], capture_output=True, env=environment, check=False)

    assert run("read", place, "--key", key_file, "--parallel", "5").stdout == lines
    assert run("read", place, "--key", key_file, "--limit", "2").stdout == lines[: 2 * len(made[0].lines)]
    assert sum(day["records"] for day in json.loads(run("ls", place, "--records", "--json").stdout)) == 9
    # A server that goes away in the middle: what is there is kept, and the same command goes on.
    output = tmp_path / "out"
    blind = run("read", place.replace(seaweedfs.url, "http://127.0.0.1:9"), "--key", key_file, "--output", output)
    assert blind.returncode == 1
    assert not output.exists()
    assert run("read", place, "--key", key_file, "--output", output).returncode == 0
    assert output.read_bytes() == lines


@pytest.fixture
def environment(seaweedfs: SeaweedFS) -> dict[str, str]:
    """In which a command finds its credentials."""
    return {**os.environ, "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}


def test_what_was_tampered_with_is_refused_and_the_rest_is_read(
    seaweedfs: SeaweedFS, bucket: str, client: Any, tmp_path: Path, key_file: Path
) -> None:
    exporter = S3Store("archive", options(seaweedfs, bucket, key_file=key_file))
    names = []
    for text in ("good", "changed", "swapped one", "swapped two"):
        made = segment(tmp_path, chunk([NOON], text=text))
        exporter.export(made.segment)
        names.append(f"{PREFIX}{made.segment.name}.enc")
    contents = [client.get_object(Bucket=bucket, Key=name) for name in names]
    bodies = [bytearray(each["Body"].read()) for each in contents]
    bodies[1][-30] ^= 1
    bodies[2], bodies[3] = bodies[3], bodies[2]
    for name, body in zip(names[1:], bodies[1:], strict=True):
        client.put_object(Bucket=bucket, Key=name, Body=bytes(body))
    verifying = reader(seaweedfs, bucket, key_file)
    assert [block for _, block in verifying.read(Query())] == [line(NOON, "good")]
    assert {failure.key for failure in verifying.failures} == set(names[1:])
    assert {type(failure) for failure in verifying.failures} == {NotGenuine}


def test_records_missing_against_the_metadata_are_found(
    seaweedfs: SeaweedFS, bucket: str, client: Any, tmp_path: Path
) -> None:
    """An unsealed object cut between two chunks: each chunk is whole, and the metadata tells."""
    one, two = chunk([NOON]), chunk([NOON + SECOND])
    made = segment(tmp_path, one, two)
    S3Store("archive", options(seaweedfs, bucket)).export(made.segment)
    (key,) = keys(client, bucket)
    metadata = client.head_object(Bucket=bucket, Key=key)["Metadata"]
    client.put_object(Bucket=bucket, Key=key, Body=one[0], Metadata=metadata)
    cut = reader(seaweedfs, bucket)
    list(cut.read(Query()))
    (failure,) = cut.failures
    assert isinstance(failure, Damaged)
    assert "holds 1 records; 2 were stored" in str(failure)


def test_a_store_that_cannot_be_listed_is_told(seaweedfs: SeaweedFS, bucket: str) -> None:
    blind = reader(seaweedfs, bucket, access_key_id="nobody")
    assert list(blind.read(Query())) == []
    (failure,) = blind.failures
    assert isinstance(failure, Unreachable)
    assert "does not know the access key" in str(failure)


def test_a_server_that_hangs_and_one_that_crashed_get_the_segment_later(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    """A server of its own: hung, resumed, killed, started again with its data."""
    try:
        server = SeaweedFS(tmp_path_factory.mktemp("seaweedfs"))
        server.start()
    except Unavailable as error:
        unavailable(error)
    try:
        client = server.client()
        client.create_bucket(Bucket="logs")
        exporter = S3Store("archive", options(server, "logs", read_timeout="1s"))
        first, second = segment(tmp_path), segment(tmp_path)

        server.server.pause()
        with pytest.raises(Retryable, match="no answer within"):
            exporter.export(first.segment)
        server.server.resume()
        patient = S3Store("archive", options(server, "logs"))
        patient.export(first.segment)

        server.server.kill()
        with pytest.raises(Retryable, match=r"cannot connect|closed the connection"):
            patient.export(second.segment)
        server.start()
        patient.export(second.segment)

        assert len(keys(client, "logs")) == 2
        assert sorted(read(reader(server, "logs")).splitlines()) == sorted((first.lines + second.lines).splitlines())
        client.close()
    finally:
        server.wipe()


@pytest.mark.parametrize(
    ("encryption", "kms_key_id"), [("AES256", None), ("aws:kms", "alias/logs")], ids=["AES256", "aws:kms"]
)
def test_every_object_of_a_gate_has_encryption_tags_class_and_key_as_configured(
    seaweedfs: SeaweedFS,
    bucket: str,
    client: Any,
    key_file: Path,
    make_gate: Callable[..., Gate],
    encryption: str,
    kms_key_id: str | None,
) -> None:
    tags = {"team": "web + shop", "data-class": "scrubbed/1"}
    store = {
        **options(seaweedfs, bucket).model_dump(
            mode="json", include={"bucket", "prefix", "endpoint_url", "path_style"}
        ),
        "type": "s3",
        "access_key_id": ACCESS_KEY,
        "secret_access_key": SECRET_KEY,
        "tags": tags,
        "encryption": encryption,
        "kms_key_id": kms_key_id,
        "storage_class": "STANDARD_IA",
        "key_file": str(key_file),
        "checksum": "CRC64NVME",
        "lifecycle": "ignore",
    }
    retention = {"route": [{"level": ["info", "error"], "to": "audit"}]}
    gate = make_gate(exporters={"s3": store}, retention=retention)
    for number in range(3):
        (gate.inputs / f"app-{number}.log").write_bytes(
            records(number * 500, 500) + b"ERROR r%06dx\n" % (9000 + number)
        )
        gate.finish()
    found = keys(client, bucket)
    pattern = r"gate/(standard|audit)/logs/dt=\d{4}-\d\d-\d\d/hr=\d\d/node-1-[0-9a-f]{32}\.ndjson\.zst\.enc"
    assert len(found) >= 6
    assert [key for key in found if not re.fullmatch(pattern, key)] == []
    assert {key.split("/")[1] for key in found} == {"standard", "audit"}
    for key in found:
        head = client.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
        assert head["ServerSideEncryption"] == encryption
        assert head.get("SSEKMSKeyId") == kms_key_id
        assert head["StorageClass"] == "STANDARD_IA"
        assert head["ChecksumCRC64NVME"]
        assert head["Metadata"]["segment"] in key
        tagged = client.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
        assert {tag["Key"]: tag["Value"] for tag in tagged} == tags
        assert all(
            grant["Grantee"].get("URI") is None for grant in client.get_object_acl(Bucket=bucket, Key=key)["Grants"]
        )
    own = S3Objects(options(seaweedfs, bucket))
    gate.conserved(gate.stored(own, load_keys(key_file)))
