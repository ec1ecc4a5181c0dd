"""Deletes objects that were kept as long as their retention class says, where the store does not do so by itself.

An object's age counts from the birth of its segment, which its key tells, or from when it was stored, whichever is
later: as a bucket's lifecycle counts, and a copied store is not emptied. What does not look like an object of ours, or
belongs to a class that is not configured, stays.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from exporters.browsing import ObjectStore, StoredObject
from exporters.segment import OBJECT_KEY, born

_REMOVED_AT_ONCE = 1000


@dataclass(slots=True, frozen=True)
class Swept:
    """What went."""

    objects: int = 0
    bytes: int = 0


class Sweeper:
    """Sweeps one store. `clock` gives seconds since the epoch."""

    def __init__(
        self, store: ObjectStore, classes: Mapping[str, timedelta], clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._classes = classes
        self._clock = clock

    def sweep(self) -> Swept:
        """Delete what is due. Raises StoreError; what was deleted until then is gone, the rest goes the next time."""
        objects = size = 0
        for name, kept in self._classes.items():
            due: list[StoredObject] = []
            for each in self._due(name, kept.total_seconds()):
                due.append(each)
                if len(due) == _REMOVED_AT_ONCE:
                    objects, size = objects + len(due), size + self._remove(due)
                    due = []
            objects, size = objects + len(due), size + self._remove(due)
        return Swept(objects, size)

    def _remove(self, due: list[StoredObject]) -> int:
        self._store.remove([each.key for each in due])
        return sum(each.size for each in due)

    def _due(self, name: str, kept: float) -> Iterator[StoredObject]:
        now = self._clock()
        before = datetime.fromtimestamp(now - kept, UTC).date().isoformat()
        if f"{self._store.root}{name}/" not in self._store.list(self._store.root).places:
            return  # where nothing was stored yet, a local store has no such folder
        for signal in self._store.list(f"{self._store.root}{name}/").places:
            for day in self._store.list(signal).places:
                # Records are older than the object that holds them: days that are young enough are not even listed.
                _, dated, date = day.rstrip("/").rpartition("/dt=")
                if not dated or date > before:
                    continue
                for hour in self._store.list(day).places:
                    for each in self._store.list(hour).objects:
                        match = OBJECT_KEY.search(each.key)
                        if match and now - max(born(match["segment"]), each.modified) >= kept:
                            yield each
