"""Writes libraries.json: the locked versions of the libraries that compute results.

Stages depend on these versions, so a new version of a library reruns the stages that use it. `--check` compares them
with requirements*.txt and with the installed versions.
"""

import json
import re
from importlib import metadata
from pathlib import Path

from stages.hash_code.dependencies import MODULES
from stages.shared.errors import UserError
from stages.shared.files.paths import LIBRARIES
from stages.shared.process.run import run
from tools.generated_file import write_or_check

REQUIREMENTS = [Path("requirements.txt"), Path("requirements-boosting.txt")]

# Package -> library, for platforms on which the library has another package name.
BUILDS = {"tensorflow-cpu": "tensorflow", "xgboost-cpu": "xgboost"}
# Not installed everywhere: scikit-learn-intelex is only available for x86, the others with `make boosting`.
OPTIONAL = ("lightgbm", "scikit-learn-intelex", "xgboost")


def locked(requirements: str) -> dict[str, str]:
    """Read the versions of the libraries from compiled requirements files.

    Parameters
    ----------
    requirements : str
        The text of the files.

    Returns
    -------
    dict of str to str
        Library -> version, sorted by library.

    Raises
    ------
    UserError
        A library is missing, or has different versions for different Pythons or platforms.
    """
    found: dict[str, set[str]] = {library: set() for library in MODULES.values()}
    for name, version in re.findall(r"^([\w.-]+)==([\w.+!]+)", requirements, re.MULTILINE):
        library = BUILDS.get(name, name)
        if library in found:
            found[library].add(version)
    for library, versions in found.items():
        if len(versions) != 1:
            raise UserError(
                f"requirements*.txt: versions of {library}: {', '.join(sorted(versions)) or 'none'}; there must be one "
                "for all Pythons and platforms: constrain it in pyproject.toml"
            )
    return {library: versions.pop() for library, versions in sorted(found.items())}


def differing(expected: dict[str, str]) -> list[str]:
    """Return one line per library whose installed version is not the expected one."""
    builds = {library: build for build, library in BUILDS.items()}
    lines = []
    for library, version in expected.items():
        names = [name for name in (library, builds.get(library)) if name is not None]
        installed = {dist.version for name in names for dist in metadata.distributions(name=name)}
        if installed != {version} and (installed or library not in OPTIONAL):
            lines.append(f"{library} is {', '.join(sorted(installed)) or 'not installed'}; {LIBRARIES} has {version}")
    return lines


def main() -> None:
    """Write libraries.json, or compare it with requirements*.txt and with the installed versions."""
    versions = locked("".join(path.read_text(encoding="utf-8") for path in REQUIREMENTS))
    check = write_or_check(LIBRARIES, json.dumps(versions, indent=2) + "\n", "python -m tools.libraries")
    if check and (lines := differing(versions)):
        raise UserError("\n".join(f"{line}; run 'rm .venv/.installed' and 'make setup'" for line in lines))


if __name__ == "__main__":
    run("libraries", main)
