"""Where something listens, as a person writes it."""

from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError


def host_and_port(listen: str) -> tuple[str, int]:
    """Host and port of a `Listen`."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 (asked for by leaving the host out)


def _port_exists(listen: str) -> str:
    if host_and_port(listen)[1] > 65535:
        raise PydanticCustomError("no_such_port", "has no such port; write one up to 65535")
    return listen


Listen: TypeAlias = Annotated[
    str, Field(pattern=r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]*):[0-9]{1,5}$"), AfterValidator(_port_exists)
]
"""`127.0.0.1:4317`, `[::1]:4317`, or `:4317` for every interface."""
