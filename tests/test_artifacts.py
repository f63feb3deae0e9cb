"""Versioned models: every declared model is an artifact of dvc.yaml, and no file of theirs can bring code along."""

import ast
from typing import Any

import pytest
from ruamel.yaml import YAML

from stages.shared.files import paths
from tests.fixtures.small_project import ROOT


def section(file: str, name: str) -> dict[str, Any]:
    return YAML(typ="safe").load((ROOT / file).read_text())[name]


def test_every_declared_model_is_an_artifact_with_all_that_describes_it() -> None:
    files = {name: paths.BASELINES.path(name) for name in section("params.yaml", "baselines")}
    files |= {name: paths.NETS.path(name) for name in section("params.yaml", "nets")}
    artifacts = section("dvc.yaml", "artifacts")
    assert set(artifacts) == set(files), "add the model to `artifacts` in dvc.yaml, or take it out there"
    for name, artifact in artifacts.items():
        assert artifact["path"] == files[name].as_posix()
        assert artifact["type"] == "model"
        assert artifact["desc"]
        framework = {".skops": "scikit-learn", ".keras": "keras"}[files[name].suffix]
        assert artifact["meta"] == {"framework": framework}
        assert framework in artifact["labels"]


# Whatever these read can run code of the file's author. scikit-learn's and DVC's own use of joblib and dill is for
# processes and caches of one machine, never for files that are handed on.
PICKLES = {"cloudpickle", "dill", "jsonpickle", "joblib", "marshal", "pickle", "shelve"}


def pickling(source: str) -> list[str]:
    """Name what a program uses that reads or writes pickles."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in PICKLES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PICKLES:
            found.append(str(node.module))
        elif isinstance(node, ast.Attribute) and node.attr in {
            "read_pickle",
            "to_pickle",
            "enable_unsafe_deserialization",
        }:
            found.append(node.attr)
        elif isinstance(node, ast.keyword) and (node.arg, ast.unparse(node.value)) in {
            ("allow_pickle", "True"),
            ("safe_mode", "False"),
        }:
            found.append(f"{node.arg}={ast.unparse(node.value)}")
    return found


def test_no_stage_and_no_tool_reads_or_writes_pickles() -> None:
    files = [file for folder in ("benchmarks", "stages", "tools") for file in (ROOT / folder).rglob("*.py")]
    assert len(files) > 20
    assert {str(file.relative_to(ROOT)): found for file in files if (found := pickling(file.read_text()))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "import a, dill.session as b",
        "np.load(path, allow_pickle=True)",
        "keras.saving.load_model(path, safe_mode=False)",
        "pd.read_pickle(path)",
    ],
)
def test_the_search_for_pickles_finds(source: str) -> None:
    assert len(pickling(source)) == 1
    assert pickling("np.load(path, allow_pickle=False)\nimport json") == []
