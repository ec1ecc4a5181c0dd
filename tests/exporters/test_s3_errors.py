import pytest
from botocore import exceptions as boto
from botocore.exceptions import ClientError

from exporters.exporter import Rejected, Retryable
from exporters.s3_errors import LONGEST_WAIT, explain
from exporters.s3_options import S3Connection, S3Options
from settings import SettingsError, loads


def answer(code: str, status: int = 400, message: str = "", **headers: str) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers},  # type: ignore[typeddict-item]
        },
        "PutObject",
    )


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (answer("NoSuchBucket", 404), "no such bucket"),
        (answer("404", 404), "no such bucket"),
        (answer("InvalidAccessKeyId", 403), "does not know the access key"),
        (answer("SignatureDoesNotMatch", 403), "secret access key is wrong"),
        (answer("AccessDenied", 403), "s3:PutObject"),
        (answer("AccessDenied", 403, "not authorized to perform: kms:GenerateDataKey"), "KMS refuses the key"),
        (answer("KMS.DisabledException", 400), "KMS refuses the key"),
        (answer("ExpiredToken", 400), "expired"),
        (answer("PermanentRedirect", 301), "set `region`"),
        (answer("RequestTimeTooSkewed", 403), "clocks"),
        (answer("SlowDown", 503), "fewer requests"),
        (answer("WhoKnows", 500), r"WhoKnows, 500"),
        (boto.NoCredentialsError(), "no credentials"),
        (boto.EndpointConnectionError(endpoint_url="http://x"), "cannot connect"),
        (boto.ConnectTimeoutError(endpoint_url="http://x"), "connect_timeout"),
        (boto.ReadTimeoutError(endpoint_url="http://x"), "read_timeout"),
        (boto.ConnectionClosedError(endpoint_url="http://x"), "closed the connection"),
        (boto.SSLError(endpoint_url="http://x", error="x"), "certificate"),
        (boto.HTTPClientError(error="x"), "HTTPClientError"),
    ],
)
def test_what_may_pass_is_retried_and_says_what_to_mend(error: ClientError | boto.BotoCoreError, says: str) -> None:
    explained = explain(error, "archive: s3://logs/")
    assert isinstance(explained, Retryable)
    with pytest.raises(Retryable, match=rf"^archive: s3://logs/: .*{says}"):
        raise explained


@pytest.mark.parametrize("code", ["EntityTooLarge", "KeyTooLongError", "MetadataTooLarge"])
def test_what_never_passes_is_rejected(code: str) -> None:
    assert isinstance(explain(answer(code), "x"), Rejected)


@pytest.mark.parametrize(
    ("header", "after"),
    [("7", 7.0), ("99999", LONGEST_WAIT), ("soon", None), ("-1", None), ("٣", None), ("9" * 99, None)],
)
def test_the_wait_that_the_server_asks_for_is_passed_on(header: str, after: float | None) -> None:
    explained = explain(answer("SlowDown", 503, **{"retry-after": header}), "x")
    assert isinstance(explained, Retryable)
    assert explained.after == after


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("bucket: b\nkms_key_id: alias/x\n", "encryption: aws:kms"),
        ("bucket: b\naccess_key_id: x\n", "secret_access_key"),
        ("bucket: b\nprefix: /a/\n", "prefix"),
        ("bucket: b\nprefix: a\n", "prefix"),
        ("bucket: b\nendpoint_url: localhost:9000\n", "endpoint_url"),
        ("bucket: b\nencryption: rot13\n", "encryption"),
        ("bucket: ''\n", "bucket"),
        ("bucket: b\nregion_name: x\n", "region_name"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        loads(text, S3Options)


def test_every_option_is_described() -> None:
    for name, field in {**S3Connection.model_fields, **S3Options.model_fields}.items():
        assert field.description, name


def test_the_secret_is_not_shown() -> None:
    options = S3Options.model_validate({"bucket": "b", "access_key_id": "id", "secret_access_key": "hush"})
    assert "hush" not in f"{options!r} {options} {options.model_dump_json()}"
