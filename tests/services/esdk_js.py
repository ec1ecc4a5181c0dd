"""The AWS Encryption SDK for JavaScript (npm, versions pinned in `esdk/`), kept under `.services`: the other opener."""

import fcntl
import hashlib
import json
import shutil
import subprocess
from pathlib import Path

from tests.services.server import Unavailable

_SOURCE = Path(__file__).with_name("esdk")
_KEPT = Path(__file__).parents[2] / ".services"
_SECONDS = 600.0


def open_object(path: Path, key_id: str, secret: bytes) -> tuple[bytes, dict[str, str]]:
    """Open a sealed object: its plain content and its encryption context. Raises Unavailable, ValueError."""
    done = subprocess.run(
        ["node", _installed() / "open.mjs", path, key_id, secret.hex()],
        capture_output=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        raise ValueError(done.stderr.decode(errors="replace")[-2000:])
    context, _, plain = done.stdout.partition(b"\n")
    return plain, json.loads(context)


def _installed() -> Path:
    if shutil.which("npm") is None or shutil.which("node") is None:
        raise Unavailable(
            "the AWS Encryption SDK for JavaScript is missing: it is installed with npm, so install Node.js"
        )
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(_SOURCE.iterdir()))).hexdigest()[:16]
    folder = _KEPT / f"esdk-{digest}"
    _KEPT.mkdir(exist_ok=True)
    with (_KEPT / "esdk.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may want it
        if not folder.exists():
            partial = folder.with_suffix(".part")
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(_SOURCE, partial)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            try:
                done = subprocess.run(
                    command, cwd=partial, capture_output=True, text=True, timeout=_SECONDS, check=False
                )
            except subprocess.TimeoutExpired:
                raise Unavailable(f"npm did not end in {_SECONDS:.0f} seconds") from None
            if done.returncode:
                raise Unavailable(f"the AWS Encryption SDK for JavaScript cannot be installed: {done.stderr[-2000:]}")
            partial.rename(folder)
    return folder
