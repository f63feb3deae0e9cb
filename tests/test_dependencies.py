"""dvc.yaml against the code: every file that a stage imports and every section that it reads is listed."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stages.shared.errors import UserError
from tests.fixtures.small_project import ROOT
from tools.libraries import REQUIREMENTS, differing, locked
from tools.stage_deps import closure, written

PIPELINE: dict[str, Any] = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
SECTIONS = {"fetch", "split", "training", "baselines", "nets", "pictures"}


def listed(stage: str, key: str) -> list[str]:
    return [item if isinstance(item, str) else next(iter(item)) for item in PIPELINE[stage].get(key, [])]


def folder_of(stage: str) -> str:
    return PIPELINE[stage]["cmd"].split()[2].replace(".", "/")


def requirements() -> str:
    return "".join((ROOT / file).read_text() for file in REQUIREMENTS)


def test_dvc_yaml_lists_the_code_and_the_libraries_of_every_stage() -> None:
    text = (ROOT / "dvc.yaml").read_text()
    assert written(text, ROOT) == text, "run 'python -m tools.stage_deps'"


def test_libraries_json_has_the_locked_versions_and_these_are_installed() -> None:
    versions = json.loads((ROOT / "libraries.json").read_text())
    assert versions == locked(requirements()), "run 'python -m tools.libraries'"
    assert differing(versions) == []


def test_a_library_with_two_versions_is_refused() -> None:
    text = requirements()
    with pytest.raises(UserError, match=r"scipy.*1\.0, 1\.17"):
        locked(text + "scipy==1.0 ; python_full_version < '3.12'\n")


@pytest.mark.parametrize(
    ("library", "reruns"),
    [
        ("ruff", set()),
        ("matplotlib", {"plot-weights", "plot-baselines", "report"}),
        ("keras", {"check-models", "train-nets"}),
    ],
)
def test_a_new_version_of_a_library_reruns_the_stages_that_use_it(library: str, reruns: set[str]) -> None:
    dependent = {
        stage
        for stage, definition in PIPELINE.items()
        for item in definition["params"]
        if isinstance(item, dict) and library in (item.get("libraries.json") or [])
    }
    assert reruns <= dependent
    assert reruns or not dependent
    assert "train-baselines" not in dependent


@pytest.mark.parametrize("stage", PIPELINE)
def test_params_cover_every_section_that_the_stage_reads(stage: str) -> None:
    read: set[str] = set()
    own = (ROOT / folder_of(stage)).rglob("*.py")
    for file in own:
        for node in ast.walk(ast.parse(file.read_text())):
            # `from stages.shared.params import nets_section` reads the section; an import from it gives a type.
            if isinstance(node, ast.ImportFrom) and node.module == "stages.shared.params":
                read |= {alias.name.removesuffix("_section") for alias in node.names}
    tracked = {"*"} if "params.yaml" in listed(stage, "params") else set()
    tracked |= {param.split(".")[0] for param in listed(stage, "params") if param != "libraries.json"}
    assert read <= SECTIONS
    assert "*" in tracked or read == tracked


@pytest.mark.parametrize("stage", [name for name in PIPELINE if name.startswith("train") or name == "check-models"])
def test_no_stage_that_trains_or_chooses_depends_on_the_test_labels(stage: str) -> None:
    for dep in listed(stage, "deps"):
        assert not "data/split/test/labels.npy".startswith(dep)


@pytest.mark.parametrize("stage", PIPELINE)
def test_a_stage_imports_no_other_stage(stage: str) -> None:
    others = [folder_of(other) for other in PIPELINE if folder_of(other) != folder_of(stage)]
    files = closure(Path(folder_of(stage), "__main__.py"), ROOT)
    assert not any(file.is_relative_to(other) for file in files for other in others)


def test_every_stage_depends_on_the_checked_parameters() -> None:
    outs = {stage: set(listed(stage, "outs")) for stage in PIPELINE}
    after = {"check-params"}
    for _ in PIPELINE:
        for stage in PIPELINE:
            deps = listed(stage, "deps")
            # A dependency may be a folder that holds an output, or lie in one.
            if any(dep == out or dep.startswith(f"{out}/") for other in after for out in outs[other] for dep in deps):
                after.add(stage)
    upstream = {"check-params", "fetch", "normalise-and-split", "check-models", "train-baselines", "train-nets"}
    assert upstream <= after
