"""Mutants of the pure modules: mutmut changes one expression at a time, and a test should fail of it."""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from ruamel.yaml import YAML

from stages.shared.errors import UserError
from stages.shared.process.console import say
from stages.shared.process.run import run

ROOT = Path(__file__).resolve().parents[2]
EXPLAINED = Path(__file__).with_name("survivors.yaml")
MUTMUT = Path(sys.executable).with_name("mutmut")
AT_ONCE = 2
# What mutmut notes of a mutant; any other code is of tests that failed, ran out of time or died.
SURVIVED, NOT_TESTED, NOT_TRIED = (0,), (5, 33), (None, 2, 34)


class Survivor(NamedTuple):
    """A mutant that no test fails of.

    Attributes
    ----------
    file : str
        Below the root.
    was, becomes : str
        The lines that differ, without their indentation.
    """

    file: str
    was: str
    becomes: str


class Tried(NamedTuple):
    """What became of one module's mutants.

    Attributes
    ----------
    mutants, killed : int
        How many were tried, and of how many a test failed.
    survivors : list of Survivor
        The others.
    """

    mutants: int
    killed: int
    survivors: list[Survivor]


class Judged(NamedTuple):
    """A module's mutants with what is known of its survivors.

    Attributes
    ----------
    mutants, killed, explained : int
        `explained` survivors are in survivors.yaml.
    unexplained : list of Survivor
        The others.
    """

    mutants: int
    killed: int
    explained: int
    unexplained: list[Survivor]

    def __str__(self) -> str:
        """Say it in one line."""
        share = f" ({self.killed / self.mutants:.1%})" if self.mutants else ""
        survived = self.mutants - self.killed
        return f"{self.killed:,} of {self.mutants:,} killed{share}, {survived} survived, {self.explained} explained"


def run_mutmut(a_function: int | None = None) -> dict[str, Tried]:
    """Run mutmut, configured in pyproject.toml, on a copy of the project.

    Parameters
    ----------
    a_function : int, optional
        How many mutants of each function are tried at most; all if not given.

    Returns
    -------
    dict of str to Tried
        Module, by its file's path, -> outcome.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        folder = Path(name)
        for path in filter(None, listed):
            if (ROOT / path).is_file():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / path, folder / path)
        chosen = [] if a_function is None else [f"*__mutmut_{number}" for number in range(1, a_function + 1)]
        command = [str(MUTMUT), "run", "--max-children", str(AT_ONCE), *chosen]
        with (folder / "mutmut.txt").open("w+") as log:
            done = subprocess.run(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, check=False)
            if done.returncode:
                log.seek(0)
                raise UserError(f"mutmut failed: {log.read()[-2000:]}")
        metas = sorted((folder / "mutants").rglob("*.py.meta"))
        return {str(meta.relative_to(folder / "mutants").with_suffix("")): _tried(meta, folder) for meta in metas}


def judged(tried: dict[str, Tried], known: dict[Survivor, str]) -> dict[str, Judged]:
    """Tell survivors that are explained from those that are not.

    Parameters
    ----------
    tried : dict of str to Tried
        As `run` returns it.
    known : dict of Survivor to str
        Explanations, as `explanations` returns them.
    """
    found = {}
    for file, module in tried.items():
        unexplained = [survivor for survivor in module.survivors if survivor not in known]
        explained = len(module.survivors) - len(unexplained)
        found[file] = Judged(module.mutants, module.killed, explained, unexplained)
    return found


def explanations(path: Path = EXPLAINED) -> dict[Survivor, str]:
    """Read why some mutants cannot be killed, or are not worth it."""
    return {
        Survivor(file, entry["was"], entry["becomes"]): entry["why"]
        for file, entries in YAML(typ="safe").load(path.read_text(encoding="utf-8")).items()
        for entry in entries
    }


def superfluous(tried: dict[str, Tried], known: dict[Survivor, str]) -> list[str]:
    """List explanations of mutants that there are no longer or that did not survive."""
    survivors = {survivor for module in tried.values() for survivor in module.survivors}
    return [f"{EXPLAINED.name} explains a mutant that did not survive: {said(it)}" for it in known.keys() - survivors]


def said(survivor: Survivor) -> str:
    """Write a survivor in one line."""
    return f"{survivor.file}: {survivor.was} -> {survivor.becomes}"


def _tried(meta: Path, folder: Path) -> Tried:
    codes = json.loads(meta.read_text())["exit_code_by_key"]
    codes = {mutant: code for mutant, code in codes.items() if code not in NOT_TRIED}
    alive = [mutant for mutant, code in codes.items() if code in (*SURVIVED, *NOT_TESTED)]
    file = str(meta.relative_to(folder / "mutants").with_suffix(""))
    return Tried(len(codes), len(codes) - len(alive), [_survivor(mutant, file, folder) for mutant in alive])


def _survivor(mutant: str, file: str, folder: Path) -> Survivor:
    shown = subprocess.run([str(MUTMUT), "show", mutant], cwd=folder, capture_output=True, text=True, check=True).stdout
    lines = [line for line in shown.splitlines() if not line.startswith(("---", "+++"))]
    was, becomes = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return Survivor(file, was, becomes)


def main() -> None:
    """Try all mutants and list what became of them; fail where a survivor is not explained."""
    say("mutation: some ten minutes")
    tried = run_mutmut()
    known = explanations()
    found = judged(tried, known)
    for file, module in found.items():
        say(f"{file}: {module}")
    faults = [said(survivor) for module in found.values() for survivor in module.unexplained]
    if faults := faults + superfluous(tried, known):
        raise UserError("\n".join(faults))


if __name__ == "__main__":
    run("mutation", main)
