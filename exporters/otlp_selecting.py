"""Finds stored OTLP records by their time and their resource."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from exporters.otlp_records import picked, record_time
from exporters.requests import framed, requests
from exporters.signals import Signal


def selected(signal: Signal, stored: bytes, since: int | None, until: int | None, resource: Mapping[str, str]) -> bytes:
    """The requests of a chunk with those records alone whose time is `since` or later and before `until` (ns since the
    epoch), and whose resource attributes match these patterns.

    A record that says no time is among them: better one too many than one lost. Raises NotOtlp.
    """

    def wanted(_number: int, record: Any, about: Any) -> bool:
        time = record_time(signal, record)
        return (not time or ((since is None or time >= since) and (until is None or time < until))) and _matches(
            about, resource
        )

    picks = (picked(signal, request, wanted) for request in requests(stored))
    return b"".join(framed(request) for request in picks if request)


def _matches(resource: Any, patterns: Mapping[str, str]) -> bool:
    if not patterns:
        return True
    attributes = {each.key.decode("utf-8", "replace"): _text(each.value) for each in resource.attributes}
    return all(name in attributes and fnmatchcase(attributes[name], glob) for name, glob in patterns.items())


def _text(value: Any) -> str:
    kind = value.WhichOneof("value")
    content = getattr(value, kind) if kind else ""
    if isinstance(content, bool):
        return str(content).lower()
    return content.decode("utf-8", "replace") if isinstance(content, bytes) else str(content)
