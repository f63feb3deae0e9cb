"""Only models that have changed are tried, a single one by its training stage, with the imports that this needs."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.shared.files.dvc_lock import LOCK
from stages.shared.files.paths import CODE
from stages.shared.params.yaml_file import plain, read
from stages.shared.trials.changed_models import changed_models
from tests.fixtures.small_project import BASELINES, NETS, Project

MODELS = {*BASELINES, *NETS}


@pytest.fixture
def checked(finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Work in a copy of a project whose last check was of the present params.yaml."""
    project = finished.copy(tmp_path / "project")
    monkeypatch.chdir(project.folder)
    return project


def left() -> str | None:
    return changed_models(plain(read())).left


def tried() -> set[str]:
    changed = changed_models(plain(read()))
    return changed.names - {changed.left}


def reorder(params: dict[str, Any]) -> None:
    layers = params["nets"]["dense"]["layers"]
    layers["flatten"] = layers.pop("flatten")


EDITS: dict[str, tuple[Callable[[dict[str, Any]], object], set[str]]] = {
    "nothing": (lambda params: None, set()),
    "a net": (lambda params: params["nets"]["dense"].update(epochs=4), {"dense"}),
    "a baseline": (lambda params: params["baselines"]["linear"].update(C=0.2), {"linear"}),
    "the order of layers": (reorder, {"dense"}),
    "a picture": (lambda params: params["pictures"]["weights"]["dense"]["hidden"].update(columns=2), {"dense"}),
    "a picture of a baseline": (
        lambda params: params["pictures"]["weights"].update(linear={"coefficients": {"range": 1.0}}),
        {"linear"},
    ),
    "a new model": (lambda params: params["nets"].update(new=NETS["dense"]), {"new"}),
    "a baseline that became a net": (
        lambda params: params["nets"].update(linear=NETS["dense"]) or params["baselines"].pop("linear"),
        {"linear"},
    ),
    "training": (lambda params: params["training"].update(seed=1), MODELS),
}


@pytest.mark.parametrize("edit", EDITS)
def test_models_that_have_changed_are_tried(checked: Project, edit: str) -> None:
    change, changed = EDITS[edit]
    checked.edit(change)
    single = changed if len(changed) == 1 and "picture" not in edit else set()
    assert (tried(), left()) == (changed - single, next(iter(single), None))


def test_one_model_with_another_picture_of_another_is_tried_before_any_is_trained(checked: Project) -> None:
    for edit in ("a net", "a picture of a baseline"):
        checked.edit(EDITS[edit][0])
    assert (tried(), left()) == ({"dense", "linear"}, None)


def test_a_model_that_was_checked_but_not_trained_is_tried_again(checked: Project) -> None:
    checked.edit(EDITS["a net"][0])
    checked.succeed("dvc", "repro", "check-models")
    assert (tried(), left()) == (set(), "dense")
    checked.edit(EDITS["a baseline"][0])
    assert (tried(), left()) == ({"dense", "linear"}, None)


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
    assert tried() == MODELS


@pytest.mark.parametrize(
    ("edits", "imported"),
    [
        (["a net"], set()),
        (["a picture of a baseline"], {"skops"}),
        (["a picture"], {"tensorflow"}),
        (["a net", "a baseline"], {"skops", "tensorflow"}),
    ],
)
def test_only_libraries_that_are_needed_are_imported(checked: Project, edits: list[str], imported: set[str]) -> None:
    for edit in edits:
        checked.edit(EDITS[edit][0])
    program = "import sys; from stages.check_models.__main__ import main; main(); print(*sys.modules)"
    modules = set(checked.succeed(sys.executable, "-c", program).output.split())
    assert modules & {"skops", "tensorflow"} == imported


def test_trying_many_nets_prints_nothing(checked: Project) -> None:
    checked.edit(lambda params: params.update(nets={f"dense-{number}": NETS["dense"] for number in range(6)}))
    checked.edit(lambda params: params["pictures"].update(weights={}))
    assert checked.succeed(sys.executable, "-m", "stages.check_models").output == ""
