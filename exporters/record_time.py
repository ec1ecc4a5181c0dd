r"""When a stored line's record was made: `{"time":"2026-11-24T05:00:00.123456789Z",…`."""

import re
from datetime import datetime

_TIME = re.compile(
    rb'\{"time":"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)"',
)


def only_between(stored: bytes, since: int | None, until: int | None) -> bytes:
    """Those lines whose time is `since` or later and before `until` (ns since the epoch; None: no bound).

    A line that does not say its time is among them: better one too many than one lost.
    """
    return b"".join(
        line + b"\n"
        for line in stored.split(b"\n")[:-1]  # not splitlines: JSON may hold a carriage return
        if (time := line_time(line)) is None or ((since is None or time >= since) and (until is None or time < until))
    )


def line_time(line: bytes) -> int | None:
    """A stored line's time in ns since the epoch, UTC; None if it does not begin with one."""
    match = _TIME.match(line)
    if match is None:
        return None
    seconds, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat((seconds + zone).decode().upper())
    except ValueError:  # the 31st of June
        return None
    return int(moment.timestamp()) * 1_000_000_000 + int((fraction or b"").ljust(9, b"0"))
