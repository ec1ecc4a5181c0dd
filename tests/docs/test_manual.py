"""What the manual shows is so: commands run and show what it says, files are valid, links lead somewhere."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main

from collector.cli.app import app
from collector.config import Config
from docs.rendering.command_page import commands
from scrubbers import Policy, load_policy
from scrubbers.workbench.cases import Cases
from settings import SettingsError, loads
from tests.docs.blocks import CHECKOUT, Block, Terminal, blocks, commands_in, steps

MANUAL = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
PAGES = [*MANUAL, *sorted((CHECKOUT / "docs").glob("*/*.md"))]
LANGUAGES = {"console", "sh", "yaml", "python", "text"}


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODE_NAME", "node-1")
    monkeypatch.setenv("S3_BUCKET", "telemetry")
    monkeypatch.setenv("OTLP_TOKEN", "an example")
    for name in ("HASH_KEY", "NEW_HASH_KEY", "ENCRYPT_KEY"):
        monkeypatch.setenv(name, "an example of a key of 32 characters")


def _each(*languages: str) -> pytest.MarkDecorator:
    found = [(page, block) for page in MANUAL for block in blocks(page) if block.language in languages]
    names = [f"{page.stem}:{block.line}" for page, block in found]
    return pytest.mark.parametrize(("page", "block"), found, ids=names)


@pytest.mark.parametrize("page", [page for page in MANUAL if "```console" in page.read_text()], ids=lambda p: p.stem)
def test_a_session_shows_what_the_page_says(page: Path, tmp_path: Path) -> None:
    """All of a page's sessions one after another in one folder, with the files that the page shows."""
    for block in blocks(page):
        if block.name:
            (tmp_path / block.name).write_text(block.text, encoding="utf-8")
    terminal = Terminal(tmp_path)
    for block in blocks(page):
        if block.language != "console":
            continue
        for step in steps(block):
            shown, _ = terminal.run(step.command)
            said = "\n".join(step.expected)
            assert step.agrees(shown), f"{page.name}:{step.line}: $ {step.command}\nshows\n{shown}\nnot\n{said}"


@_each("sh")
def test_a_command_runs(page: Path, block: Block, tmp_path: Path) -> None:
    """`make` is asked whether it knows the target: what the targets do has tests of its own."""
    for line in block.text.splitlines():
        if line.startswith("make "):
            words = line.partition("#")[0].split()[1:]
            subprocess.run(["make", "-n", "-C", CHECKOUT, *words], check=True, capture_output=True)
        else:
            shown, code = Terminal(tmp_path).run(line)
            assert code == 0, shown


@_each("yaml")
def test_a_file_or_a_part_of_one_is_valid(page: Path, block: Block, tmp_path: Path) -> None:
    text = block.text
    key = tmp_path / "key"
    key.write_text("0123456789abcdef0123456789abcdef")
    text = re.sub(r"\$\{file:[^}]*\}", f"${{file:{key}}}", text)
    top = set(re.findall(r"^(\w+):", text, re.MULTILINE))
    if top <= set(Policy.model_fields):
        loads(text, Policy, name=page.name)
        return
    if "cases" in top:
        loads(text, Cases, name=page.name)
        return
    if "sources" not in top:
        text += "\nsources: {app: {type: stdin}}\n"
    loads(text, Config, name=page.name)


@_each("python")
def test_a_program_runs(page: Path, block: Block) -> None:
    exec(compile(block.text, f"{page.name}:{block.line}", "exec"), {})  # noqa: S102


@pytest.mark.parametrize("page", MANUAL, ids=lambda page: page.stem)
def test_blocks_are_of_a_kind_that_is_tested(page: Path) -> None:
    text = [block for block in blocks(page) if block.language == "text"]
    assert {block.language for block in blocks(page)} <= LANGUAGES
    assert [block.line for block in text if re.search(r"^\$ |^sluicegate ", block.text, re.MULTILINE)] == []


@pytest.mark.parametrize(("path", "epilog"), [(p, c.epilog) for p, c in commands() if c.epilog], ids=lambda p: p[:30])
def test_the_examples_in_the_help_are_valid_command_lines(path: str, epilog: str) -> None:
    lines = [line.strip()[2:] for line in epilog.splitlines() if line.strip().startswith("$ ")]
    calls = [words for line in lines for words in commands_in(line)]
    assert len(calls) >= len(lines)
    for words in calls:
        _parse(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.stem}-{page.stem}")
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", re.sub(r"`[^`]*`", "", text))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_the_map_names_every_page() -> None:
    index = (CHECKOUT / "docs" / "index.md").read_text()
    pages = [str(page.relative_to(CHECKOUT / "docs")) for page in PAGES if page.parent != CHECKOUT]
    assert [page for page in pages if page != "index.md" and f"({page})" not in index] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.stem}-{page.stem}")
def test_options_in_the_text_exist(page: Path) -> None:
    if page.stem == "detection":
        return  # its tables name the options of no command: `--flag=value` is a notation there
    known = {option for _, command in commands() for each in command.params for option in each.opts} | {"--help"}
    said = set(re.findall(r"`(?:sluicegate [a-z ]*)?(--[a-z][a-z-]+)", page.read_text()))
    assert said <= known


def _parse(words: list[str]) -> None:
    """Take a command line apart as the command would; raises what it would complain about."""
    command: Any = typer.main.get_command(app)
    context = command.context_class(command, info_name="sluicegate")
    while hasattr(command, "commands"):
        _, command, words = command.resolve_command(context, words)
    command.make_context(command.name, [word.replace("…", "") for word in words])


def test_the_default_policy_is_shown_as_it_is() -> None:
    shown = [block.text for block in blocks(CHECKOUT / "docs/reference/policy.md") if block.language == "yaml"]
    assert [loads(text, Policy) for text in shown] == [load_policy()]


def test_a_part_that_is_wrong_would_be_noticed() -> None:
    with pytest.raises(SettingsError):
        loads("spool: {max_byte: 1GiB}\nsources: {app: {type: stdin}}", Config)
