"""OTLP over HTTP/1.1: protobuf and JSON."""

import asyncio
import math
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from aiohttp import ClientPayloadError, web
from google.protobuf.message import Message

from collector import events
from collector.address import host_and_port
from collector.process import StartError
from collector.sources.otlp.door import Door
from collector.sources.otlp.inflating import inflater
from collector.sources.otlp.json_requests import from_json
from collector.sources.otlp.limits import Ticket
from collector.sources.otlp.options import HttpOptions
from collector.sources.otlp.receiving import Request
from collector.sources.otlp.refusals import (
    Full,
    Garbage,
    Refusal,
    Stopping,
    TooLarge,
    TooSlow,
    Unauthenticated,
)
from collector.sources.otlp.responses import as_json, failure, success
from exporters.signals import Signal

PATHS: dict[str, Signal] = {"/v1/logs": "logs", "/v1/traces": "traces", "/v1/metrics": "metrics"}
_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_KINDS = {_PROTOBUF: _PROTOBUF, "application/protobuf": _PROTOBUF, _JSON: _JSON}
_JSON_WEIGHT = 8  # what a byte of JSON takes as objects, about
_HEADERS = {"Server": "sluicegate"}
_Handler: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
_IDLE_SECONDS = 75.0  # a connection without a request is closed


class Wrong(Refusal):
    """Of HTTP alone: a request that is none to this server."""

    outcome, status, code = "malformed", 400, "UNIMPLEMENTED"


class NoSuchPath(Wrong):
    status = 404


class NoPost(Wrong):
    status = 405


class UnknownKind(Wrong):
    status = 415


class GaveUp(Refusal):
    """The client hung up in the middle of its request. Nobody reads the answer."""

    outcome, status, code = "cancelled", 400, "CANCELLED"


class Failed(Refusal):
    """The gate could not look at it. Not to be sent again."""

    outcome, status, code = "failed", 500, "INTERNAL"


class _Server(web.Server):
    """Says itself that something is no HTTP, or that the gate failed: the library's words would quote the client."""

    def __init__(self, source: str, handler: _Handler, **options: Any) -> None:
        super().__init__(handler, **options)
        self._source, self._options = source, options

    def __call__(self) -> web.RequestHandler:
        return _Connection(self._source, self, loop=asyncio.get_running_loop(), **self._options)


class _Connection(web.RequestHandler):
    __slots__ = ("_source",)

    def __init__(self, source: str, server: web.Server, **options: Any) -> None:
        super().__init__(server, **options)
        self._source = source

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,  # noqa: ARG002
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already")
        if status >= 500:  # told of already, by the door
            return _refused(Failed("an error of the gate"), "")
        refusal = Wrong("what was sent is not HTTP/1.1")
        events.RequestRefused(self._source, "http", refusal.outcome, str(refusal)).emit()
        return _refused(refusal, "")


class HttpServer:
    """Serves from `start` to `stop`."""

    def __init__(
        self, name: str, door: Door, options: HttpOptions, tls: ssl.SSLContext | None, stop_seconds: float
    ) -> None:
        """`stop_seconds`: what is under way may take so long when it is stopped."""
        self._name, self._door, self._options, self._tls = name, door, options, tls
        # Inflating is ours, with its limit; and no request is logged: its line is the client's text.
        server = _Server(
            name,
            self._handle,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=_IDLE_SECONDS,
            lingering_time=0,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=stop_seconds)

    async def start(self) -> None:
        """Raises StartError."""
        await self._runner.setup()
        host, port = host_and_port(self._options.listen)
        try:
            await web.TCPSite(self._runner, host, port, ssl_context=self._tls, reuse_port=True).start()
        except OSError as error:
            where = f"sources.{self._name}.http: cannot listen on {self._options.listen}"
            raise StartError(f"{where}: {error.strerror or error}") from error

    async def stop(self) -> None:
        """Take no more, and let what is under way end."""
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        kind = _KINDS.get(request.content_type, "")
        try:
            with self._door.enter("http", _peer(request), request.headers.get("Authorization")) as ticket:
                signal = _signal(request)
                if not kind:
                    raise UnknownKind(f"the content type is neither {_PROTOBUF} nor {_JSON}")
                body = await self._body(request, ticket)
                size = len(body)
                if kind == _JSON:
                    ticket.grow(_JSON_WEIGHT * size)
                    # In a thread, which takes turns with the loop's: a large one takes seconds.
                    body = await asyncio.to_thread(from_json, signal, body)
                quarantined = await self._door.receive(Request(signal, body, size))
        except Refusal as refusal:
            return _refused(refusal, kind)
        return _answer(200, success(signal, quarantined), kind)

    async def _body(self, request: web.BaseRequest, ticket: Ticket) -> bytes:
        """What was sent, inflated."""
        limit = self._options.max_request_bytes
        length = request.content_length or 0
        inflating = inflater(request.headers.get("Content-Encoding", ""), limit)
        if inflating is None:
            raise UnknownKind("the content encoding is none of gzip, deflate, zstd, identity")
        if length > limit:
            raise TooLarge(limit)
        ticket.grow(length)
        read = 0
        try:
            async with asyncio.timeout(self._door.receive_seconds):
                async for piece in request.content.iter_any():
                    read += len(piece)
                    if read > limit:
                        raise TooLarge(limit)
                    ticket.grow(read)
                    inflating.feed(piece)
        except TimeoutError:
            raise TooSlow from None
        except ConnectionError:
            raise GaveUp("the client gave up") from None
        except (web.RequestPayloadError, ClientPayloadError):
            raise Garbage("the body does not arrive as its headers say") from None
        body = inflating.finish()
        ticket.grow(len(body))
        return body


def _signal(request: web.BaseRequest) -> Signal:
    signal = PATHS.get(request.path)
    if signal is None:
        raise NoSuchPath(f"the paths are {', '.join(PATHS)}")
    if request.method != "POST":
        raise NoPost("send requests by POST")
    return signal


def _peer(request: web.BaseRequest) -> object:
    return request.transport.get_extra_info("peername") if request.transport else None


def _refused(refusal: Refusal, kind: str) -> web.Response:
    response = _answer(refusal.status, failure(refusal), kind)
    if refusal.after is not None:
        response.headers["Retry-After"] = str(math.ceil(refusal.after))
    if isinstance(refusal, NoPost):
        response.headers["Allow"] = "POST"
    if isinstance(refusal, Unauthenticated):
        response.headers["WWW-Authenticate"] = "Bearer"
    # What is left of the request is not read: the connection cannot go on behind it.
    if not isinstance(refusal, (Full, Stopping)):
        response.force_close()
    return response


def _answer(status: int, message: Message, kind: str) -> web.Response:
    """In the form in which the client sent, protobuf where that is not known."""
    if kind == _JSON:
        return web.Response(status=status, body=as_json(message), content_type=_JSON, headers=_HEADERS)
    return web.Response(status=status, body=message.SerializeToString(), content_type=_PROTOBUF, headers=_HEADERS)
