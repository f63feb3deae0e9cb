"""What the results of a stage depend on: the code that it imports, by hash, and the versions of libraries.

Data and parameters are listed in dvc.yaml.
"""

import ast
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

CODE = ("stages", "studies")  # folders with code of the project

# Module -> library. A stage that imports the module depends on the version of the library.
MODULES = {
    "PIL": "pillow",
    "altair": "altair",
    "cv2": "opencv-python-headless",
    "jinja2": "jinja2",
    "keras": "keras",
    "lightgbm": "lightgbm",
    "matplotlib": "matplotlib",
    "numpy": "numpy",
    "pandas": "pandas",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "sklearnex": "scikit-learn-intelex",
    "skops": "skops",
    "tensorflow": "tensorflow",
    "vl_convert": "vl-convert-python",
    "xgboost": "xgboost",
}
# Library -> libraries that it computes with.
USES = {"keras": ("numpy", "tensorflow"), "scikit-learn": ("numpy", "scipy"), "tensorflow": ("numpy",)}

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
# Trials accept or refuse a declared model, and do not change its training: only check-models depends on them, so that
# no model is trained again because a trial has changed.
TRIALS = "stages/shared/trials"


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
            if parts[0] not in CODE:
                modules.add(parts[0])
                continue
            for n in range(1, len(parts) + 1):
                path = Path(*parts[:n])
                candidates = (path.with_suffix(".py"), path / "__init__.py")
                files.update(candidate for candidate in candidates if (root / candidate).is_file())
    return files, modules


def closure(file: Path, root: Path, without: str | None = None) -> set[Path]:
    """Return a file and all files of the repository that it imports, directly or indirectly.

    Files in the folder `without`, and what only they import, are left out.
    """
    found: set[Path] = set()
    waiting = {file}
    while waiting:
        current = waiting.pop()
        found.add(current)
        imported = imports(current, root)[0] - found
        waiting |= {each for each in imported if without is None or not each.is_relative_to(without)}
    return found


def of_modules(modules: Iterable[str]) -> list[str]:
    """Return the sorted names of the libraries that code with these imports depends on."""
    found = {MODULES[module] for module in modules if module in MODULES}
    return sorted(found.union(*(USES.get(library, ()) for library in found)))


def dependencies(folder: Path, versions: Mapping[str, str], root: Path) -> str:
    """List what the results of a stage depend on.

    Parameters
    ----------
    folder : Path
        The folder of the stage, relative to the root.
    versions : mapping of str to str
        Library -> version, of libraries.json.
    root : Path
        Root of the repository.

    Returns
    -------
    str
        As `listing` returns it.
    """
    imported = closure(folder / "__main__.py", root, None if folder.name == "check_models" else TRIALS)
    own = {file.relative_to(root) for file in (root / folder).rglob("[!.]*") if file.is_file()}
    return listing({file for file in imported | own if "__pycache__" not in file.parts}, versions, root)


def listing(files: Iterable[Path], versions: Mapping[str, str], root: Path) -> str:
    """List files, but for those that do not change results, and the libraries that they import.

    Parameters
    ----------
    files : iterable of Path
        Relative to the root.
    versions, root : mapping of str to str, Path
        As above.

    Returns
    -------
    str
        One line per file with its MD5, and one per library with its version, sorted.
    """
    counted = sorted(file for file in files if file.as_posix() not in NOT_RESULTS)
    modules = {module for file in counted if file.suffix == ".py" for module in imports(file, root)[1]}
    lines = [f"{file.as_posix()} {_md5(root / file)}" for file in counted]
    lines += [f"{library} {versions[library]}" for library in of_modules(modules)]
    return "\n".join(lines) + "\n"


def _md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
