"""Which envelope a file has."""

from typing import Literal, TypeAlias

from collector.batch import Nanoseconds
from collector.sources.framing.cri import Cri
from collector.sources.framing.cut import Cut
from collector.sources.framing.docker import Docker
from collector.sources.framing.plain import Plain
from collector.sources.framing.run import Framer, Read

Format: TypeAlias = Literal["plain", "docker", "cri"]

_LINES = 8  # looked at; the first may be torn or a runtime's notice


def framer(format: Format, *, read: Read, cut: Cut, now: Nanoseconds) -> Framer:  # noqa: A002
    """The framer of a format. `read` gives bytes of the file again, `now` is the time of records without one."""
    if format == "plain":
        return Plain(now)
    return (Cri if format == "cri" else Docker)(read=read, cut=cut, now=now)


def detect(head: bytes) -> Format | None:
    """The format of a file that starts with `head`; None while no line is whole.

    A wrong answer would lose nothing: lines that are not in the format are passed on as they stand.
    """
    lines = head.split(b"\n")[:-1][:_LINES]
    if not lines:
        return None
    cut = Cut(limit=1 << 20, redact=bytes)
    cri = Cri(read=lambda *_: b"", cut=cut, now=0)
    docker = Docker(read=lambda *_: b"", cut=cut, now=0)
    for line in lines:
        if cri.parse(line):
            return "cri"
        if docker.parse(line):
            return "docker"
    return "plain"
