"""The libraries' own logs, which may quote what clients send: silenced. What matters is told by our events."""

import logging
import os


def silence() -> None:
    """Before gRPC is imported."""
    os.environ["GRPC_VERBOSITY"] = "NONE"
    for name in ("aiohttp", "grpc"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [logging.NullHandler()]
        logger.propagate = False
