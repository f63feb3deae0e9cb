"""README.md and docs/: every link, path, name and command is one that exists."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

import pytest
from dvc.cli.parser import get_main_parser

from tests.fixtures.small_project import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def commands(page: Path) -> list[list[str]]:
    """Return the commands in a page's shell blocks, split into words, without comments."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    lines = [part for block in blocks for line in block.splitlines() for part in line.split(" && ")]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as Git hosts form them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pages
def test_links_lead_to_files_and_headings(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {link}"
        assert not anchor or anchor in anchors(target), f"{page.name} links to {link}"


@pages
def test_paths_exist(page: Path) -> None:
    made_by_runs = ("data/raw", "data/split", "data/checks", "data/code", "models/", "data/fashion", "data/.")
    text = page.read_text(encoding="utf-8")
    for path in re.findall(r"`((?:stages|inference|tests|tools|benchmarks|docs|reports|data)/[\w./-]*\w)`", text):
        assert path.startswith(made_by_runs) or (ROOT / path).exists(), f"{page.name} names {path}"


@pages
def test_commands_exist(page: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for command in commands(page):
        match command:
            case ["make", *words]:
                assert all("=" in word or word in targets for word in words), command
            case ["python", "-m", module, *_]:
                assert find_spec(module) is not None, command
            case ["dvc", *words]:
                get_main_parser().parse_args(words)  # exits for an unknown command or option
            case ["gto", subcommand, *_]:
                assert subcommand in ("register", "assign", "show", "history"), command


@pages
def test_modules_and_targets_in_the_text_exist(page: Path) -> None:
    text = re.sub(r"```diff.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for module in re.findall(r"python -m ((?:cluster|inference|stages|tools|tests|benchmarks)[\w.]*)", text):
        assert find_spec(module.rstrip(".")) is not None, f"{page.name} names {module}"
    for target in re.findall(r"`make ([a-z-]+)", text):
        assert target in targets, f"{page.name} names make {target}"


def test_no_page_repeats_another() -> None:
    """A paragraph of some length stands on one page."""
    seen: dict[str, str] = {}
    for page in PAGES:
        text = re.sub(r"<!-- (\w+) -->.*?<!-- /\1 -->", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for paragraph in re.split(r"\n\s*\n", text):
            words = " ".join(paragraph.split())
            if len(words) > 160:
                assert words not in seen, f"{page.name} repeats {seen[words]}: {words[:60]}"
                seen[words] = page.name
