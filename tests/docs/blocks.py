"""The fenced blocks of a page, and how they are run."""

import os
import pty
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
COMMAND = Path(sys.executable).with_name("sluicegate")

_FENCE = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"# ([a-z_.-]+\.yaml)\b.*\n")
_STYLE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@dataclass(slots=True, frozen=True)
class Block:
    """`language` is the word behind the opening fence; `line` is where the text begins in the page."""

    language: str
    text: str
    line: int

    @property
    def name(self) -> str | None:
        """The file that a YAML block stands for: it is named in its first line."""
        match = _NAMED.match(self.text)
        return match[1] if match else None


@dataclass(slots=True)
class Step:
    """A command typed at the prompt, and what is to be seen then."""

    command: str
    line: int
    expected: list[str] = field(default_factory=list)

    def agrees(self, shown: str) -> bool:
        """`…` stands for anything within a line, and alone in a line for any number of lines."""
        pattern = "".join(
            r"(?:.*\n)*?" if line.strip() == "…" else ".*?".join(map(re.escape, line.split("…"))) + " *\n"
            for line in self.expected
        )
        return re.fullmatch(pattern, shown) is not None


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [Block(found[1], found[2], text.count("\n", 0, found.start(2)) + 1) for found in _FENCE.finditer(text)]


def steps(block: Block) -> Iterator[Step]:
    """The commands of a console block: `$ ` begins one, `> ` goes on with it, all else is what is to be seen."""
    step: Step | None = None
    for number, line in enumerate(block.text.splitlines(), block.line):
        if line.startswith("$ "):
            if step:
                yield step
            step = Step(line[2:], number)
        elif step is None:
            raise ValueError(f"line {number}: a console block begins with a command")
        elif line.startswith("> ") and not step.expected:
            step.command += "\n" + line[2:]
        else:
            step.expected.append(line.rstrip())
    if step:
        yield step


class Terminal:
    """Runs commands one after another in one folder, as at a terminal; each says what it showed and how it ended.

    What one exports, the next ones have.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        self._environment = kept | {
            "PATH": f"{COMMAND.parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "SLUICEGATE_HOME": str(folder / "home"),
            "TERM": "xterm",
            "NO_COLOR": "1",
            "COLUMNS": "120",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }

    def run(self, command: str) -> tuple[str, int]:
        state = shlex.quote(str(self._folder.with_name(f"{self._folder.name}.exported")))
        script = f"[ -f {state} ] && . {state}\nset -o pipefail\n{command}\ncode=$?\nexport -p > {state}\nexit $code\n"
        main, side = pty.openpty()
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=side,
            stderr=side,
        )
        os.close(side)
        shown = b""
        while True:
            try:
                data = os.read(main, 1 << 16)
            except OSError:  # how a terminal says that nobody writes to it any more
                break
            if not data:
                break
            shown += data
        os.close(main)
        code = process.wait()
        return _left_standing(shown.decode()), code


def _left_standing(shown: str) -> str:
    """What a terminal shows in the end: without colours, and without lines that were written over or erased."""
    text = shown.replace("\r\n", "\n").replace("\x1b[?25l", "").replace("\x1b[?25h", "")
    text = re.sub(r"[^\n]*\n\r?\x1b\[1A\x1b\[2K", "", text)
    return _STYLE.sub("", re.sub(r"[^\n]*\r\x1b\[2K", "", text))


def commands_in(line: str) -> Iterator[list[str]]:
    """The arguments of every `sluicegate …` in a line of shell, as the shell would split them."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
    lexer.commenters, lexer.whitespace_split = "#", True
    words: list[str] = []
    skipping = False
    for word in [*lexer, ";"]:
        if set(word) <= set("|&;<>()"):
            skipping = "<" in word or ">" in word
            if not skipping:
                if words[:1] == ["sluicegate"]:
                    yield words[1:]
                words = []
        elif skipping:
            skipping = False
        else:
            words.append(word)
