"""Reads dvc.lock: what each stage ran with when it last succeeded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

LOCK = Path("dvc.lock")


def locked_stages() -> dict[str, Any]:
    """Return the stages of dvc.lock; none if it is missing, or cannot be read because another process is writing it."""
    try:
        stages = YAML(typ="safe").load(LOCK.read_text(encoding="utf-8"))["stages"]
    except (OSError, YAMLError, ValueError, LookupError, TypeError):
        return {}
    return stages if isinstance(stages, dict) else {}


def locked_params(stages: Mapping[str, Any], stage: str) -> Mapping[str, Any]:
    """Return the settings with which a stage last ran, by key ("nets.mlp-48"); empty if it never succeeded."""
    try:
        return dict(stages[stage]["params"]["params.yaml"])
    except (LookupError, TypeError):
        return {}
