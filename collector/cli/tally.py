"""What a scrub did, in counts: never a value, nor a path taken from a record."""

from collections import Counter
from typing import TextIO

import orjson

from collector.cli.words import counted
from scrubbers import Scrubbed


class Tally:
    """Adds up; `policy` is the fingerprint of the policy in force."""

    def __init__(self, policy: str) -> None:
        self.findings: Counter[tuple[str, str]] = Counter()
        self._quarantined: Counter[str] = Counter()
        self._policy = policy
        self._records = self._deep = self._bytes_in = self._bytes_out = 0

    @property
    def withheld(self) -> int:
        return self._quarantined.total()

    def add(self, body: bytes, scrubbed: Scrubbed) -> None:
        self._records += body.count(b"\n") + (not body.endswith(b"\n"))
        self._bytes_in += len(body)
        self._bytes_out += len(scrubbed.body)
        self._deep += scrubbed.deep
        self.findings.update(scrubbed.findings)
        self._quarantined.update(record.reason for record in scrubbed.quarantined)

    def cut(self, lines: int) -> None:
        """Lines whose rest was withheld because there was no safe place to cut them."""
        if lines:
            self._quarantined["line_too_long"] += lines

    def json(self) -> bytes:
        return orjson.dumps(
            {
                "policy": self._policy,
                "records": self._records,
                "bytes_in": self._bytes_in,
                "bytes_out": self._bytes_out,
                "records_deep": self._deep,
                "findings": [
                    {"rule": rule, "action": action, "count": count}
                    for (rule, action), count in sorted(self.findings.items())
                ],
                "withheld": [{"reason": reason, "count": n} for reason, n in sorted(self._quarantined.items())],
            },
            option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
        )

    def show(self, file: TextIO) -> None:
        """The same as a table, most frequent first."""
        from rich.table import Table

        from collector.cli.terminal import Console

        table = Table("rule", "action", "findings", box=None, header_style="bold", pad_edge=False)
        table.columns[2].justify = "right"
        for (rule, action), count in self.findings.most_common():
            table.add_row(rule, action, f"{count:,}")
        console = Console(file)
        if self.findings:
            console.print(table)
        found, records = counted(self.findings.total(), "finding"), counted(self._records, "record")
        console.print(f"{found} in {records}, {counted(self._bytes_in, 'byte')}")
        for reason, count in self._quarantined.most_common():
            console.print(f"{counted(count, 'record')} would be withheld: {reason}")
