"""OTLP/JSON requests → the same requests as protobuf.

Behind the door everything has one form, so that what is scrubbed, stored and sent on does not depend on how it came.
"""

from collector.sources.otlp.refusals import Garbage
from exporters.otlp_json import serialised
from exporters.requests import NotOtlp
from exporters.signals import Signal


def from_json(signal: Signal, body: bytes) -> bytes:
    """The serialised request. Raises Garbage, with words that quote nothing of it."""
    try:
        return serialised(signal, body)
    except NotOtlp as error:
        raise Garbage(f"the body is {error}" if str(error).startswith("not") else f"the body {error}") from None
