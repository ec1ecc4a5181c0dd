"""The shop as a process of its own, for whoever wants to watch one."""

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from examples.shop.config import Made

CHECKOUT = Path(__file__).resolve().parents[2]


class Shop:
    """Serves within the `with` block at `url`, writing `log` and `spans` into `folder`; spans also go to `otlp`.

    Raises RuntimeError when it does not start; its stderr is left as it is, so that the reason is seen.
    """

    url: str

    def __init__(self, folder: Path, made: Made, *, otlp: str | None = None) -> None:
        self._otlp = ["--otlp", otlp] if otlp else []
        self._config = folder.absolute() / "config.json"
        self.log = folder.absolute() / "shop.log"
        self.spans = folder.absolute() / "spans.jsonl"
        made.save(self._config)

    def __enter__(self) -> Self:
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "examples.shop",
            self._config,
            "--log",
            self.log,
            "--spans",
            self.spans,
            *self._otlp,
        ]
        # In a session of its own: Ctrl-C at the terminal ends whoever watches the shop, and that ends the shop.
        self._process = subprocess.Popen(
            command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            self._stop()
            raise RuntimeError(f"the shop did not start: it ended with code {self._process.returncode}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        self._process.terminate()
        self._process.communicate()
