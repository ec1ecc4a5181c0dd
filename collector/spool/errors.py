"""How the spool fails.

SpoolError      what was staged since the last commit is undone, nothing of it is stored: wait, then stage it again
└── SpoolFull   the disk, a quota or a limit is full: the same, once there is room
SpoolRefused    the spool cannot be used at all (locked, on a network file system, of a newer version): mend, restart
"""

import errno
import sqlite3

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class SpoolError(Exception):
    """Nothing was stored. The message names the file and the cause, never record contents.

    `in_doubt`: a crash of the machine right now might yet bring the failed commit back (its sync failed half-way), so
    the bytes it speaks of have to stay where they are until recovery has looked.
    """

    def __init__(self, message: str, *, in_doubt: bool = False) -> None:
        super().__init__(message)
        self.in_doubt = in_doubt


class SpoolFull(SpoolError):
    """There is no room."""


class SpoolRefused(Exception):
    """The spool cannot be used; the message says what to mend."""


def of_os(error: OSError, what: object) -> SpoolError:
    """The spool's word for a failed system call on `what`."""
    kind = SpoolFull if error.errno in _FULL else SpoolError
    return kind(f"{what}: {error.strerror or error}")


def of_sqlite(error: sqlite3.Error, what: object, *, committing: bool = False) -> SpoolError:
    """The spool's word for a failed statement; a failed sync of a commit leaves it in doubt."""
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return SpoolFull(f"{what}: {error}")
    return SpoolError(f"{what}: {error}", in_doubt=committing)
