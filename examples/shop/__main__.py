"""`python -m examples.shop CONFIG --log FILE [--spans FILE] [--otlp ADDRESS] [--port N]`: serve on loopback until
SIGTERM or Ctrl-C.

Prints its base URL as the first line of stdout once it serves.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import signal
import socket
from pathlib import Path

from aiohttp import web
from grpc import Compression
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor

from examples.shop import app, logs


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.shop")
    parser.add_argument("config", type=Path, help="JSON, as examples.shop.config makes it")
    parser.add_argument("--log", type=Path, required=True, help="append log lines to this file")
    parser.add_argument("--spans", type=Path, help="append finished spans to this file, one JSON object a line")
    parser.add_argument("--otlp", metavar="ADDRESS", help="send finished spans there, by OTLP over gRPC")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    given = parser.parse_args()
    config = json.loads(given.config.read_text())

    with contextlib.ExitStack() as stack:
        stack.callback(logs.to_file(given.log, config["build"]).close)
        tracing = TracerProvider(resource=Resource.create({"service.name": "shop"}))
        stack.callback(tracing.shutdown)
        if given.spans:
            out = stack.enter_context(given.spans.open("a", encoding="utf-8"))
            exporter = ConsoleSpanExporter(out=out, formatter=lambda span: f"{span.to_json(indent=None)}\n")
            tracing.add_span_processor(SimpleSpanProcessor(exporter))
        if given.otlp:
            sent = OTLPSpanExporter(endpoint=given.otlp, insecure=True, compression=Compression.Gzip)
            tracing.add_span_processor(BatchSpanProcessor(sent))
        trace.set_tracer_provider(tracing)
        asyncio.run(_serve(config, given.port))


async def _serve(config: dict[str, object], port: int) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    listening = socket.create_server(("127.0.0.1", port))
    base_url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    runner = web.AppRunner(
        app.create(config, f"{base_url}/bank"),
        access_log=logging.getLogger("access"),
        access_log_class=logs.AccessLog,
    )
    try:
        await runner.setup()
        await web.SockSite(runner, listening).start()
        print(base_url, flush=True)
        await stopped.wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    main()
