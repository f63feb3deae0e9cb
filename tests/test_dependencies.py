"""dvc.yaml against the code: every file that a stage imports and every section that it reads is listed."""

import ast
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from reliability.small_project import ROOT

PIPELINE: dict[str, Any] = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
SECTIONS = {"fetch", "split", "training", "baselines", "nets", "pictures"}


def module_files(name: str) -> set[Path]:
    """Files that an import of this dotted name loads from the repository."""
    path = ROOT / Path(*name.split("."))
    return {file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()}


def imports(file: Path) -> set[Path]:
    """Files of the repository that a file imports, anywhere in it."""
    found: set[Path] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively, which this test does not follow"
            # `from package import module` and `from module import name` look alike.
            names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "stages":
                found |= {path for i in range(1, len(parts) + 1) for path in module_files(".".join(parts[:i]))}
    return found


def closure(file: Path) -> set[Path]:
    """All files of the repository that running a file can load."""
    seen: set[Path] = set()
    waiting = {file}
    while waiting:
        current = waiting.pop()
        seen.add(current)
        waiting |= imports(current) - seen
    return seen


def listed(stage: str, key: str) -> list[str]:
    return [item if isinstance(item, str) else next(iter(item)) for item in PIPELINE[stage].get(key, [])]


def folder_of(stage: str) -> str:
    return f"stages/{stage.replace('-', '_')}"


@pytest.mark.parametrize("stage", PIPELINE)
def test_deps_cover_every_file_that_the_stage_can_import(stage: str) -> None:
    files = {path.relative_to(ROOT).as_posix() for path in closure(ROOT / folder_of(stage) / "__main__.py")}
    code = [dep for dep in listed(stage, "deps") if dep.startswith("stages/")]
    missing = {file for file in files if not any(file == dep or file.startswith(f"{dep}/") for dep in code)}
    assert not missing, f"{stage} imports files that dvc.yaml does not list"
    unused = {dep for dep in code if not any(file == dep or file.startswith(f"{dep}/") for file in files)}
    assert not unused, f"dvc.yaml lists files that {stage} does not import"


@pytest.mark.parametrize("stage", PIPELINE)
def test_params_cover_every_section_that_the_stage_reads(stage: str) -> None:
    read: set[str] = set()
    own = (ROOT / folder_of(stage)).rglob("*.py")
    for file in own:
        for node in ast.walk(ast.parse(file.read_text())):
            # `from stages.params import nets` gives the section's `load`; `from stages.params.nets import Net` a type.
            if isinstance(node, ast.ImportFrom) and node.module == "stages.params":
                read |= {alias.name for alias in node.names}
    tracked = {"*"} if "params.yaml" in listed(stage, "params") else set()
    tracked |= {param.split(".")[0] for param in listed(stage, "params")}
    assert read <= SECTIONS
    assert "*" in tracked or read == tracked


@pytest.mark.parametrize("stage", [name for name in PIPELINE if name.startswith("train") or name == "check-models"])
def test_no_stage_that_trains_or_chooses_depends_on_the_test_labels(stage: str) -> None:
    for dep in listed(stage, "deps"):
        assert not "data/split/test/labels.npy".startswith(dep)


@pytest.mark.parametrize("stage", PIPELINE)
def test_a_stage_imports_no_other_stage(stage: str) -> None:
    others = [folder_of(other) for other in PIPELINE if other != stage]
    for file in closure(ROOT / folder_of(stage) / "__main__.py"):
        assert not any(file.is_relative_to(ROOT / other) for other in others)


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
