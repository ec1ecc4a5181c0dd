"""Write the reference from the code (`make generate`), or tell what in it is stale.

    python -m docs.generate [--check]

Ends with 1 when `--check` finds a page that is not what the code says, and tells the lines that differ.
"""

import argparse
import difflib
import json
import sys
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel

from collector.config import Config
from docs.rendering import table_pages
from docs.rendering.command_page import command_line, exit_codes
from docs.rendering.markdown import fence, page
from docs.rendering.settings_page import keys
from scrubbers import Policy
from scrubbers.policy_file import PRESETS
from scrubbers.workbench.cases import Cases
from settings import schema

REFERENCE = Path(__file__).parent / "reference"


CONFIGURATION = """\
One YAML file, given by `sluicegate run --config`. `sluicegate config check` tells everything that is wrong in it,
`sluicegate config show` what is in force. For editors there is a [JSON Schema](schema/config.schema.json).

A size is written `50MB` (powers of 1000) or `256KiB` (powers of 1024), a duration `500ms`, `60s`, `5m`, `12h`, `7d` or
`1h30m`. Any value may hold `${NAME}`, an environment variable; `${NAME:-default}`; or `${file:path}`, the content of a
file, whose path starts at the folder of the configuration file unless it begins with `/`. `NAME` in a key's place
stands for a name of your choice.
"""

POLICY = """\
One YAML file, named by `policy` in the configuration or by `--policy`. `sluicegate policy check` tells everything that
is wrong in it. For editors there is a [JSON Schema](schema/policy.schema.json). The way to a policy of your own is told
in [policy](../policy.md).
"""


CASES = """\
A YAML file of lines, and what a policy must make of them: `sluicegate policy test` tries them. See
[tools for policies](../policy-tools.md).
"""


def _configuration() -> str:
    return page("Configuration", CONFIGURATION, keys(Config, "The file"))


def _policy() -> str:
    default = fence("yaml", PRESETS["default"].read_text(encoding="utf-8"))
    head = "## The default policy"
    return page("Policy", POLICY, keys(Policy, "The file"), head, "In force where no policy is given.", default)


def _cases() -> str:
    return page("Cases", CASES, keys(Cases, "The file"))


def _schema(model: type[BaseModel]) -> str:
    return json.dumps(schema(model), indent=2) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "configuration.md": _configuration,
    "policy.md": _policy,
    "cases.md": _cases,
    "command-line.md": command_line,
    "metrics.md": table_pages.metrics,
    "detectors.md": table_pages.detectors,
    "events.md": table_pages.events_page,
    "exit-codes.md": exit_codes,
    "schema/config.schema.json": lambda: _schema(Config),
    "schema/policy.schema.json": lambda: _schema(Policy),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m docs.generate", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 if anything is stale")
    check = parser.parse_args().check
    written = {REFERENCE / name: make() for name, make in PAGES.items()}
    there = {path for path in REFERENCE.rglob("*") if path.is_file()}
    if check:
        stale = [line for path in sorted(written.keys() | there) for line in _difference(path, written.get(path, ""))]
        print("".join(stale), end="")
        return 1 if stale else 0
    for path, text in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for path in there - written.keys():
        path.unlink()
    return 0


def _difference(path: Path, text: str) -> list[str]:
    name = str(path.relative_to(REFERENCE.parent))
    have = path.read_text(encoding="utf-8") if path.is_file() else ""
    lines = difflib.unified_diff(have.splitlines(True), text.splitlines(True), name, f"{name} by the code", n=1)
    return [line if line.endswith("\n") else f"{line}\n" for line in lines]


if __name__ == "__main__":
    sys.exit(main())
