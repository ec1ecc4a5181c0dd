"""Fetches objects ahead of whoever reads them, a few at once: the reader gets them in order, and memory stays bounded.

What is ahead is held as the store's `open` holds it: up to 8 MiB each in memory, larger objects in a temporary file, as
they are stored.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from typing import BinaryIO, TypeAlias

from exporters.browsing import ObjectStore, StoredObject

Opened: TypeAlias = tuple[BinaryIO, dict[str, str]]
Opening: TypeAlias = Callable[[], AbstractContextManager[Opened]]


@contextmanager
def ahead(
    store: ObjectStore, objects: Sequence[StoredObject], count: int
) -> Iterator[Iterator[tuple[StoredObject, Opening]]]:
    """Each object with what opens it, while the next `count` are being fetched; 0: none is.

    Each is to be opened, or passed over, before the next one is asked for. Opening raises what the store's `open` does.
    """
    if count == 0:
        yield ((each, lambda key=each.key: store.open(key)) for each in objects)  # type: ignore[misc]
        return
    with (
        ThreadPoolExecutor(count, thread_name_prefix="fetch") as threads,
        closing(_each(store, objects, count, threads)) as each,
    ):
        yield each


def _each(
    store: ObjectStore, objects: Sequence[StoredObject], count: int, threads: ThreadPoolExecutor
) -> Generator[tuple[StoredObject, Opening], None, None]:
    waiting: deque[Future[tuple[ExitStack, Opened]]] = deque()
    rest = iter(objects)
    try:
        for each in objects:
            while len(waiting) <= count and (following := next(rest, None)) is not None:
                waiting.append(threads.submit(_fetch, store, following.key))
            fetched = waiting[0]
            yield each, lambda fetched=fetched: _held(fetched)  # type: ignore[misc]
            _drop(waiting.popleft())
    finally:
        for fetched in waiting:
            if not fetched.cancel():
                _drop(fetched)


def _fetch(store: ObjectStore, key: str) -> tuple[ExitStack, Opened]:
    with ExitStack() as stack:
        opened = stack.enter_context(store.open(key))
        return stack.pop_all(), opened
    raise AssertionError  # an ExitStack may swallow errors, but this one holds nothing that does


@contextmanager
def _held(fetched: "Future[tuple[ExitStack, Opened]]") -> Iterator[Opened]:
    yield fetched.result()[1]


def _drop(fetched: "Future[tuple[ExitStack, Opened]]") -> None:
    with suppress(Exception):  # whoever opened it was told
        fetched.result()[0].close()
