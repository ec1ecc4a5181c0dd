"""With what rights the gate runs: its files are its owner's alone, and root is refused where nothing needs it."""

import ipaddress
import os

from collector.config import Config
from collector.sources.file import FileOptions
from collector.sources.otlp.options import OtlpOptions

PRIVATE = 0o077
"""The umask: whatever is made, by us or by a library, is for the owner alone (0600, 0700)."""


def needless_root(config: Config) -> str | None:
    """Why this gate should not run as root; None where it does not, or where it may have to.

    Root reads the log files of others: there it may be needed. A gate that reads no files and takes data from other
    machines gives whoever finds a flaw in a parser all rights, for nothing.
    """
    if os.geteuid() != 0 or any(isinstance(options, FileOptions) for options in config.sources.values()):
        return None
    open_to_others = [
        name
        for name, options in config.sources.items()
        if isinstance(options, OtlpOptions) and not all(_is_loopback(host) for host, _ in options.addresses.values())
    ]
    if not open_to_others:
        return None
    return (
        f"source {open_to_others[0]} takes data from the network, and nothing here needs root: run as another user, "
        "or give --allow-root"
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
