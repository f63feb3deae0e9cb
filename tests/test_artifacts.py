"""Versioned models: every declared model is an artifact of dvc.yaml."""

from typing import Any

from pipelines import ROOT
from ruamel.yaml import YAML

from stages.store import places


def section(file: str, name: str) -> dict[str, Any]:
    return YAML(typ="safe").load((ROOT / file).read_text())[name]


def test_every_declared_model_is_an_artifact_with_all_that_describes_it() -> None:
    files = {name: places.baseline_file(name) for name in section("params.yaml", "baselines")}
    files |= {name: places.net_file(name) for name in section("params.yaml", "nets")}
    artifacts = section("dvc.yaml", "artifacts")
    assert set(artifacts) == set(files), "add the model to `artifacts` in dvc.yaml, or take it out there"
    for name, artifact in artifacts.items():
        assert artifact["path"] == files[name].as_posix()
        assert artifact["type"] == "model"
        assert artifact["desc"]
        framework = {".skops": "scikit-learn", ".keras": "keras"}[files[name].suffix]
        assert artifact["meta"] == {"framework": framework}
        assert framework in artifact["labels"]
