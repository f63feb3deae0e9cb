"""Writes the dependencies of every stage on code and libraries to dvc.yaml, from the imports.

They are everything that a stage imports and that can change its results: its own folder, modules of stages/shared, and
library versions (libraries.json). Data and parameters are listed by hand. `--check` only compares.
"""

import ast
import io
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stages.shared.process.run import run
from tools.generated_file import write_or_check
from tools.libraries import LIBRARIES, of_modules

PIPELINE = Path("dvc.yaml")
CODE = "stages"  # this tool writes the entries of `deps` below this folder

# Console output, error messages, signals and whole-file writing do not change results. Paths do not either: dvc.yaml
# lists them.
NOT_RESULTS = (
    "stages/__init__.py",
    "stages/shared/errors.py",
    "stages/shared/files/paths.py",
    "stages/shared/files/whole_files.py",
    "stages/shared/params/mistakes.py",
    "stages/shared/process/console.py",
    "stages/shared/process/git_variables.py",
    "stages/shared/process/run.py",
    "stages/shared/process/streams.py",
)


def imports(file: Path, root: Path) -> tuple[set[Path], set[str]]:
    """Find all imports of a file, those inside functions too.

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
            # A name is a module or an object in a module.
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
                candidates = (path.with_suffix(".py"), path / "__init__.py")
                files.update(candidate for candidate in candidates if (root / candidate).is_file())
    return files, modules


def closure(file: Path, root: Path) -> set[Path]:
    """Return a file and all files of the repository that it imports, directly or indirectly."""
    found: set[Path] = set()
    waiting = {file}
    while waiting:
        current = waiting.pop()
        found.add(current)
        waiting |= imports(current, root)[0] - found
    return found


def code_and_libraries(command: str, root: Path) -> tuple[list[str], list[str]]:
    """List the code and the libraries that the results of a stage depend on.

    Parameters
    ----------
    command : str
        `python -m stages.NAME`, with arguments or without.
    root : Path
        Root of the repository.

    Returns
    -------
    code : list of str
        The folder of the stage, then files, sorted.
    libraries : list of str
        Keys of libraries.json, sorted.
    """
    folder = Path(*command.split()[2].split("."))
    imported = closure(folder / "__main__.py", root)
    files = [file for file in imported if not any(file.is_relative_to(path) for path in NOT_RESULTS)]
    modules = {module for file in files for module in imports(file, root)[1]}
    shared = sorted(file.as_posix() for file in files if not file.is_relative_to(folder))
    return [folder.as_posix(), *shared], of_modules(modules)


def written(text: str, root: Path) -> str:
    """Return the text of dvc.yaml with updated dependencies on code and libraries."""
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 200
    pipeline = yaml.load(text)
    for definition in pipeline["stages"].values():
        code, libraries = code_and_libraries(definition["cmd"], root)
        if "params" not in definition:
            definition.insert(list(definition).index("deps"), "params", [])
        _replace(definition["deps"], code, lambda item: str(item).startswith(f"{CODE}/"))
        _replace(
            definition["params"],
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
    text = written(PIPELINE.read_text(encoding="utf-8"), Path())
    write_or_check(PIPELINE, text, "python -m tools.stage_deps")


if __name__ == "__main__":
    run("stage-deps", main)
