"""How many records an object holds, without a key and, where that can be, without fetching it."""

from exporters.browsing import ObjectStore, StoreError
from exporters.chunk import ChunkError, read_chunks
from exporters.keys import SealError
from exporters.segment import OBJECT_KEY


def records_of(store: ObjectStore, key: str) -> int | None:
    """As noted beside the object, or in clear in its seal, or as its chunks say; None where it cannot be told.

    Nothing is verified: that is what reading does.
    """
    match = OBJECT_KEY.search(key)
    try:
        noted = store.metadata(key).get("records")
        if noted is None:
            with store.open(key) as (file, _):
                if match is None or not match["sealed"]:
                    return sum(header.records for header, _ in read_chunks(file))
                from exporters.sealing import context_of  # costs tens of megabytes: only where something is sealed

                noted = context_of(file).get("records")
        return int(noted) if noted is not None else None
    except (StoreError, OSError, ChunkError, SealError, ValueError):
        return None
