"""dvc.yaml against the code: every section that a stage reads is listed, and all code that it imports is hashed."""

import ast
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stages.hash_code.dependencies import closure, dependencies
from stages.shared.errors import UserError
from tests.fixtures.small_project import ROOT
from tools.libraries import REQUIREMENTS, differing, locked

PIPELINE: dict[str, Any] = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
VERSIONS: dict[str, str] = json.loads((ROOT / "libraries.json").read_text())
SECTIONS = {"fetch", "split", "training", "baselines", "nets", "pictures"}


def listed(stage: str, key: str) -> list[str]:
    return [item if isinstance(item, str) else next(iter(item)) for item in PIPELINE[stage].get(key, [])]


def folder_of(stage: str) -> str:
    return PIPELINE[stage]["cmd"].split()[2].replace(".", "/")


def requirements() -> str:
    return "".join((ROOT / file).read_text() for file in REQUIREMENTS)


def hashed(stage: str, root: Path = ROOT, versions: dict[str, str] | None = None) -> set[str]:
    return set(dependencies(Path(folder_of(stage)), versions or VERSIONS, root).splitlines())


@pytest.mark.parametrize("stage", [stage for stage in PIPELINE if stage != "hash-code"])
def test_every_stage_depends_on_its_code(stage: str) -> None:
    assert f"data/code/{Path(folder_of(stage)).name}.txt" in listed(stage, "deps")


def test_the_hashed_code_is_what_a_stage_imports(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "stages", tmp_path / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    before = hashed("train-nets", tmp_path)
    assert before == hashed("train-nets")
    assert {line.split()[0] for line in before} > {
        *("stages/train_nets/__main__.py", "stages/shared/models/build_net.py", "stages/shared/params/settings.py"),
        *("keras", "tensorflow", "numpy"),
    }
    assert not any("stages/shared/process/console.py" in line or "sklearn" in line for line in before)

    def append(file: str) -> int:
        with (tmp_path / "stages" / file).open("a") as stream:
            stream.write("# more\n")
        return len(hashed("train-nets", tmp_path) - before)

    assert append("shared/process/console.py") == append("train_baselines/fitting.py") == append("report/page.css") == 0
    assert append("shared/models/build_net.py") == 1
    assert append("train_nets/training.py") == 2
    assert append("train_nets/new.json") == 3, "files of any kind"
    (tmp_path / "stages/train_nets/.hidden").touch()
    assert append("train_nets/new.json") == 3
    page = {line.split()[0] for line in hashed("report", tmp_path)}
    assert "stages/report/page.css" in page


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
        for stage in PIPELINE
        if stage != "hash-code" and hashed(stage) != hashed(stage, versions=VERSIONS | {library: "9.9"})
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
    tracked = {"*"} if "params.yaml" in listed(stage, "deps") else set()
    tracked |= {param.split(".")[0] for param in listed(stage, "params")}
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
