"""Fetches a registered model with DVC: by version or stage, from this repository or another."""

import re
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from stages.shared.errors import UserError, one_line, unknown_name
from stages.shared.files.paths import CLASSES, PREPARATION

# FOLDER: comes first if dvc.yaml is not at the root of the repository.
NAME = re.compile(r"(?P<artifact>([\w./-]+:)?[\w/-]+)(@(?P<version>latest|v\d[\w.+-]*)|#(?P<stage>[\w/-]+))?")

# The tags of `gto register` and `gto assign`; a folder ends in = there.
TAG = re.compile(r"(?P<artifact>([^=]+=)?[\w/-]+)(?P<asked>@v[^!#]+|#[\w/-]+?)(!?(#\d+)?)")


class Registered(NamedTuple):
    """A version of a registered model.

    Attributes
    ----------
    artifact : str
        Its name in its Git repository: in a project that is a folder of a larger repository, FOLDER:NAME.
    version, stage : str or None
        Its version, or the stage that it is in; if both are None, it is the latest version.
    repo : str or None
        Path or URL of the Git repository; None is the one that contains the current folder.
    source : str
        The repository in messages.
    """

    artifact: str
    version: str | None
    stage: str | None
    repo: str | None
    source: str

    def __str__(self) -> str:
        if self.stage is not None:
            return f"{self.artifact}#{self.stage}"
        return f"{self.artifact}@{self.version or 'latest'}"


def is_artifact(name: str) -> bool:
    """Return whether a name contains a version or a stage."""
    return "@" in name or "#" in name


def locate(artifact: str, repo: str | None) -> tuple[str, str | None]:
    """Return the name that an artifact has in its Git repository, and the repository.

    In a project that is a folder of a larger repository, the name begins with the folder: `digits:mlp-48`.

    Parameters
    ----------
    artifact : str
        Name of the artifact, with or without its folder.
    repo : str or None
        Path or URL of a Git repository or of a project in it; None is the current folder.

    Returns
    -------
    artifact : str
        The name with its folder.
    repo : str or None
        The root of the repository, if the project is a folder of it; otherwise as given.
    """
    start = Path(repo or ".").resolve()
    root, project = _nearest(start, ".git"), _nearest(start, ".dvc")
    if start.exists() and root and project and root in project.parents:  # a URL does not exist as a path
        return artifact if ":" in artifact else f"{project.relative_to(root).as_posix()}:{artifact}", str(root)
    return artifact, repo


def _nearest(start: Path, name: str) -> Path | None:
    """Return the first folder, from `start` upwards, that contains a file or folder of this name."""
    return next((folder for folder in (start, *start.parents) if (folder / name).exists()), None)


def find(name: str, repo: str | None) -> Registered:
    """Parse the name of a registered version; in a local repository, check that it exists.

    Parameters
    ----------
    name : str
        NAME@VERSION, NAME@latest or NAME#STAGE; NAME alone is the latest version.
    repo : str or None
        Path or URL of a Git repository or of a project in it; None is the current folder.

    Raises
    ------
    UserError
        The name has another form, or the repository has no such artifact, version or stage.
    """
    parts = NAME.fullmatch(name)
    if parts is None:
        raise UserError(f"'{name}' is not NAME@VERSION (such as mlp-48@v1.0.0), NAME@latest or NAME#STAGE")
    if repo is not None and ":" not in repo and not Path(repo).exists():  # an address has a colon
        raise UserError(f"--repo {repo}: no such folder")
    source = "this repository" if repo is None else repo
    version = None if parts["version"] == "latest" else parts["version"]
    artifact, root = locate(parts["artifact"], repo)
    found = Registered(artifact, version, parts["stage"], root, source)
    names = _registered(found.repo)
    if names is None:
        return found
    if not names:
        example = f"make release NAME={found.artifact} VERSION=v1.0.0"
        raise UserError(f"{source} has no registered models; '{example}' registers one")
    if found.artifact not in names.values():
        raise UserError(f"{source}: {unknown_name(found.artifact, set(names.values()), 'registered model')}")
    if (version or parts["stage"]) and str(found) not in names:
        versions = [name for name, artifact in names.items() if artifact == found.artifact]
        raise UserError(f"{source}: {unknown_name(found, versions, 'version or stage')}")
    return found


def _registered(repo: str | None) -> dict[str, str] | None:
    """Return the registered versions and stages of a local repository by its tags.

    Returns
    -------
    dict of str to str, or None
        NAME@VERSION or NAME#STAGE -> NAME; None if the repository is not a local one, or its tags cannot be listed.
    """
    try:
        command = ("git", "-C", repo or ".", "tag", "--list")
        tags = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return None
    found = [match for tag in tags if (match := TAG.fullmatch(tag))]
    names = ((match["artifact"].replace("=", ":"), match["asked"]) for match in found)
    return {f"{artifact}{asked}": artifact for artifact, asked in names}


def fetch(registered: Registered, folder: Path) -> Path:
    """Fetch the file of an artifact; also classes.json and preparation.json of its commit, if they are available.

    Parameters
    ----------
    registered : Registered
        The version, as `find` returns it.
    folder : Path
        Where to write the files.

    Returns
    -------
    Path
        The model file.

    Raises
    ------
    UserError
        There is no such repository, artifact, version or stage, or the file is not available.
    """
    # DVC takes a second to import.
    from dvc.api import DVCFileSystem, artifacts_show
    from dvc.exceptions import ArtifactNotFoundError, DvcException, NotDvcRepoError
    from dvc.scm import RevError
    from gto.exceptions import GTOException
    from pygit2 import GitError

    name, version, stage, repo, source = registered
    folder_of_project, _, _ = name.rpartition(":")
    try:
        artifact = artifacts_show(name, version=version, stage=stage, repo=repo)
        files = DVCFileSystem(repo, rev=artifact["rev"], subrepos=True)
        model = folder / Path(artifact["path"]).name
        files.get_file(Path(artifact["path"]).as_posix(), str(model))
        for path in (CLASSES, PREPARATION):
            with suppress(DvcException, OSError):
                files.get_file(Path(folder_of_project, path).as_posix(), str(folder / path.name))
    except ArtifactNotFoundError:
        listing = f"gto show --repo {repo}" if repo else "gto show"
        raise UserError(
            f"{source} has no artifact '{registered}', or dvc.yaml of that commit does not declare it; "
            f"'{listing}' lists the registered artifacts, '{listing} {name}' their versions and stages"
        ) from None
    except FileNotFoundError:
        raise UserError(
            f"{source}: {artifact['path']}, the file of '{registered}', is in neither the commit nor its DVC remote: "
            "'dvc push' uploads it; if it is there, .dvc/config has a relative path, which leads elsewhere from a clone"
        ) from None
    except NotDvcRepoError:
        raise UserError(
            f"{source} has no DVC project at its root; an artifact of a project in a folder is registered and fetched "
            f"as FOLDER:{name}"
        ) from None
    except RevError:
        raise UserError(
            f"the HEAD of {source} names a branch that it does not have, and DVC cannot open such a repository; change "
            "its default branch, in a bare repository with 'git symbolic-ref HEAD refs/heads/main'"
        ) from None
    except GitError as error:
        root = Path(repo or ".").resolve()
        raise UserError(
            f"cannot open the Git repository of {source}: {one_line(error)}; if it belongs to another user whom you "
            f"trust: git config --global --add safe.directory {root}"
        ) from None
    except GTOException:
        raise UserError(f"{source} is not a Git repository, so it has no registered artifacts") from None
    except (DvcException, OSError) as error:
        raise UserError(f"cannot fetch the artifact '{registered}' from {source}: {one_line(_cause(error))}") from error
    return model


def _cause(error: BaseException) -> BaseException:
    # The message of DVC's own exception is "SCM error" or "failed to clone".
    while error.__cause__ is not None:
        error = error.__cause__
    return error
