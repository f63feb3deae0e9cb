"""Mutants of the modules of pure functions: mutmut changes one expression at a time, and a test should fail."""

import json
import re
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
SURVIVORS = Path(__file__).with_name("survivors.yaml")
MUTMUT = Path(sys.executable).with_name("mutmut")
PROCESSES = 2
# mutmut's exit codes of a mutant. All others mean that a test failed, ran out of time or died.
SURVIVED, UNTESTED, NOT_TRIED = (0,), (5, 33), (None, 2, 34)


class Survivor(NamedTuple):
    """A mutant that no test fails for.

    Attributes
    ----------
    file : str
        Path below the root.
    was, becomes : str
        The lines that differ, without indentation.
    """

    file: str
    was: str
    becomes: str

    def __str__(self) -> str:
        return f"{self.file}: {self.was} -> {self.becomes}"

    @property
    def rewords(self) -> bool:
        """Whether only the wording of a message changes: mutmut puts XX around a string, or changes its case."""
        return any(
            self.becomes == self.was.replace(text, reworded)
            for text in re.findall(r'(?="([^"]* [^"]*)")', self.was)
            for reworded in (f"XX{text}XX", text.lower(), text.upper())
        )


class Mutants(NamedTuple):
    """The mutants of a module: the number of killed ones, and the survivors but for those that only reword."""

    killed: int
    survivors: list[Survivor]

    def __str__(self) -> str:
        tried = self.killed + len(self.survivors)
        return f"{self.killed:,} of {tried:,} killed{f' ({self.killed / tried:.1%})' if tried else ''}"


def run_mutmut(per_function: int | None = None) -> dict[str, Mutants]:
    """Run mutmut, as configured in pyproject.toml, on a copy of the project.

    Parameters
    ----------
    per_function : int, optional
        Largest number of mutants of each function; all if not given.

    Returns
    -------
    dict of str to Mutants
        Path of a module below the root -> its mutants.

    Raises
    ------
    UserError
        mutmut fails, for example because a test fails without a mutant.
    """
    git = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        folder = Path(name)
        for path in listed.split("\0"):
            if (ROOT / path).is_file():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / path, folder / path)
        chosen = [f"*__mutmut_{number}" for number in range(1, (per_function or 0) + 1)]
        command = [str(MUTMUT), "run", "--max-children", str(PROCESSES), *chosen]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise UserError(f"mutmut failed: {(done.stdout + done.stderr)[-2000:]}")
        return {
            meta.relative_to(folder / "mutants").with_suffix("").as_posix(): _outcome(meta, folder)
            for meta in sorted((folder / "mutants").rglob("*.py.meta"))
        }


def explanations() -> dict[Survivor, str]:
    """Read survivors.yaml: why no test can fail for a mutant, or need not."""
    return {
        Survivor(file, entry["was"], becomes): entry["why"]
        for file, entries in YAML(typ="safe").load(SURVIVORS.read_text(encoding="utf-8")).items()
        for entry in entries
        for becomes in entry["becomes"]
    }


def unexplained(modules: dict[str, Mutants], known: dict[Survivor, str]) -> list[str]:
    """List the survivors without an explanation."""
    survivors = [survivor for module in modules.values() for survivor in module.survivors]
    return [f"survives without an explanation: {survivor}" for survivor in survivors if survivor not in known]


def superfluous(modules: dict[str, Mutants], known: dict[Survivor, str]) -> list[str]:
    """List the explanations of mutants that do not survive or no longer exist."""
    survivors = {survivor for module in modules.values() for survivor in module.survivors}
    return [f"{SURVIVORS.name} explains a mutant that does not survive: {each}" for each in known.keys() - survivors]


def _outcome(meta: Path, folder: Path) -> Mutants:
    file = meta.relative_to(folder / "mutants").with_suffix("").as_posix()
    codes = json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
    alive = [mutant for mutant, code in codes.items() if code in (*SURVIVED, *UNTESTED)]
    killed = sum(code not in NOT_TRIED for code in codes.values()) - len(alive)
    survivors = [_survivor(mutant, file, folder) for mutant in alive]
    return Mutants(killed, [survivor for survivor in survivors if not survivor.rewords])


def _survivor(mutant: str, file: str, folder: Path) -> Survivor:
    diff = subprocess.run([str(MUTMUT), "show", mutant], cwd=folder, capture_output=True, text=True, check=True).stdout
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    was, becomes = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return Survivor(file, was, becomes)


def main() -> None:
    """Try all mutants; fail if a survivor is not explained, or an explanation is not needed."""
    say("mutation: this takes about ten minutes")
    modules, known = run_mutmut(), explanations()
    for file, module in modules.items():
        say(f"{file}: {module}")
    if faults := unexplained(modules, known) + superfluous(modules, known):
        raise UserError("\n".join(faults))


if __name__ == "__main__":
    run("mutation", main)
