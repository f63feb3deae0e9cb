"""Studies: their declarations, the trainings that follow from them, subsets, and the stages."""

import copy
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from stages.check_params.classes import read_definitions
from stages.shared.errors import UserError
from stages.shared.files.paths import SCHEMA
from stages.shared.params.mistakes import line_numbers
from stages.shared.params.yaml_file import read
from studies import check
from studies.files import save_results
from studies.plan.checks import check_claims, check_trainings
from studies.settings import STAGES, STUDIES, Study, check_studies
from studies.train.earlier import earlier_results
from studies.train.subsets import STOPPING_EVERY, epochs_for, stopping_rows, stratified_order
from studies.trainings import Training, trainings
from tests.fixtures.small_project import BASELINES, NETS, ROOT
from tests.fixtures.studies import STUDY, UNITS

PARAMS: dict[str, Any] = {"baselines": BASELINES, "nets": NETS}


def of(**changes: Any) -> list[Training]:
    return trainings("units", Study.model_validate({**STUDY, "classroom": {"rows": 40}, **changes}), PARAMS)


def test_every_combination_is_trained_with_every_seed() -> None:
    found = of()
    assert [(each.declaration["layers"]["hidden"]["units"], each.rows, each.seed) for each in found] == [
        (units, rows, seed) for seed in (1, 2) for units in (2, 4) for rows in (20, 60)
    ]
    assert found[0].levels == {UNITS: 2, "rows": 20}
    assert NETS["dense"]["layers"]["hidden"]["units"] == 8, "params.yaml is not changed"


def test_a_level_with_a_name_changes_several_settings() -> None:
    levels = {
        "plain": {},
        "wide": {UNITS: 16, "+nets.dense.layers.hidden.use_bias": False},
        "shallow": {"~nets.dense.layers.hidden": None},
    }
    plain_, wide, shallow = (
        each.declaration
        for each in of(
            seeds=[1], grids=[{"vary": {"form": levels}}], claims=[], figure={"x": "form", "y": "test_accuracy"}
        )
    )
    assert plain_ == NETS["dense"]
    assert wide["layers"]["hidden"] == {"class": "Dense", "units": 16, "activation": "relu", "use_bias": False}
    assert [*shallow["layers"]] == ["flatten", "output"]


def test_models_as_a_factor() -> None:
    found = of(
        model=None,
        claims=[],
        seeds=[1],
        grids=[{"vary": {"model": ["linear", "dense"]}, "set": {"nets.dense.epochs": 1}}],
        figure={"x": "model", "y": "validation_accuracy"},
    )
    assert [(each.section, each.model, each.rows) for each in found] == [
        ("baselines", "linear", None),
        ("nets", "dense", None),
    ]
    assert found[0].declaration == BASELINES["linear"] and found[1].declaration["epochs"] == 1


def test_some_trainings_have_some_of_the_seeds() -> None:
    grids = [{"vary": {"rows": [20]}}, {"vary": {"rows": [60]}, "seeds": [2]}]
    assert [
        (each.rows, each.seed) for each in of(grids=grids, claims=[], figure={"x": "rows", "y": "test_accuracy"})
    ] == [
        (20, 1),
        (20, 2),
        (60, 2),
    ]


def test_the_size_for_a_classroom() -> None:
    study = Study.model_validate({**STUDY, "classroom": {"rows": 40, "seeds": 1, "levels": {UNITS: [4]}}})
    small = trainings("units", study, PARAMS, classroom=True)
    assert [(each.levels, each.rows, each.seed) for each in small] == [({UNITS: 4, "rows": 20}, 20, 1)]


def edited(change: Callable[[dict[str, Any]], object], tmp_path: Path) -> str:
    """Return the message about studies/studies.yaml with an edited study."""
    study = copy.deepcopy(STUDY)
    change(study)
    file = tmp_path / "params.yaml"
    YAML().dump({"threads": 1, "studies": {"units": study}}, file)
    content = read(file)
    with pytest.raises(UserError) as caught, line_numbers(content, STUDIES):
        for name, each in check_studies(content).studies.items():
            planned = trainings(name, each, PARAMS)
            check_trainings(name, planned, read_definitions(ROOT / SCHEMA))
            check_claims(name, each, planned)
    return str(caught.value)


def vary(levels: Any) -> Callable[[dict[str, Any]], object]:
    return lambda study: study["grids"][0].update(vary=levels)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda study: study.update(sceds=[1]), "studies.units.sceds: unknown key 'sceds'; did you mean 'seeds'?"),
        (lambda study: study.update(seeds=[1, 1]), "studies.units.seeds: a seed is listed twice"),
        (lambda study: study.update(seeds=[-1]), "studies.units.seeds.0: is -1: must be greater than or equal to 0"),
        (lambda study: study["grids"][0].update(seeds=[3]), "studies.units.grids.0.seeds: 3 is not one of the study's"),
        (vary({"rows": [0]}), "studies.units.grids.0.vary.rows.0: must be a number of rows of at least 20, or null"),
        (vary({UNITS: []}), f"studies.units.grids.0.vary.{UNITS}: must have at least one level"),
        (vary({UNITS: {"few": {}}}), f"studies.units.grids.0.vary.{UNITS}: must be a list of values, because"),
        (vary({"form": [1]}), "studies.units.grids.0.vary.form: must be a mapping: level -> settings it changes"),
        (vary({UNITS: [[1]]}), "a level that is a mapping or a list needs a name"),
        (lambda study: study.update(model=None), "studies.units.grids.0: needs the factor 'model'"),
        (
            lambda study: study["figure"].update(x="width"),
            "studies.units.figure.x: 'width' is not a factor; the factors",
        ),
        (
            lambda study: study["claims"][0].update(better={UNITS: 8}),
            f"studies.units.claims.0.better: no training has {UNITS} 8, rows 20",
        ),
        (
            lambda study: study["claims"][0].update(better={"rows": 60}, than={"rows": 20}),
            "studies.units.claims.0.better: several trainings have rows 60; name a level of each factor",
        ),
        (lambda study: study.update(model="dens"), "studies.units.model: unknown model 'dens'; did you mean 'dense'?"),
        (
            lambda study: study.update(set={"nets.dense.layers.hiden.units": 3}),
            "unknown key of 'nets.dense.layers.hiden.units': 'hiden'; did you mean 'hidden'?",
        ),
        (
            lambda study: study.update(set={"nets.dense.optimizer.beta_1": 0.8}),
            "'beta_1'; allowed: class, learning_rate; a '+' before a setting adds it",
        ),
        (
            lambda study: study.update(set={"split.test": 0.5}),
            "'split.test' is not a setting of a model, below baselines or nets",
        ),
        (
            vary({UNITS: [0], "rows": [20]}),
            f"studies.units: with {UNITS} 0, rows 20: {UNITS}: is 0: must be an integer",
        ),
        (
            lambda study: study.update(set={"nets.dense.epochs.most": 3}),
            "'nets.dense.epochs.most': the value above 'most' is 3, not a mapping",
        ),
        (
            lambda study: study.update(set={"nets.dense.layers.hidden.activation": "rely"}),
            "nets.dense.layers.hidden.activation: unknown Keras activation 'rely'",
        ),
    ],
)
def test_one_sentence_for_a_mistake(change: Callable[[dict[str, Any]], object], message: str, tmp_path: Path) -> None:
    said = edited(change, tmp_path)
    assert re.match(rf"{STUDIES}, line \d+: ", said) and message in said


def test_every_prefix_of_an_order_has_the_classes_in_proportion() -> None:
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    order = stratified_order(labels, seed=3)
    assert sorted(order) == [*range(1000)]
    for rows in (20, 50, 100, 400):
        counts = np.bincount(labels[order[:rows]], minlength=3)
        assert np.abs(counts - rows * np.array([0.6, 0.3, 0.1])).max() <= 1
    assert (stratified_order(labels, seed=3) == order).all() and (stratified_order(labels, seed=4) != order).any()


def test_rows_that_decide_early_stopping_are_rows_of_the_subset() -> None:
    order = stratified_order(np.repeat([0, 1], 500), seed=1)[:200]
    training, stopping = stopping_rows(order)
    assert len(stopping) == 200 // STOPPING_EVERY and {*training} | {*stopping} == {*order}
    assert not {*training} & {*stopping}


@pytest.mark.parametrize(
    ("rows", "epochs"),
    [
        (50_400, 30),  # as declared
        (12_600, 30),  # a quarter of the steps
        (6_300, 58),  # 13 steps per epoch, so that 58 epochs have a quarter of 2,970 steps
        (100, 743),
    ],
)
def test_few_rows_have_a_quarter_of_the_steps_of_all(rows: int, epochs: int) -> None:
    assert epochs_for(rows, 30, 512, 50_400) == epochs


# The project's own studies


def test_a_study_without_its_stage_and_a_stage_without_its_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "studies").mkdir()
    monkeypatch.chdir(tmp_path)

    def said(studies: list[str], stages: list[str]) -> str:
        YAML().dump({"threads": 1, "studies": dict.fromkeys(studies, STUDY)}, tmp_path / STUDIES)
        YAML().dump({"stages": {name: {} for name in (*stages, *STAGES)}}, tmp_path / "studies/dvc.yaml")
        with pytest.raises(UserError) as caught:
            check.main()
        return str(caught.value)

    assert "studies/dvc.yaml has no stage 'units'" in said(["units"], [])
    assert "studies/studies.yaml has no study 'depth'" in said(["units"], ["units", "depth"])


def test_every_study_has_its_stage() -> None:
    studies = YAML(typ="safe").load(ROOT / STUDIES)["studies"]
    stages = YAML(typ="safe").load(ROOT / "studies/dvc.yaml")["stages"]
    assert {*stages} == {*studies, *STAGES}
    for name in studies:
        stage = stages[name]
        assert stage["matrix"] == {"seed": f"${{studies.{name}.seeds}}"}
        assert stage["cmd"] == f"python -m studies.train {name} ${{item.seed}}"
        assert f"studies/plans/{name}.json" in stage["deps"]
        assert [*stage["outs"][0]] == [f"studies/results/{name}/${{item.seed}}.csv"]
        assert stage["meta"] == {"at_once": True}


def test_committed_results_are_those_of_the_lock() -> None:
    stages = YAML(typ="safe").load(ROOT / "studies/dvc.lock")["stages"]
    files = {out["path"]: out["md5"] for stage in stages.values() for out in stage["outs"] if "nfiles" not in out}
    assert any(path.startswith("studies/results/") for path in files)
    for path, hashed in files.items():
        content = (ROOT / path).read_bytes()
        assert hashlib.md5(content, usedforsecurity=False).hexdigest() == hashed, path


def test_rows_that_were_edited_are_trained_again(tmp_path: Path) -> None:
    facts = {"parameters": None, "epochs": 3, "train_accuracy": 0.91, "validation_accuracy": 1 / 3}
    facts |= {"test_accuracy": 0.8, "validation_loss": 0.25}
    first, second = of(seeds=[1])[:2]
    path = tmp_path / "1.csv"
    save_results(path, [first, second], ["a", "b"], {"a": facts, "b": {**facts, "epochs": None}})
    found = earlier_results(path)
    assert {*found} == {"a", "b"} and found["a"]["validation_accuracy"] == 0.333333 and found["b"]["epochs"] is None
    path.write_text(path.read_text().replace("0.91,", "0.93,", 1))
    assert {*earlier_results(path)} == {"b"}
    path.write_text("<<<<<<< merge")
    assert earlier_results(path) == {} == earlier_results(tmp_path / "none.csv")
