"""Finds the file of a model by its name, before any slow import: a mistake in the name is answered at once."""

from collections.abc import Mapping
from pathlib import Path

from inference import registered_models
from stages.shared.errors import UserError, unknown_name
from stages.shared.files import paths
from stages.shared.params.yaml_file import read

NET, BASELINE = paths.NETS.suffix, paths.BASELINES.suffix


def find(name: str, repo: str | None) -> Path | registered_models.Registered:
    """Return the file of a model, or the registered version that is to be fetched.

    Parameters
    ----------
    name : str
        A path that ends in .keras or .skops, the name of a declared model, or an artifact: NAME@VERSION, NAME@latest
        or NAME#STAGE.
    repo : str or None
        Path or URL of the repository with the artifact; None is this one.

    Raises
    ------
    UserError
        There is no such model, version, stage or file.
    """
    path = Path(name)
    if path.suffix in (NET, BASELINE) or (repo is None and path.is_file()):
        if repo is not None:
            raise UserError(f"--repo needs the name of an artifact, and '{name}' is a path")
        if not path.is_file():
            raise UserError(f"{path}: file not found")
        return require_model_file(path)
    if repo is not None or registered_models.is_artifact(name):
        return registered_models.find(name, repo)
    declared = _declared()
    if name not in declared:
        raise UserError(unknown_name(name, declared, "model"))
    if not declared[name].is_file():
        raise UserError(f"{declared[name]} is missing; 'dvc pull' fetches it, 'dvc repro' trains it")
    return declared[name]


def require_model_file(path: Path) -> Path:
    """Return a path that ends in .keras or .skops; raises UserError for others."""
    if path.suffix not in (NET, BASELINE):
        raise UserError(f"{path.name} is not a model file; only {NET} and {BASELINE} files are loaded")
    return path


def _declared() -> dict[str, Path]:
    """Return the files of the models in params.yaml, whose settings are not checked: that takes longer."""
    params = read()
    sections = ((params.get("nets"), paths.NETS), (params.get("baselines"), paths.BASELINES))
    return {
        str(name): files.path(str(name))
        for section, files in sections
        if isinstance(section, Mapping)
        for name in section
    }
