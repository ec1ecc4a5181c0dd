"""How a settings file fails: with everything that is wrong in it, at once.

SettingsError   what was written in the file; the person who wrote it can mend it, nothing has been started yet
"""

from dataclasses import dataclass


@dataclass(slots=True, frozen=True, order=True)
class Problem:
    """One thing that is wrong, where it stands, and what to write instead. It never quotes a value from the file."""

    name: str  # of the file
    line: int  # counts from 1; 0: the file as a whole
    column: int  # counts from 1
    path: str  # key path, e.g. `sources.app.paths[0]`; empty: the file as a whole
    message: str

    def __str__(self) -> str:
        place = f"{self.name}:{self.line}" if self.line else self.name
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class SettingsError(Exception):
    """A settings file cannot be used; `problems` are in the order of its lines, and `str()` gives one line for each."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))
