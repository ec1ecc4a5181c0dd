"""The source: both ways in, served until it is cancelled."""

import asyncio
import ssl
from typing import TYPE_CHECKING

from collector import events
from collector.process import StartError
from collector.sources.otlp.authentication import Authentication
from collector.sources.otlp.door import Door
from collector.sources.otlp.limits import Limits
from collector.sources.otlp.options import OtlpOptions, TlsOptions
from collector.sources.otlp.receiving import Receiving
from collector.sources.source import Submit

if TYPE_CHECKING:
    from collector.sources.otlp.over_grpc import GrpcServer
    from collector.sources.otlp.over_http import HttpServer

STOP_SECONDS = 8.0  # what is under way may take so long when the source ends: it is answered sooner


class OtlpSource:
    """One worker's share: the kernel spreads connections over the workers, who all listen on the same ports.

    `memory`: bytes of requests at a time, where the options do not say.
    """

    def __init__(self, name: str, options: OtlpOptions, *, memory: int) -> None:
        self.name = name
        self._options, self._memory = options, memory
        self._door: Door | None = None
        self._servers: list[GrpcServer | HttpServer] = []

    async def start(self, submit: Submit) -> None:
        """Serve from here on. Raises StartError."""
        from collector.sources.otlp.quiet import silence

        silence()
        # gRPC and aiohttp cost 40 MB and a third of a second: only where they serve.
        from collector.sources.otlp.over_grpc import GrpcServer
        from collector.sources.otlp.over_http import HttpServer

        options = self._options
        tls = _context(self.name, options.tls) if options.tls else None
        door = self._door = self._made(submit)
        if options.grpc:
            streams = options.limits.requests_per_connection
            self._servers.append(GrpcServer(self.name, door, options.grpc, options.tls, streams, STOP_SECONDS))
        if options.http:
            self._servers.append(HttpServer(self.name, door, options.http, tls, STOP_SECONDS))
        for server in self._servers:
            await server.start()
        for protocol, (host, port) in options.addresses.items():
            events.Listening(self.name, protocol, f"{host}:{port}").emit()

    async def run(self) -> None:
        """Until it is cancelled; then take no more, and return when what is under way is answered."""
        try:
            await asyncio.Event().wait()
        finally:
            if self._door:
                self._door.closed = True
            await asyncio.gather(*(server.stop() for server in self._servers))

    def _made(self, submit: Submit) -> Door:
        limits = self._options.limits
        all_bytes = limits.bytes or self._memory
        return Door(
            self.name,
            Limits(
                requests=limits.requests,
                requests_per_connection=limits.requests_per_connection,
                all_bytes=all_bytes,
                bytes_per_connection=limits.bytes_per_connection or all_bytes // 2,
            ),
            Authentication([token.get_secret_value() for token in self._options.tokens]),
            Receiving(self.name, submit),
            limits.receive_timeout.total_seconds(),
        )


def _context(name: str, tls: TlsOptions) -> ssl.SSLContext:
    """Of HTTP's server. It also tells what is wrong with the files, which gRPC would not. Raises StartError."""
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(tls.certificate, tls.key)
        if tls.client_ca:
            context.load_verify_locations(tls.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:  # of which ssl.SSLError is one
        files = ", ".join(str(path) for path in (tls.certificate, tls.key, tls.client_ca) if path)
        reason = getattr(error, "reason", None) or error.strerror or error
        raise StartError(f"sources.{name}.tls: {files}: {reason}") from error
    return context
