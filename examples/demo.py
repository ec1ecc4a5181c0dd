"""The main job in one go (`make run`): a careless shop, real traffic, the gate over its log, and proof.

    python -m examples.demo [--serve]

Everything is written into `.run/` of the checkout, made afresh. Ends with 1 when a planted value survived.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from examples.shop import config, traffic
from examples.shop.people import people
from examples.shop.planted import Planted, found, save
from examples.shop.process import CHECKOUT, Shop

VISITORS = 12
SHOWN = 3
WIDTH = 400  # characters shown of a line
RUN = CHECKOUT / ".run"
_COMMAND = Path(sys.executable).with_name("sluicegate")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__)
    parser.add_argument("--serve", action="store_true", help="keep shop, traffic and gate running until Ctrl-C")
    options = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    shutil.rmtree(RUN, ignore_errors=True)
    RUN.mkdir(mode=0o700)
    return serve(console) if options.serve else play(console)


def play(console: Console) -> int:
    """One round: shop, traffic, gate, summary, proof."""
    seed = time.time_ns() % 2**32
    made = config.make(seed)
    with Shop(RUN, made) as shop:
        console.print(f"[bold]shop[/] at {shop.url}: {VISITORS} made-up people go through it (seed {seed})")
        planted = [*asyncio.run(traffic.play(shop.url, people(seed, VISITORS), seed=seed)), *made.planted]
    save(planted, RUN / "planted.json")
    before = shop.log.read_bytes()
    console.print(f"[bold]gate[/] over {shop.log.relative_to(CHECKOUT)} with the embedded default\n")
    code = subprocess.run(_gate("--once", str(shop.log)), env=_environment(), check=False).returncode
    if code:
        console.print(f"[red]the gate ended with code {code}")
        return code
    stored = subprocess.run(_read(), env=_environment(), capture_output=True, check=True).stdout
    _show(console, before.splitlines(), [json.loads(line)["body"] for line in stored.splitlines()], planted)
    return _prove(console, before, stored, planted)


def serve(console: Console) -> int:
    """Shop, traffic and gate, until Ctrl-C."""
    made = config.make(time.time_ns() % 2**32)
    with Shop(RUN, made) as shop:
        gate = subprocess.Popen(_gate(str(shop.log)), env=_environment())
        console.print(f"[bold]shop[/] at {shop.url}; Ctrl-C ends it. Read back with:\n  {_shown_read()}")
        try:
            while gate.poll() is None:
                seed = time.time_ns() % 2**32
                asyncio.run(traffic.play(shop.url, people(seed, 2), seed=seed))
                time.sleep(1)
        except KeyboardInterrupt:
            gate.terminate()
        return gate.wait()


def _gate(*arguments: str) -> list[str]:
    return [str(_COMMAND), "run", "--store", str(RUN / "store"), *arguments]


def _read() -> list[str]:
    return [str(_COMMAND), "read", str(RUN / "store")]


def _shown_read() -> str:
    return f"{os.path.relpath(_COMMAND)} read {os.path.relpath(RUN / 'store')}"


def _environment() -> dict[str, str]:
    return os.environ | {"SLUICEGATE_HOME": str(RUN / "home")}


def _show(console: Console, before: list[bytes], after: list[object], planted: list[Planted]) -> None:
    """Three lines before and after: the first ones of different kinds that had something planted in them."""
    console.print(f"\n[bold]{SHOWN} lines, before and after[/] (the people are made up)")
    shown: set[str] = set()
    count = 0
    for raw, body in zip(before, after, strict=False):
        line = raw.decode(errors="replace")
        kinds = {one.kind for one in found(planted, line)}
        if kinds - shown and len(line) < WIDTH:
            text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
            console.print(f"  [red]−[/] {escape(line)}\n  [green]+[/] {escape(text)}\n")
            shown |= kinds
            count += 1
            if count == SHOWN:
                return


def _prove(console: Console, before: bytes, stored: bytes, planted: list[Planted]) -> int:
    went_in = found(planted, before.decode(errors="replace"))
    survived = found(planted, stored.decode(errors="replace"))
    raw = b"\n".join(path.read_bytes() for path in sorted((RUN / "store").rglob("*")) if path.is_file())
    survived += found(planted, raw.decode("latin-1"))
    console.print(f"[bold]proof[/] {len(went_in)} planted values in the log, {len(survived)} in the store")
    for one in survived:
        console.print(f"  [red]survived: a value of kind {one.kind}")
    console.print(f"\n[bold]read it back[/]\n  {_shown_read()}\n  {_shown_read()} --list")
    return 1 if survived or not went_in else 0


if __name__ == "__main__":
    sys.exit(main())
