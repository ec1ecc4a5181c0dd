"""Objects are fetched ahead, never more than asked for, and given in order; nothing stays open."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import pytest

from exporters.browsing import Listing, StoredObject, StoreError
from exporters.fetching import ahead


class Store:
    """Counts what is open at the same time; keys that begin with `bad` cannot be had."""

    root = ""

    def __init__(self) -> None:
        self.open_now = self.most = self.opened = 0
        self._lock = threading.Lock()

    def list(self, place: str) -> Listing:
        raise NotImplementedError

    def metadata(self, key: str) -> dict[str, str]:
        raise NotImplementedError

    def remove(self, keys: object) -> None:
        raise NotImplementedError

    @contextmanager
    def open(self, key: str) -> Iterator[tuple[BinaryIO, dict[str, str]]]:
        with self._lock:
            self.opened += 1
            self.open_now += 1
            self.most = max(self.most, self.open_now)
        try:
            if key.startswith("bad"):
                raise StoreError(key)
            yield io.BytesIO(key.encode()), {"key": key}
        finally:
            with self._lock:
                self.open_now -= 1


def objects(*keys: str) -> list[StoredObject]:
    return [StoredObject(key, len(key), 0.0) for key in keys]


@pytest.mark.parametrize("count", [0, 1, 4, 50])
def test_all_are_given_in_order_and_closed(count: int) -> None:
    store, wanted = Store(), objects(*(f"{number:02}" for number in range(20)))
    given = []
    with ahead(store, wanted, count) as opening:
        for each, open_it in opening:
            with open_it() as (file, metadata):
                given.append((each.key, file.read().decode(), metadata["key"]))
    assert given == [(each.key, each.key, each.key) for each in wanted]
    assert store.open_now == 0
    assert store.most <= count + 1


@pytest.mark.parametrize("count", [0, 3])
def test_one_that_cannot_be_had_is_told_where_it_is_opened(count: int) -> None:
    store, failed = Store(), []
    with ahead(store, objects("a", "bad", "b"), count) as opening:
        for each, open_it in opening:
            try:
                with open_it() as (file, _):
                    assert file.read() == each.key.encode()
            except StoreError:
                failed.append(each.key)
    assert failed == ["bad"]
    assert store.open_now == 0


@pytest.mark.parametrize("count", [0, 3])
def test_whoever_stops_early_leaves_nothing_open_and_the_rest_unfetched(count: int) -> None:
    store = Store()
    with ahead(store, objects(*map(str, range(100))), count) as opening:
        for _, open_it in opening:
            with open_it():
                break
    assert store.open_now == 0
    assert store.opened <= count + 1


def test_one_that_is_not_opened_is_passed_over() -> None:
    store = Store()
    with ahead(store, objects("a", "b", "c"), 2) as opening:
        assert [each.key for each, _ in opening] == ["a", "b", "c"]
    assert store.open_now == 0
