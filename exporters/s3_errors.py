"""What went wrong with S3, in words that say what to mend."""

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError

from exporters.exporter import ExportError, Rejected, Retryable

LONGEST_WAIT = 3600.0  # seconds

# By the error code of the answer; without a code of its own an answer has its HTTP status as one.
_REJECTED = {
    "EntityTooLarge": "the object is larger than the server takes",
    "KeyTooLongError": "the object key is longer than the server takes; shorten the prefix or the node's name",
    "MetadataTooLarge": "the object's metadata is larger than the server takes",
}
_RETRYABLE = {
    "NoSuchBucket": "there is no such bucket; make it, or mend `bucket`",
    "PermanentRedirect": "the bucket is in another region; set `region`",
    "AuthorizationHeaderMalformed": "the bucket is in another region; set `region`",
    "IllegalLocationConstraintException": "the bucket is in another region; set `region`",
    "InvalidAccessKeyId": "the server does not know the access key; mend the credentials",
    "SignatureDoesNotMatch": "the secret access key is wrong; mend the credentials",
    "ExpiredToken": "the credentials have expired",
    "TokenRefreshRequired": "the credentials have expired",
    "InvalidToken": "the server does not know the session token; mend the credentials",
    "RequestTimeTooSkewed": "the clocks of this machine and the server differ; set them",
    "AccessDenied": "access is denied; allow s3:PutObject, s3:AbortMultipartUpload and, with `tags`, "
    "s3:PutObjectTagging for these credentials",
    "ConditionalRequestConflict": "the object is being written by somebody else",
    "InvalidTag": "the server does not take these `tags`",
    "InvalidStorageClass": "the server does not know this `storage_class`",
    "AllAccessDisabled": "the server has disabled access to the bucket",
    "AccountProblem": "the server has a problem with the account",
    "SlowDown": "the server asks for fewer requests",
    "RequestLimitExceeded": "the server asks for fewer requests",
    "ServiceUnavailable": "the server is unavailable",
    "InternalError": "the server has a problem of its own",
    "BadDigest": "the content changed on its way; it is sent again",
    "XAmzContentSHA256Mismatch": "the content changed on its way; it is sent again",
    "XAmzContentChecksumMismatch": "the content changed on its way; it is sent again",
    "NotImplemented": "the server does not know something that is asked of it; see `encryption` and `checksum`",
    "InvalidEncryptionAlgorithmError": "the server does not know this `encryption`",
    "403": "access is denied; mend the credentials or their rights",
    "404": "there is no such bucket; make it, or mend `bucket`",
}


def explain(error: ClientError | BotoCoreError, place: str) -> ExportError:
    """The error to raise instead. `place` names the destination."""
    if not isinstance(error, ClientError):
        return Retryable(f"{place}: {_connection(error)}")
    answer = error.response.get("Error", {})
    code, said = answer.get("Code", "unknown"), answer.get("Message", "")
    metadata = error.response.get("ResponseMetadata", {})
    if code in _REJECTED:
        return Rejected(f"{place}: {_REJECTED[code]} ({code})")
    if code.startswith("KMS.") or "kms" in said.lower():
        # "AccessDenied" with kms:GenerateDataKey in its text, KMS.DisabledException, KMS.NotFoundException …
        words = "KMS refuses the key; see `kms_key_id` and allow kms:GenerateDataKey and kms:Decrypt"
    else:
        words = _RETRYABLE.get(code, "the server refused it")
    status = metadata.get("HTTPStatusCode", "no HTTP status")
    return Retryable(f"{place}: {words} ({code}, {status})", after=_wait(metadata.get("HTTPHeaders", {})))


def _connection(error: BotoCoreError) -> str:
    """Why there was no answer. The exceptions' own texts are used only where they hold nothing but addresses."""
    match error:
        case boto.NoCredentialsError() | boto.PartialCredentialsError() | boto.CredentialRetrievalError():
            return "no credentials found; give access_key_id and secret_access_key, or a role"
        case boto.ConnectTimeoutError():
            return "no connection within `connect_timeout`"
        case boto.ReadTimeoutError():
            return "no answer within `read_timeout`"
        case boto.SSLError():
            return "the server's certificate is not trusted or TLS failed"
        case boto.ProxyConnectionError():
            return "cannot connect to the proxy"
        case boto.EndpointConnectionError():
            return "cannot connect: refused, or no such host"
        case boto.ConnectionClosedError():
            return "the server closed the connection"
        case boto.ParamValidationError():
            return "the name of the bucket or of the object is not one that S3 allows"
        case _:
            return f"the request failed ({type(error).__name__})"


def _wait(headers: dict[str, str]) -> float | None:
    """The `Retry-After` header, in seconds."""
    value = headers.get("retry-after", "")
    return min(float(value), LONGEST_WAIT) if value.isascii() and value.isdigit() and len(value) < 10 else None
