"""The small project where others fetch its models: registered artifacts, a remote and a bare origin."""

from pathlib import Path

from ruamel.yaml import YAML

from reliability.small_project import Project

MODELS = {
    "linear": "models/baselines/linear.skops",
    "neighbours": "models/baselines/neighbours.skops",
    "dense": "models/nets/dense.keras",
    "convolution": "models/nets/convolution.keras",
}


def publish(finished: Project, folder: Path, remote: str, **options: str) -> Project:
    """Copy a finished small project, give it a remote and a bare origin, and push it: code, then models.

    Parameters
    ----------
    finished : Project
        Stays as it is.
    folder : Path
        Of the copy; the origin is made beside it.
    remote : str
        Address of the remote.
    **options : str
        Its other settings, as `dvc remote modify` has them.
    """
    project = finished.copy(folder)
    yaml, path = YAML(), folder / "dvc.yaml"
    parsed = yaml.load(path.read_text())
    parsed["artifacts"] = {name: {"path": file, "type": "model"} for name, file in MODELS.items()}
    with path.open("w") as file:
        yaml.dump(parsed, file)
    project.succeed("git", "init", "--quiet", "--bare", "--initial-branch", "main", str(origin(project)))
    project.succeed("git", "remote", "add", "origin", str(origin(project)))
    project.succeed("dvc", "remote", "add", "--default", "storage", remote)
    for option, value in options.items():
        project.succeed("dvc", "remote", "modify", "storage", option, value)
    project.commit()
    push(project)
    return project


def origin(project: Project) -> Path:
    """Return the bare repository that a project is pushed to."""
    return project.folder.with_name("origin.git")


def push(project: Project) -> None:
    """Push the models and the commits with their tags."""
    project.succeed("dvc", "push")
    project.succeed("git", "push", "--quiet", "origin", "main", "--tags")


def content(project: Project, name: str) -> bytes:
    """Return the model file of an artifact."""
    return (project.folder / MODELS[name]).read_bytes()
