"""A shipping process of its own, to be killed: appends what it is given, line by line, to a file."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from collector.shipper import Shipper
from collector.spool import Deliveries
from exporters.chunk import decode
from exporters.exporter import Accepted, Chunk


class ToFile:
    """Takes chunks; what it has confirmed is in the file."""

    name = "stream"
    group_bytes = 2_000

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def check(self) -> None: ...

    def send(self, chunks: Sequence[Chunk]) -> Accepted:
        data = b"".join(decode(*chunk) for chunk in chunks)
        os.write(self._fd, data)
        return Accepted(len(data), 1)

    def close(self) -> None:
        os.close(self._fd)


async def main(directory: Path, path: Path) -> None:
    shipper = Shipper(Deliveries.open(directory), [ToFile(path)], poll=0.001)
    print("ready", flush=True)
    await shipper.run()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
