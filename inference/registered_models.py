"""Fetches a registered model through DVC: by version or stage, from this repository or another."""

from contextlib import suppress
from pathlib import Path

from stages.shared.errors import UserError, unknown_name
from stages.shared.files.paths import CLASSES

SHOWN = 10  # versions and stages at most, the latest


def is_artifact(name: str) -> bool:
    """Tell whether a name asks for a version or a stage."""
    return "@" in name or "#" in name


def fetch(name: str, repo: str | None, folder: Path) -> tuple[Path, Path]:
    """Fetch an artifact's file, and the class names of the data it was trained on.

    Parameters
    ----------
    name : str
        NAME@VERSION, NAME@latest or NAME#STAGE; NAME alone is its latest version. NAME is as in dvc.yaml, after
        FOLDER: where dvc.yaml does not lie at the root of the repository.
    repo : str or None
        Path or address of a Git repository; None is the one around the current folder.
    folder : Path
        Where to put the files.

    Returns
    -------
    model : Path
        The model file.
    classes : Path
        The classes.json of the same commit; there is no such file where it cannot be had.

    Raises
    ------
    UserError
        There is no such repository, artifact, version or stage, or its file cannot be had.
    """
    # DVC takes a second to import, which other models need not wait for.
    from dvc.api import DVCFileSystem, artifacts_show
    from dvc.exceptions import ArtifactNotFoundError, DvcException
    from dvc.repo.artifacts import Artifacts
    from gto.constants import parse_shortcut
    from gto.exceptions import GTOException, MissingArg

    asked = parse_shortcut(name)
    if is_artifact(asked.name):
        raise UserError(
            f"'{name}' names no artifact; write NAME@VERSION (as in mlp-48@v1.0.0), NAME@latest or NAME#STAGE"
        )
    source = "this repository" if repo is None else repo
    try:
        found = artifacts_show(asked.name, version=asked.version, stage=asked.stage, repo=repo)
        files = DVCFileSystem(repo, rev=found["rev"], subrepos=True)
        model, classes = folder / Path(found["path"]).name, folder / CLASSES.name
        files.get_file(Path(found["path"]).as_posix(), str(model))
        # Without its class names, which may lie in no remote, a model still predicts.
        with suppress(DvcException, OSError):
            root = Artifacts.parse_path(asked.name)[0] or ""
            files.get_file((root / CLASSES).as_posix(), str(classes))
    except ArtifactNotFoundError:
        raise UserError(f"{source}: {_why_not(name, asked.name, repo)}") from None
    except FileNotFoundError:
        raise UserError(
            f"{source}: the file of '{name}', {found['path']}, is neither in its commit nor in a DVC remote "
            "that can be reached; 'dvc push' puts it there"
        ) from None
    except MissingArg:
        raise UserError(f"{source}: there is no Git repository, so no artifact can be registered") from None
    except (DvcException, GTOException, OSError) as error:
        raise UserError(f"cannot fetch the artifact '{name}' from {source}: {_reason(error)}") from error
    return model, classes


def _why_not(name: str, artifact: str, repo: str | None) -> str:
    """Say why there is no such artifact, and which there are."""
    from dvc.repo import Repo
    from gto.constants import Action
    from gto.tag import find, parse_tag

    with Repo.open(repo, subrepos=True, uninitialized=True) as opened:
        tags = find(frozenset({Action.REGISTER, Action.ASSIGN}), scm=opened.artifacts.scm)
    registered: dict[str, list[str]] = {}
    for tag in map(parse_tag, tags):
        names = registered.setdefault(tag.name, [])
        names.append(f"{tag.name}@{tag.version}" if tag.version else f"{tag.name}#{tag.stage}")
    if artifact not in registered:
        return unknown_name(artifact, registered, "artifact") if registered else "no artifact is registered in it"
    if name in (artifact, *registered[artifact]):
        return f"'{name}' is registered, but dvc.yaml declared no artifact '{artifact}' in that commit"
    return f"no artifact '{name}' is registered; there are {', '.join(registered[artifact][-SHOWN:])}"


def _reason(error: BaseException) -> str:
    # DVC says "SCM error" or "failed to clone" and keeps what happened for the cause.
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split()) or type(error).__name__
