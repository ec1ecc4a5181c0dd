"""Where something listens, as a person writes it."""

import ipaddress
import socket
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError


def host_and_port(listen: str) -> tuple[str, int]:
    """Host and port of a `Listen`."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 (asked for by leaving the host out)


def is_here(host: str, listen: str) -> bool:
    """Whether what is sent to `host` comes to what listens on the host `listen`, as far as that can be told offline."""
    if listen in ("0.0.0.0", "::"):  # noqa: S104 (asked for by leaving the host out)
        return host.lower() in ("localhost", socket.gethostname().lower()) or _is_own(host)
    return host == listen or {host.lower(), listen.lower()} <= _LOOPBACK


_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def _is_own(host: str) -> bool:
    """Whether it is an address of this machine: only those can be bound."""
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except (ValueError, OSError):
        return False
    return True


def _port_exists(listen: str) -> str:
    if host_and_port(listen)[1] > 65535:
        raise PydanticCustomError("no_such_port", "has no such port; write one up to 65535")
    return listen


Listen: TypeAlias = Annotated[
    str, Field(pattern=r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]*):[0-9]{1,5}$"), AfterValidator(_port_exists)
]
"""`127.0.0.1:4317`, `[::1]:4317`, or `:4317` for every interface."""
