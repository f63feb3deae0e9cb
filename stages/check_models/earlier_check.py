"""Which models passed the last check and are unchanged, so that they need not be tried again.

dvc.lock has what the last check that succeeded has read: declarations, and hashes of data, code and library versions.
With the same ones, a model would pass again. Only the memory may differ, which the training stages check themselves.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

LOCK = Path("dvc.lock")
STAGE = "check-models"


def unchanged(params: Mapping[str, Any]) -> set[str]:
    """Return the names of the models that passed the last check with the same declaration, data, code and libraries.

    Parameters
    ----------
    params : mapping
        The content of params.yaml, as `yaml_file.plain` returns it.

    Returns
    -------
    set of str
        Empty if dvc.lock does not have the stage, or cannot be read because another process is writing it.
    """
    try:
        last = YAML(typ="safe").load(LOCK.read_text(encoding="utf-8"))["stages"][STAGE]
        before = last["params"]["params.yaml"]
        if _declared(before, "training") != _declared(params, "training"):
            return set()
        if any(md5_of(Path(dep["path"])) != dep["md5"] for dep in last["deps"]):
            return set()
        return {
            name
            for kind in ("baselines", "nets")
            for name in params[kind]
            if _declared(before, kind, name) == _declared(params, kind, name)
            and _declared(before, "pictures", "weights", name) == _declared(params, "pictures", "weights", name)
        }
    except (OSError, YAMLError, ValueError, LookupError, TypeError, AttributeError):
        return set()


def _declared(content: Any, *keys: str) -> str:
    """Return a declaration as text, in which, unlike in equal mappings, the order of layers counts."""
    for key in keys:
        content = content.get(key, {})
    return repr(content)


def md5_of(path: Path) -> str:
    """Return the MD5 of a file, as DVC computes it."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
