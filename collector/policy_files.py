"""The files of the policy: loaded, and watched for changes.

They are looked at every few seconds instead of having the kernel tell: a ConfigMap changes by links being swapped above
them, and a handful of `stat` calls costs nothing.
"""

import asyncio
from pathlib import Path
from typing import TypeAlias

from scrubbers import Policy
from scrubbers.policy_file import path_of, read_policy

POLL_SECONDS = 2.0

Signature: TypeAlias = tuple[tuple[int, int, int] | None, ...]
"""Of each file its identity, time of change and size; None where there is none."""


class PolicyFiles:
    """The policy that the configuration names, with all that it extends; `path` None: the default, which stays."""

    def __init__(self, path: Path | None) -> None:
        self._path = path_of(str(path or "default"))
        self._files: tuple[Path, ...] = () if path is None else (self._path,)
        self._watched = path is not None
        self._known = self._signature()

    def load(self) -> Policy:
        """Read the policy. Raises settings.SettingsError; then the files that were known before are still watched."""
        self._known = self._signature()  # before they are read: what changes meanwhile is read again
        loaded = read_policy(self._path)
        if self._watched and loaded.files != self._files:
            self._files = loaded.files
            self._known = self._signature()
            loaded = read_policy(self._path)  # of a file that was not watched yet nobody knows when it changed
        return loaded.policy

    async def changed(self, poll: float = POLL_SECONDS) -> None:
        """Wait until the files are others than those that were last loaded, or tried, and are at rest."""
        before = self._known
        while True:
            await asyncio.sleep(poll)
            now = await asyncio.to_thread(self._signature)
            if now != self._known and now == before:
                self._known = now
                return
            before = now

    def _signature(self) -> Signature:
        return tuple(map(_of, self._files))


def _of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
