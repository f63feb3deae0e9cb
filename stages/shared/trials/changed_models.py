"""Which models must be tried: those that differ from what was last trained and drawn, as dvc.lock has it.

With the same declaration, data, code and libraries, a model would pass again. Only the memory may differ, which the
training stages check themselves.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from stages.shared.files.dvc_lock import locked_params, locked_stages
from stages.shared.params.yaml_file import PARAMS

CHECK = "check-models"
TRAINING = {"baselines": "train-baselines", "nets": "train-nets"}
DRAWING = {"baselines": "plot-baselines", "nets": "plot-weights"}


class Changed(NamedTuple):
    """Models that are not as they were last trained and drawn.

    Attributes
    ----------
    names : set of str
        All models if data, code or libraries have changed since the last check, or if dvc.lock cannot be read because
        another process is writing it.
    left : str or None
        The model that its own training stage tries, which then imports its libraries anyway: a single edited one. If
        several have changed, check-models tries them all, so that a mistake in one is found before another is trained.
    """

    names: set[str]
    left: str | None


def changed_models(params: Mapping[str, Any]) -> Changed:
    """Compare the declared models with dvc.lock.

    Parameters
    ----------
    params : mapping
        The content of params.yaml, as `yaml_file.plain` returns it.
    """
    stages = locked_stages()
    kinds = {name: kind for kind in TRAINING for name in params[kind]}
    retrained = {name for name, kind in kinds.items() if _retrained(kind, name, params, stages)}
    if _same_files(stages):
        names = retrained | {name for name, kind in kinds.items() if _redrawn(kind, name, params, stages)}
    else:
        names = {*kinds}
    return Changed(names, next(iter(names)) if len(names) == 1 and names == retrained else None)


def _same_files(stages: Mapping[str, Any]) -> bool:
    """Return whether the last check was of the same data, code and libraries."""
    try:
        deps = {Path(dep["path"]): dep["md5"] for dep in stages[CHECK]["deps"]}
        return all(md5_of(path) == md5 for path, md5 in deps.items() if path != PARAMS)
    except (OSError, LookupError, TypeError):
        return False


def _retrained(kind: str, name: str, params: Mapping[str, Any], stages: Mapping[str, Any]) -> bool:
    # The data may also make the training stage run, but then every model is tried before.
    before = locked_params(stages, f"{TRAINING[kind]}@{name}")
    now = [params[kind][name], params["training"]]
    # Text, in which, unlike in equal mappings, the order of layers counts.
    return repr(now) != repr([before.get(f"{kind}.{name}"), before.get("training")])


def _redrawn(kind: str, name: str, params: Mapping[str, Any], stages: Mapping[str, Any]) -> bool:
    before = locked_params(stages, f"{DRAWING[kind]}@{name}").get("pictures") or {}
    return repr(params["pictures"]["weights"].get(name)) != repr(before.get("weights", {}).get(name))


def md5_of(path: Path) -> str:
    """Return the MD5 of a file, as DVC computes it."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
