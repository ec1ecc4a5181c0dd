"""OTLP over HTTP: binary protobuf."""

import gzip
import ssl
import threading
from importlib.metadata import version

import urllib3
import zstandard
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError, SSLError

from exporters.exporter import Retryable
from exporters.otlp.answers import of_http
from exporters.otlp.options import OtlpDestination, TlsClientOptions

_CONNECTIONS = 8
_MOST_ANSWER_BYTES = 64 << 10
_GZIP_LEVEL = 1  # four times the speed of the usual 6, for a tenth more bytes


class HttpWay:
    """Connections that are kept; any thread may use it."""

    def __init__(self, options: OtlpDestination, place: str) -> None:
        """Connects to nothing yet. Raises OSError if a file of the TLS options cannot be read."""
        self._place = place
        self._base = options.endpoint.rstrip("/")
        self._compression = options.compression
        self._headers = {
            **{name: value.get_secret_value() for name, value in options.headers.items()},
            "Content-Type": "application/x-protobuf",
            "User-Agent": f"sluicegate/{version('sluicegate')}",
        }
        if options.compression != "none":
            self._headers["Content-Encoding"] = options.compression
        context = _context(options.tls) if options.endpoint.startswith("https:") else None
        seconds = options.timeout.total_seconds()
        self._pool = urllib3.PoolManager(
            num_pools=1,
            maxsize=_CONNECTIONS,
            retries=False,
            timeout=urllib3.Timeout(connect=seconds, read=seconds),
            ssl_context=context,
        )
        self._own = threading.local()

    def send(self, signal: str, body: bytes) -> tuple[bytes, int]:
        """Send a request; the answer, and the bytes sent. Raises ExportError."""
        body = self._compressed(body)
        try:
            answer = self._pool.request(
                "POST", f"{self._base}/v1/{signal}", body=body, headers=self._headers, redirect=False,
                preload_content=False,
            )  # fmt: skip
            said = answer.read(_MOST_ANSWER_BYTES, decode_content=True)
            rest = answer.read(1)
        except HTTPError as error:
            raise Retryable(f"{self._place}: {_words(error)}") from None
        if rest:
            answer.close()
        answer.release_conn()
        if not 200 <= answer.status < 300:
            raise of_http(answer.status, answer.headers.get("Retry-After"), self._place)
        return said, len(body)

    def close(self) -> None:
        self._pool.clear()

    def _compressed(self, body: bytes) -> bytes:
        match self._compression:
            case "gzip":
                return gzip.compress(body, _GZIP_LEVEL, mtime=0)
            case "zstd":
                if not hasattr(self._own, "zstd"):
                    self._own.zstd = zstandard.ZstdCompressor(level=1)
                compressed: bytes = self._own.zstd.compress(body)
                return compressed
            case _:
                return body


def _context(tls: TlsClientOptions) -> ssl.SSLContext:
    for file in (tls.ca_file, tls.certificate, tls.key):
        if file:
            file.read_bytes()  # OpenSSL's errors do not name it
    context = ssl.create_default_context(cafile=tls.ca_file)
    if tls.certificate:
        context.load_cert_chain(tls.certificate, tls.key)
    return context


def _words(error: HTTPError) -> str:
    """What went wrong on the way; nothing that the server said."""
    match error:
        case NewConnectionError():
            return "it cannot be reached"
        case ConnectTimeoutError() | ReadTimeoutError():
            return "no answer within `timeout`"
        case SSLError():
            return f"TLS fails: {error}"
        case _:
            return f"it cannot be reached ({type(error).__name__})"
