"""An OTLP server within the tests' own process that answers as it is told: gRPC or HTTP, with or without TLS."""

import gzip
import ssl
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import zstandard
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from tests.services.certificates import Pair

_SIGNALS = {"LogsService": "logs", "TraceService": "traces", "MetricsService": "metrics"}


@dataclass(frozen=True)
class Request:
    """What arrived."""

    signal: str
    body: bytes
    headers: dict[str, str]
    encoding: str
    wire_bytes: int


@dataclass(frozen=True)
class Answer:
    """What to say: a gRPC code by name, or an HTTP status; `retry` in seconds; the body of a success."""

    code: str = "OK"
    status: int = 200
    retry: float | str | None = None
    body: bytes = b""
    text: str = ""


@dataclass
class Taken:
    """What a server took, and what it is to answer to the next requests; then it says yes."""

    requests: list[Request] = field(default_factory=list)
    script: "deque[Answer]" = field(default_factory=deque)
    asked: int = 0
    refusing: Answer | None = None  # what it says to everything, as long as it is set
    hold: "Callable[[], object]" = lambda: None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, request: Request) -> Answer:
        self.hold()
        with self._lock:
            if request.body:
                self.asked += 1
            if self.refusing:
                return self.refusing
            answer = self.script.popleft() if self.script and request.body else Answer()
            if answer.code == "OK" and answer.status == 200 and request.body:
                self.requests.append(request)
            return answer

    @property
    def bodies(self) -> list[bytes]:
        return [request.body for request in self.requests]


class GrpcServer(Taken):
    """OTLP over gRPC at `endpoint`."""

    def __init__(self, pair: Pair | None = None, client_ca: Path | None = None) -> None:
        super().__init__()
        handler: Any = _Services(self)
        self._server = grpc.server(ThreadPoolExecutor(8), handlers=(handler,))
        if pair is None:
            port = self._server.add_insecure_port("127.0.0.1:0")
        else:
            credentials = grpc.ssl_server_credentials(
                [(pair.key.read_bytes(), pair.certificate.read_bytes())],
                client_ca.read_bytes() if client_ca else None,
                require_client_auth=client_ca is not None,
            )
            port = self._server.add_secure_port("127.0.0.1:0", credentials)
        self.endpoint = f"{'https' if pair else 'http'}://127.0.0.1:{port}"
        self._server.start()

    def close(self) -> None:
        self._server.stop(None).wait()


class _Services(grpc.GenericRpcHandler):
    def __init__(self, taken: Taken) -> None:
        self._taken = taken

    def service(self, details: Any) -> Any:
        signal = _SIGNALS[details.method.split("/")[1].rpartition(".")[2]]

        def export(body: bytes, context: Any) -> bytes:
            headers = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
            answer = self._taken.take(Request(signal, body, headers, "", len(body)))
            if answer.code != "OK":
                if answer.retry is not None:
                    code = grpc.StatusCode[answer.code].value[0]
                    detail = AnyMessage()
                    delay = Duration(nanos=int(float(answer.retry) * 1e9) % 1_000_000_000, seconds=int(answer.retry))
                    detail.Pack(RetryInfo(retry_delay=delay))
                    status = Status(code=code, message=answer.text, details=[detail])
                    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
                context.abort(grpc.StatusCode[answer.code], answer.text)
            return answer.body

        return grpc.unary_unary_rpc_method_handler(export)


class HttpServer(Taken):
    """OTLP over HTTP at `endpoint`."""

    def __init__(self, pair: Pair | None = None, client_ca: Path | None = None) -> None:
        super().__init__()
        taken = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers["Content-Length"]))
                encoding = self.headers.get("Content-Encoding", "")
                body = _inflated(sent, encoding)
                request = Request(self.path.rpartition("/")[2], body, dict(self.headers), encoding, len(sent))
                answer = taken.take(request)
                said = answer.body or answer.text.encode()
                self.send_response(answer.status)
                if answer.retry is not None:
                    self.send_header("Retry-After", str(answer.retry))
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: object) -> None: ...

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None: ...

        self._server = Quiet(("127.0.0.1", 0), Handler)
        if pair:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pair.certificate, pair.key)
            if client_ca:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(client_ca)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.endpoint = f"{'https' if pair else 'http'}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _inflated(sent: bytes, encoding: str) -> bytes:
    match encoding:
        case "gzip":
            return gzip.decompress(sent)
        case "zstd":
            return zstandard.ZstdDecompressor().decompress(sent)
        case _:
            return sent
