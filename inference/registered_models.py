"""Fetches a registered model with DVC: by version or stage, from this repository or another."""

import re
from contextlib import suppress
from pathlib import Path

from stages.shared.errors import UserError, one_line
from stages.shared.files.paths import CLASSES

# FOLDER: comes first if dvc.yaml is not at the root of the repository.
NAME = re.compile(
    r"(?P<artifact>((?P<folder>[\w./-]+):)?[\w/-]+)(@(?P<version>latest|v\d[\w.+-]*)|#(?P<stage>[\w/-]+))?"
)


def is_artifact(name: str) -> bool:
    """Return whether a name contains a version or a stage."""
    return "@" in name or "#" in name


def fetch(name: str, repo: str | None, folder: Path) -> tuple[Path, Path]:
    """Fetch the file of an artifact, and the class names of the data that it was trained on.

    Parameters
    ----------
    name : str
        NAME@VERSION, NAME@latest or NAME#STAGE; NAME alone is the latest version.
    repo : str or None
        Path or URL of a Git repository; None is the one that contains the current folder.
    folder : Path
        Where to write the files.

    Returns
    -------
    model : Path
        The model file.
    classes : Path
        The classes.json of the same commit; the file does not exist if it is not available.

    Raises
    ------
    UserError
        There is no such repository, artifact, version or stage, or the file is not available.
    """
    # DVC takes a second to import.
    from dvc.api import DVCFileSystem, artifacts_show
    from dvc.exceptions import ArtifactNotFoundError, DvcException
    from gto.exceptions import GTOException

    parts = NAME.fullmatch(name)
    if parts is None:
        raise UserError(f"'{name}' is not NAME@VERSION (such as mlp-48@v1.0.0), NAME@latest or NAME#STAGE")
    version = None if parts["version"] == "latest" else parts["version"]
    source = "this repository" if repo is None else repo
    try:
        artifact = artifacts_show(parts["artifact"], version=version, stage=parts["stage"], repo=repo)
        files = DVCFileSystem(repo, rev=artifact["rev"], subrepos=True)
        model, classes = folder / Path(artifact["path"]).name, folder / CLASSES.name
        files.get_file(Path(artifact["path"]).as_posix(), str(model))
        # Optional: without class names, the model predicts class codes.
        with suppress(DvcException, OSError):
            files.get_file(Path(parts["folder"] or "", CLASSES).as_posix(), str(classes))
    except ArtifactNotFoundError:
        listing = f"gto show --repo {repo}" if repo else "gto show"
        raise UserError(
            f"{source} has no artifact '{name}', or dvc.yaml of that commit does not declare it; "
            f"'{listing}' lists the registered artifacts, '{listing} {parts['artifact']}' their versions and stages"
        ) from None
    except FileNotFoundError:
        raise UserError(
            f"{source}: {artifact['path']}, the file of '{name}', is not in the commit and not in a DVC remote "
            "that can be reached; 'dvc push' uploads it"
        ) from None
    except GTOException:
        raise UserError(f"{source} is not a Git repository, so it has no registered artifacts") from None
    except (DvcException, OSError) as error:
        raise UserError(f"cannot fetch the artifact '{name}' from {source}: {one_line(_cause(error))}") from error
    return model, classes


def _cause(error: BaseException) -> BaseException:
    # The message of DVC's own exception is "SCM error" or "failed to clone".
    while error.__cause__ is not None:
        error = error.__cause__
    return error
