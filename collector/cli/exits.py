"""How every command ends: one table of exit codes, and the one place where an error becomes a message and a code."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum

import typer


class Exit(IntEnum):
    """The reference lists these with their docstrings."""

    OK = 0
    FAILED = 1
    USAGE = 2
    BUG = 70
    CONFIG = 78
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143


MEANING = {
    Exit.OK: "done",
    Exit.FAILED: "something could not be done, or the answer is no: a file or store that cannot be read, records "
    "withheld, an object that fails verification; with `scrub --observe`: something was found; with `policy test`: a "
    "case fails; with `policy diff`: something changes",
    Exit.USAGE: "the command line itself is wrong; with `policy diff`: a file cannot be read",
    Exit.BUG: "an error that nobody foresaw; the message names the place and never quotes data",
    Exit.CONFIG: "a configuration or policy file cannot be used; every reason is told with its line",
    Exit.INTERRUPTED: "ended by Ctrl-C; what was read whole was written",
    Exit.BROKEN_PIPE: "whoever read the output went away",
    Exit.TERMINATED: "ended by SIGTERM; what was read whole was written (`run` drains and ends with 0)",
}


class CommandError(Exception):
    """A command cannot go on; the message is for the person at the terminal, and never quotes records."""

    def __init__(self, message: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.code = code


@contextmanager
def told() -> Iterator[None]:
    """Turn what a command raises into a message on stderr and an exit code."""
    from settings import SettingsError

    try:
        yield
    except SettingsError as error:
        _say(str(error))
        raise typer.Exit(Exit.CONFIG) from None
    except CommandError as error:
        _say(f"sluicegate: {error}")
        raise typer.Exit(error.code) from None
    except BrokenPipeError:
        raise typer.Exit(Exit.BROKEN_PIPE) from None
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None
    except OSError as error:
        _say(f"sluicegate: {error.filename or 'input or output'}: {error.strerror or type(error).__name__}")
        raise typer.Exit(Exit.FAILED) from None


def unforeseen(error: Exception) -> str:
    """Name the type and the places of an exception; its text stays out, because it may quote a record."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    places = " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames))
    return f"sluicegate: unforeseen {type(error).__name__} at {places}"


def _say(message: str) -> None:
    with suppress(OSError):  # if nobody is listening, the exit code still tells
        print(message, file=sys.stderr)
