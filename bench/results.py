"""How every benchmark ends: its table on the terminal and, if it is asked for, its figures as JSON."""

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table


def show(table: Table, figures: object, path: Path | None) -> None:
    """Print the table; write the figures to `path`, if there is one."""
    Console().print(table)
    if path:
        path.write_text(json.dumps(figures, indent=1) + "\n")
