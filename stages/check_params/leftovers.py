"""Files of models that are no longer declared in params.yaml."""

from collections.abc import Collection
from pathlib import Path

from stages.shared.files.paths import (
    BASELINES,
    FACTS,
    NETS,
    PICTURES,
    PREDICTIONS,
    TIMINGS,
    WEIGHTS,
)


def undeclared(baselines: Collection[str], nets: Collection[str]) -> list[Path]:
    """List the files that training stages wrote for models that are no longer declared.

    DVC removes the outputs of a stage before it runs, but not those of a stage that no longer exists.

    Parameters
    ----------
    baselines, nets : collection of str
        Names of the declared models.

    Returns
    -------
    list of Path
        Sorted.
    """
    models = {*baselines, *nets}
    declared = {
        BASELINES: baselines,
        NETS: nets,
        PREDICTIONS: models,
        FACTS: models,
        WEIGHTS: models,
    }
    files = [
        path
        for kind, names in declared.items()
        for path in kind.folder.glob("*")
        # .gitignore belongs to Git, .writing-* to another process that may still be running.
        if path.is_file() and path.stem not in names and not path.name.startswith((".git", ".writing-"))
    ]
    stages = [path for kind in ("train", "plot") for path in TIMINGS.folder.glob(f"{kind}-*@*.json")]
    timings = [path for path in stages if path.stem.partition("@")[2] not in models]
    pictures = [path for path in PICTURES.folder.glob("models/*/*") if path.parent.name not in models]
    return sorted([*files, *timings, *pictures])
