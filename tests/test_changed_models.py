"""check-models tries only what has changed since the last check, and imports only what that needs."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stages.check_models.earlier_check import LOCK, unchanged

from stages.shared.files.paths import CODE
from stages.shared.params.yaml_file import plain, read
from tests.fixtures.small_project import BASELINES, NETS, Project

MODELS = {*BASELINES, *NETS}


@pytest.fixture
def checked(finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Work in a copy of a project whose last check was of the present params.yaml."""
    project = finished.copy(tmp_path / "project")
    monkeypatch.chdir(project.folder)
    return project


def now_unchanged() -> set[str]:
    return unchanged(plain(read()))


def reorder(params: dict[str, Any]) -> None:
    layers = params["nets"]["dense"]["layers"]
    layers["flatten"] = layers.pop("flatten")


EDITS: dict[str, tuple[Callable[[dict[str, Any]], object], set[str]]] = {
    "nothing": (lambda params: None, set()),
    "a net": (lambda params: params["nets"]["dense"].update(epochs=4), {"dense"}),
    "a baseline": (lambda params: params["baselines"]["linear"].update(C=0.2), {"linear"}),
    "the order of layers": (reorder, {"dense"}),
    "a picture": (lambda params: params["pictures"]["weights"]["dense"]["hidden"].update(columns=2), {"dense"}),
    "another picture": (
        lambda params: params["pictures"]["weights"].update(linear={"coefficients": {"range": 1.0}}),
        {"linear"},
    ),
    "a new model": (lambda params: params["nets"].update(new=NETS["dense"]), set()),
    "a baseline that became a net": (
        lambda params: params["nets"].update(linear=NETS["dense"]) or params["baselines"].pop("linear"),
        {"linear"},
    ),
    "training": (lambda params: params["training"].update(seed=1), MODELS),
}


@pytest.mark.parametrize("edit", EDITS)
def test_models_that_are_as_in_the_last_check(checked: Project, edit: str) -> None:
    change, changed = EDITS[edit]
    checked.edit(change)
    assert now_unchanged() == MODELS - changed


def another_label() -> None:
    path = Path("data/split/train/labels.npy")
    labels = np.load(path)
    np.save(path, labels[::-1])


def other_code() -> None:
    path = CODE.path("check_models")
    path.write_text(path.read_text() + "keras 9.9\n")


def lock_without_the_stage() -> None:
    LOCK.write_text(LOCK.read_text().replace("  check-models:", "  check-model:"))


CHANGES: dict[str, Callable[[], object]] = {
    "data": another_label,
    "code or a library": other_code,
    "no hashes of the code": lambda: CODE.path("check_models").unlink(),
    "no lock": lambda: LOCK.unlink(),
    "a lock without the stage": lock_without_the_stage,
    "half a lock": lambda: LOCK.write_text(re.split("  fetch:", LOCK.read_text())[0] + "  check-models:\n   - a: ["),
    "an empty lock": lambda: LOCK.write_text(""),
}


@pytest.mark.parametrize("change", CHANGES)
def test_with_other_data_code_or_libraries_every_model_is_tried(checked: Project, change: str) -> None:
    CHANGES[change]()
    assert now_unchanged() == set()


@pytest.mark.parametrize(
    ("edit", "imported"), [("nothing", set()), ("a baseline", {"skops"}), ("a net", {"tensorflow"})]
)
def test_only_libraries_that_are_needed_are_imported(checked: Project, edit: str, imported: set[str]) -> None:
    checked.edit(EDITS[edit][0])
    program = "import sys; from stages.check_models.__main__ import main; main(); print(*sys.modules)"
    modules = set(checked.succeed(sys.executable, "-c", program).output.split())
    assert modules & {"skops", "tensorflow"} == imported


def test_trying_many_nets_prints_nothing(checked: Project) -> None:
    checked.edit(lambda params: params.update(nets={f"dense-{number}": NETS["dense"] for number in range(6)}))
    checked.edit(lambda params: params["pictures"].update(weights={}))
    assert checked.succeed(sys.executable, "-m", "stages.check_models").output == ""
