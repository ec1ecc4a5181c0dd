"""What `read` writes of the stored records: in which form, and which lines."""

import re
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from exporters.chunk import ChunkHeader


class Wanted:
    """What is written of the stored records: `form`, the lines in which `grep` is found, at most `limit` of them."""

    def __init__(self, form: str, grep: str | None, limit: int | None) -> None:
        self.unreadable = 0  # requests
        self.left = limit
        self._form = form
        try:
            self._search = re.compile(grep.encode(errors="surrogateescape")).search if grep else None
        except re.error as error:
            raise typer.BadParameter(f"is not a regular expression: {error}", param_hint="--grep") from None

    def __call__(self, header: "ChunkHeader", stored: bytes) -> bytes:
        if self._form == "proto":
            return stored
        if header.format == "lines":
            lines = self._chosen(stored)
            return _bodies(lines) if self._form == "body" else lines
        lines, failed = _json(header, stored)
        self.unreadable += failed
        return self._chosen(lines)

    def _chosen(self, lines: bytes) -> bytes:
        if self._search is None and self.left is None:
            return lines
        each = lines.split(b"\n")[:-1]  # not splitlines: JSON may hold a carriage return
        if self._search:
            each = [line for line in each if self._search(line)]
        if self.left is not None:
            each = each[: self.left]
            self.left -= len(each)
        return b"".join(line + b"\n" for line in each)


def _bodies(lines: bytes) -> bytes:
    from exporters.record_body import bodies

    return bodies(lines)


def _json(header: "ChunkHeader", stored: bytes) -> tuple[bytes, int]:
    """The requests of a chunk as lines, and how many cannot be shown so."""
    from exporters.otlp_json import readable
    from exporters.requests import NotOtlp, requests

    lines, failed = [], 0
    for request in requests(stored):
        try:
            lines.append(readable(header.signal, request))
        except NotOtlp:
            failed += 1
    return b"".join(lines), failed
