"""The AWS Encryption SDK for JavaScript (npm, pinned in `esdk/`): the other opener of our objects."""

import json
import subprocess
from pathlib import Path

from tests.services.npm import installed

_SOURCE = Path(__file__).with_name("esdk")
_SECONDS = 600.0


def open_object(path: Path, key_id: str, secret: bytes) -> tuple[bytes, dict[str, str]]:
    """Open a sealed object: its plain content and its encryption context. Raises Unavailable, ValueError."""
    folder = installed(_SOURCE, "the AWS Encryption SDK for JavaScript")
    done = subprocess.run(
        ["node", folder / "open.mjs", path, key_id, secret.hex()],
        capture_output=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        raise ValueError(done.stderr.decode(errors="replace")[-2000:])
    context, _, plain = done.stdout.partition(b"\n")
    return plain, json.loads(context)
