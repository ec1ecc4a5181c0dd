"""OTLP over gRPC.

Requests are handed on as bytes: what is clean is never parsed. The services are served as streams of requests of which
one is read, so that who may not send is refused before his request is read.
"""

import asyncio
from functools import partial
from typing import Any

import grpc

from collector.process import StartError
from collector.sources.otlp.door import Door
from collector.sources.otlp.inflating import inflate_grpc
from collector.sources.otlp.options import GrpcOptions, TlsOptions
from collector.sources.otlp.receiving import Request
from collector.sources.otlp.refusals import Garbage, Refusal, TooSlow
from collector.sources.otlp.responses import code, failure, success
from exporters.signals import Signal

SERVICES: dict[Signal, str] = {
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
}
_AUTHORIZATION = "authorization"
_DETAILS = "grpc-status-details-bin"


class GrpcServer:
    """Serves from `start` to `stop`."""

    def __init__(
        self, name: str, door: Door, options: GrpcOptions, tls: TlsOptions | None, streams: int, stop_seconds: float
    ) -> None:
        """`streams`: requests at a time on one connection. Those beyond are told to come again before they are read;
        many more are not even begun.

        `stop_seconds`: what is under way may take so long when it is stopped.
        """
        self._stop_seconds = stop_seconds
        self._name, self._door, self._options, self._tls = name, door, options, tls
        self._server = grpc.aio.server(
            options=[
                ("grpc.so_reuseport", 1),
                ("grpc.max_receive_message_length", options.max_request_bytes),
                # Inflating is ours: see `inflate_grpc`.
                ("grpc.per_message_decompression", 0),
                ("grpc.max_concurrent_streams", 4 * streams),
                ("grpc.max_metadata_size", 16 << 10),
            ]
        )
        for signal, service in SERVICES.items():
            export: Any = grpc.stream_unary_rpc_method_handler(partial(self._export, signal))
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": export}),))

    async def start(self) -> None:
        """Raises StartError."""
        try:
            if self._tls is None:
                self._server.add_insecure_port(self._options.listen)
            else:
                self._server.add_secure_port(self._options.listen, _credentials(self._tls))
        except RuntimeError as error:
            raise StartError(f"sources.{self._name}.grpc: cannot listen on {self._options.listen}") from error
        await self._server.start()

    async def stop(self) -> None:
        """Take no more, and let what is under way end."""
        await self._server.stop(self._stop_seconds)

    async def _export(self, signal: Signal, _requests: object, context: "grpc.aio.ServicerContext[Any, Any]") -> bytes:
        door = self._door
        try:
            with door.enter("grpc", context.peer(), _authorization(context)) as ticket:
                message = await _read(context, door.receive_seconds)
                ticket.grow(len(message))
                body = inflate_grpc(message, self._options.max_request_bytes)
                ticket.grow(len(body))
                quarantined = await door.receive(Request(signal, body, len(body)))
        except Refusal as refusal:
            details = ((_DETAILS, failure(refusal).SerializeToString()),)
            await context.abort(code(refusal), str(refusal), details)
        return success(signal, quarantined).SerializeToString()


async def _read(context: "grpc.aio.ServicerContext[Any, Any]", seconds: float) -> bytes:
    try:
        async with asyncio.timeout(seconds):
            message: Any = await context.read()
    except TimeoutError:
        raise TooSlow from None
    if message is grpc.aio.EOF:
        raise Garbage("there is no request")
    return bytes(message)


def _authorization(context: "grpc.aio.ServicerContext[Any, Any]") -> str | bytes | None:
    for name, value in context.invocation_metadata() or ():
        if name == _AUTHORIZATION:
            return value
    return None


def _credentials(tls: TlsOptions) -> grpc.ServerCredentials:
    return grpc.ssl_server_credentials(
        [(tls.key.read_bytes(), tls.certificate.read_bytes())],
        root_certificates=tls.client_ca.read_bytes() if tls.client_ca else None,
        require_client_auth=tls.client_ca is not None,
    )
