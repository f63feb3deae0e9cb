"""Writes the dependencies of every stage on code and libraries into dvc.yaml, from the imports.

What is listed is everything that a stage imports and that can change its results: its own folder, modules of
stages/shared, and library versions (libraries.json). Data and parameters are listed by hand. `--check` compares.
"""

import argparse
import ast
import io
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stages.shared.errors import UserError
from stages.shared.files.whole_files import replacing
from stages.shared.process.run import run
from tools.libraries import LIBRARIES, of_modules

PIPELINE = Path("dvc.yaml")
CODE = "stages"  # entries of `deps` below this folder are written by this tool

# How a line is printed, a file is written whole, a process ends, a mistake is worded: none of it changes a result.
# Nor does where a file lies, of which dvc.yaml itself keeps track.
NOT_RESULTS = (
    "stages/__init__.py",
    "stages/shared/errors.py",
    "stages/shared/files/paths.py",
    "stages/shared/files/whole_files.py",
    "stages/shared/params/mistakes.py",
    "stages/shared/process",
)


def imports(file: Path, root: Path) -> tuple[set[Path], set[str]]:
    """Find what a file imports, anywhere in it.

    Parameters
    ----------
    file, root : Path
        The file, and the root of the repository.

    Returns
    -------
    files : set of Path
        Files of the repository, relative to the root.
    modules : set of str
        Top-level names of all other modules.
    """
    files: set[Path] = set()
    modules: set[str] = set()
    for node in ast.walk(ast.parse((root / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # `from package import module` and `from module import name` look alike.
            names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] != CODE:
                modules.add(parts[0])
                continue
            for n in range(1, len(parts) + 1):
                path = Path(*parts[:n])
                files |= {
                    found for found in (path.with_suffix(".py"), path / "__init__.py") if (root / found).is_file()
                }
    return files, modules


def closure(file: Path, root: Path) -> tuple[set[Path], set[str]]:
    """Find all files of the repository, and all other modules, that running a file can import."""
    seen: set[Path] = set()
    modules: set[str] = set()
    waiting = {file}
    while waiting:
        current = waiting.pop()
        seen.add(current)
        files, others = imports(current, root)
        waiting |= files - seen
        modules |= others
    return seen, modules


def changes_results(file: Path) -> bool:
    """Return whether a change of the file can change what a stage computes."""
    return not any(file.is_relative_to(path) for path in NOT_RESULTS)


def code_and_libraries(stage: str, root: Path) -> tuple[list[str], list[str]]:
    """List what a stage's results depend on.

    Parameters
    ----------
    stage : str
        Name in dvc.yaml.
    root : Path
        Root of the repository.

    Returns
    -------
    code : list of str
        Its own folder, then files, sorted.
    libraries : list of str
        Keys of libraries.json, sorted.
    """
    folder = Path(CODE, stage.replace("-", "_"))
    files, _ = closure(folder / "__main__.py", root)
    counted = [file for file in files if changes_results(file)]
    modules = {module for file in counted for module in imports(file, root)[1]}
    shared = sorted(file.as_posix() for file in counted if not file.is_relative_to(folder))
    return [folder.as_posix(), *shared], of_modules(modules)


def written(text: str, root: Path) -> str:
    """Return the text of dvc.yaml with the stages' dependencies on code and libraries."""
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 200
    pipeline = yaml.load(text)
    for stage, definition in pipeline["stages"].items():
        code, libraries = code_and_libraries(stage, root)
        _replace(definition["deps"], code, lambda item: str(item).startswith(f"{CODE}/"))
        _replace(
            definition.setdefault("params", []),
            [{LIBRARIES.as_posix(): libraries}] if libraries else [],
            lambda item: isinstance(item, dict) and LIBRARIES.as_posix() in item,
        )
    stream = io.StringIO()
    yaml.dump(pipeline, stream)
    return stream.getvalue()


def _replace(items: Any, new: list[Any], generated: Any) -> None:
    """Replace the generated items at the end of a YAML list in place."""
    for position in reversed(range(len(items))):
        if generated(items[position]):
            del items[position]
    items.extend(new)


def main() -> None:
    """Write dvc.yaml, or check that it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where dvc.yaml is out of date")
    check = parser.parse_args().check
    before = PIPELINE.read_text(encoding="utf-8")
    after = written(before, Path())
    if check and after != before:
        raise UserError(f"{PIPELINE} does not list what the stages import; run 'python -m tools.stage_deps'")
    if not check:
        with replacing(PIPELINE) as temporary:
            temporary.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    run("stage-deps", main)
