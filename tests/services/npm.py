"""Packages from npm, versions and digests pinned by a lock file, kept under `.services`."""

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

from tests.services.server import Unavailable

_KEPT = Path(__file__).parents[2] / ".services"
_SECONDS = 600.0


def installed(source: Path, what: str) -> Path:
    """A folder with what `source` holds (`package.json`, its lock, scripts) and the packages it asks for.

    Installs them if they are not there yet. `what` names them in messages. Raises Unavailable.
    """
    if shutil.which("npm") is None or shutil.which("node") is None:
        raise Unavailable(f"{what} is missing: it is installed with npm, so install Node.js")
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(source.iterdir()))).hexdigest()[:16]
    folder = _KEPT / f"{source.name}-{digest}"
    _KEPT.mkdir(exist_ok=True)
    with (_KEPT / f"{source.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may want it
        if not folder.exists():
            _install(source, folder, what)
    return folder


def _install(source: Path, folder: Path, what: str) -> None:
    partial = folder.with_suffix(".part")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source, partial)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(command, cwd=partial, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{what} was not installed in {_SECONDS:.0f} seconds") from None
    if done.returncode:
        raise Unavailable(f"{what} cannot be installed: {done.stderr[-2000:]}")
    partial.rename(folder)
