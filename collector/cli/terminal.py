"""A console for people, with the endings that every command has."""

import os
import sys
from typing import Any, NoReturn, TextIO

from rich.console import Console as RichConsole

PIPED = 200  # columns


class Console(RichConsole):
    """Lines as long as they are, no markup read from what is printed; colour goes by the terminal and NO_COLOR."""

    def __init__(self, file: TextIO | None = None, **options: Any) -> None:
        file = file or sys.stdout
        if not (file.isatty() or "COLUMNS" in os.environ):
            options.setdefault("width", PIPED)  # a line of a table is a record also where nobody looks
        super().__init__(file=file, highlight=False, soft_wrap=True, markup=False, emoji=False, **options)

    def on_broken_pipe(self) -> NoReturn:
        """End like a command that writes bytes; rich would end with 1, which says that something failed."""
        self.quiet = True  # so that it does not try again when it is closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())
        raise BrokenPipeError
