"""params.yaml: the default is in order, and every mistake is a sentence with line, key, value and what is allowed."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT

from stages.check_params import __main__ as check_params
from stages.check_params.structure import check_structure
from stages.shared.errors import UserError
from stages.shared.params import (
    baselines_section,
    fetch_section,
    nets_section,
    pictures_section,
    split_section,
    training_section,
)
from stages.shared.params.yaml_file import read
from tests.fixtures.mistakes import CLASSES, NET_KEYS, SECTIONS, STRUCTURE, Mistake, line_with
from tests.fixtures.small_project import prepare

Edit = Callable[..., str]

# The default file, from the section `baselines` on and from `nets` on, in few words.
HEAD = (ROOT / "params.yaml").read_text().split("\nbaselines:\n")[0] + "\n"
NO_PICTURES = "pictures:\n  weights: {}\n"
ONE_BASELINE = "baselines:\n  nb: {class: GaussianNB}\n"


def mistakes() -> list[str]:
    """Check the keys and values of params.yaml, which must be refused; return the sentences."""
    with pytest.raises(UserError) as caught:
        check_structure(read())
    return str(caught.value).splitlines()


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the stage as dvc does."""
    return subprocess.run(
        [sys.executable, "-m", "stages.check_params", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )


# What is in order


def test_the_default_file_is_in_order(workspace: Path) -> None:
    sections = check_structure(read())
    assert list(sections.baselines) == ["linear-svc", "sgd", "knn", "svc-rbf"]
    assert list(sections.nets) == ["softmax", "mlp-48", "mlp-128-64", "cnn-15x15", "deep-cnn", "fast", "best"]
    assert sections.training.seed == 42
    assert sections.pictures.weights["mlp-48"]["hidden"].range == 1.5


def test_every_section_is_read_on_its_own(workspace: Path) -> None:
    assert fetch_section.load().source == "data/mnist"
    assert (split_section.load().test, split_section.load().validation, split_section.load().random_state) == (
        0.2,
        0.1,
        42,
    )
    assert training_section.load().train_accuracy_rows == 10_000
    assert baselines_section.load_one("sgd").class_ == "SGDClassifier"
    assert baselines_section.load_one("sgd").settings == {"alpha": 1e-4, "max_iter": 5000}
    assert nets_section.load_one("cnn-15x15").layers["filters"].settings["kernel_size"] == [15, 15]
    assert pictures_section.load().weights["sgd"]["coefficients"].columns == 5


def test_a_model_that_is_not_declared_is_refused_by_name(workspace: Path) -> None:
    with pytest.raises(UserError) as caught:
        baselines_section.load_one("sgdd")
    assert str(caught.value) == "params.yaml declares no baseline 'sgdd'; it declares linear-svc, sgd, knn, svc-rbf"
    with pytest.raises(UserError) as caught:
        nets_section.load_one("sgd")
    assert str(caught.value) == (
        "params.yaml declares no net 'sgd'; it declares softmax, mlp-48, mlp-128-64, cnn-15x15, deep-cnn, fast, best"
    )


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        ("validation: 0.1", "validation: 1e-6", 1e-6),  # text, in YAML 1.1
        ("validation: 0.1", "validation: 0", 0.0),
        ("test: 0.2", "test: official", "official"),
        ("rows: null", "rows: 10", 10),
        ("class_names: null", "class_names: [no, yes, off]", ["no", "yes", "off"]),  # truth values, in YAML 1.1
        ("random_state: 42", "random_state: 4294967295", 2**32 - 1),
    ],
)
def test_values_at_the_edge_are_taken(edited_params: Edit, old: str, new: str, value: object) -> None:
    edited_params((old, new))
    key = new.split(":")[0]
    found = getattr(split_section.load(), key)
    assert found == value and type(found) is type(value)


def test_a_truth_value_with_an_anchor_is_no_number(edited_params: Edit) -> None:
    edited_params(
        ("class: LinearSVC", "class: LinearSVC\n    fit_intercept: &flag true"),
        ("class: SGDClassifier", "class: SGDClassifier\n    average: *flag"),
    )
    assert baselines_section.load_one("linear-svc").settings["fit_intercept"] is True
    assert baselines_section.load_one("sgd").settings["average"] is True


def test_models_need_not_be_of_both_kinds(workspace: Path) -> None:
    (workspace / "params.yaml").write_text(HEAD + ONE_BASELINE + "nets: {}\n" + NO_PICTURES)
    sections = check_structure(read())
    assert (list(sections.baselines), sections.nets) == (["nb"], {})


def test_an_optimiser_and_early_stopping_need_not_be_declared(edited_params: Edit) -> None:
    edited_params(
        ("    optimizer: {class: Adam}\n    epochs: 30", "    epochs: 30"),
        ("    batch_size: 512\n    early_stopping: {patience: 10}", "    batch_size: 512\n    seed: 7"),
    )
    net = nets_section.load_one("softmax")
    assert (net.optimizer.class_, net.optimizer.settings, net.early_stopping, net.seed) == ("Adam", {}, None, 7)


# Mistakes


@pytest.mark.parametrize("mistake", STRUCTURE, ids=str)
def test_a_mistake_is_a_sentence_with_line_key_value_and_what_is_allowed(edited_params: Edit, mistake: Mistake) -> None:
    text = edited_params((mistake.old, mistake.new))
    assert mistakes() == [f"params.yaml, line {mistake.line(text)}: {mistake.said}"]


def test_a_checksum_that_is_none(edited_params: Edit) -> None:
    text = edited_params(("images: 5b92", "images: 5B92"))
    (said,) = mistakes()
    assert said.startswith(f"params.yaml, line {line_with(text, '5B92')}: ")
    assert re.fullmatch(
        r"params\.yaml, line \d+: fetch\.sha256\.images: is '5B92[0-9a-f]{53}\.\.\.': must match \^\[0-9a-f\]\{64\}\$",
        said,
    )


def test_openml_as_source_needs_the_data_set(edited_params: Edit) -> None:
    text = edited_params(
        ("source: data/mnist", "source: openml"), ("  openml:\n    name: mnist_784\n", "  openml: null\n")
    )
    text = text.replace("    version: 1\n", "").replace("    train_rows: 60000", "    #")
    Path("params.yaml").write_text(text)
    line = line_with(text, "fetch:")
    assert mistakes() == [
        f"params.yaml, line {line}: fetch: 'openml' is missing: with source openml it names the data set"
    ]


def test_inputs_of_null_are_the_layer_before(edited_params: Edit) -> None:
    edited_params(("hidden1: {class: Dense", "hidden1: {inputs: null, class: Dense"))
    assert nets_section.load_one("mlp-128-64").layers["hidden1"].input_names is None


# Sections


@pytest.mark.parametrize("section", ["baselines", "nets", "pictures", "split", "training"])
def test_a_section_that_is_missing(edited_params: Edit, section: str) -> None:
    text = edited_params((f"\n{section}:\n", f"\n{section}x:\n"))
    assert mistakes() == [
        f"params.yaml, line {line_with(text, section + 'x:')}: the file: unknown section '{section}x'; "
        f"did you mean '{section}'? allowed: {SECTIONS}",
        f"params.yaml: the section '{section}' is missing",
    ]


@pytest.mark.parametrize(
    ("models", "sentences"),
    [
        (
            ONE_BASELINE + "nets: null\n",
            ["line {nets}: nets: is null: must be a mapping of name -> net ('{{}}' for none)"],
        ),
        (ONE_BASELINE + "nets: 3\n", ["line {nets}: nets: is 3: must be a mapping of name -> net ('{{}}' for none)"]),
        (
            ONE_BASELINE + "nets: [softmax]\n",
            ["line {nets}: nets: is a list: must be a mapping of name -> net ('{{}}' for none)"],
        ),
        (
            "baselines:\nnets:\n",
            [
                "line {baselines}: baselines: is null: must be a mapping of name -> classifier ('{{}}' for none)",
                "line {nets}: nets: is null: must be a mapping of name -> net ('{{}}' for none)",
            ],
        ),
        (
            ONE_BASELINE + "nets: {a: {layers: {}, epochs: 1, batch_size: 2}}\n",
            ["line {nets}: nets_section.a.layers: is a mapping: must have at least 1 item, not 0"],
        ),
        (
            ONE_BASELINE + "nets: {a: {layers: [Flatten], epochs: 1, batch_size: 2}}\n",
            ["line {nets}: nets_section.a.layers: is a list: must be a mapping of name -> layer"],
        ),
        (ONE_BASELINE + "nets: {a: null}\n", ["line {nets}: nets_section.a: is null: must be a mapping of settings"]),
    ],
)
def test_sections_of_models_that_are_no_mappings(workspace: Path, models: str, sentences: list[str]) -> None:
    text = HEAD + models + NO_PICTURES
    (workspace / "params.yaml").write_text(text)
    lines = {name: line_with(text, f"{name}:") for name in ("baselines", "nets")}
    assert mistakes() == [f"params.yaml, {sentence.format(**lines)}" for sentence in sentences]


def test_one_model_at_least_is_declared(workspace: Path) -> None:
    (workspace / "params.yaml").write_text(HEAD + "baselines: {}\nnets: {}\n" + NO_PICTURES)
    assert mistakes() == ["params.yaml: 'baselines' and 'nets' are both empty; declare one model at least"]


def test_all_mistakes_of_all_sections_are_told_at_once(edited_params: Edit) -> None:
    text = edited_params(
        ("train_rows: 60000", "train_rows: x"),
        ("validation: 0.1", "validation: 7"),
        ("rows: null", "rows: 1"),
        ("threads: 0", "threads: x"),
        ("class: SVC", "clas: SVC"),
        ("epochs: 30", "epochs: x"),
        ("coefficients: {columns: 5", "coefficients: {columns: x"),
    )
    integer = "is 'x': must be a valid integer"
    expected = [
        ("train_rows: x", f"fetch.openml.train_rows: {integer}"),
        ("rows: 1 ", "split.rows: is 1: must be greater than or equal to 10"),
        ("validation: 7", "split.validation: is 7: must be less than 1"),
        ("threads: x", f"training.threads: {integer}"),
        ("  svc-rbf:", "baselines.svc-rbf: 'class' is missing"),
        ("epochs: x", f"nets.softmax.epochs: {integer}"),
        ("{columns: x", f"pictures.weights.sgd.coefficients.columns: {integer}"),
    ]
    assert mistakes() == [f"params.yaml, line {line_with(text, marker)}: {rest}" for marker, rest in expected]


# The file


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "params.yaml must be a mapping of sections, and is null"),
        (b"# nothing\n", "params.yaml must be a mapping of sections, and is null"),
        (b"- a\n- b\n", "params.yaml must be a mapping of sections, and is a list"),
        (b"3\n", "params.yaml must be a mapping of sections, and is 3"),
        (b"a: [1\nb: 2\n", "params.yaml, line 2: not valid YAML: expected ',' or ']', but got ':'"),
        (b"a: b: c\n", "params.yaml, line 1: not valid YAML: mapping values are not allowed here"),
        (b"a:\n\tb: 1\n", "params.yaml, line 2: not valid YAML: found character '\\t' that cannot start any token"),
        (b"a: *b\n", "params.yaml, line 1: not valid YAML: found undefined alias 'b'"),
        (b"a: 1\n---\nb: 2\n", "params.yaml, line 2: not valid YAML: but found another document"),
        (b"a: 1\na: 2\n", "params.yaml, line 2: 'a' stands twice in one mapping; keep one of them"),
        (
            b"a: \xff\n",
            "params.yaml: not valid YAML: 'utf-8' codec can't decode byte 0xff in position 3: invalid start byte",
        ),
        (
            b"a: \x00\n",
            "params.yaml: not valid YAML: unacceptable character #x0000: special characters are not allowed "
            'in "<unicode string>", position 3',
        ),
    ],
)
def test_a_file_that_is_no_mapping_in_yaml(workspace: Path, content: bytes, sentence: str) -> None:
    (workspace / "params.yaml").write_bytes(content)
    assert mistakes() == [sentence]


def test_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert mistakes() == ["params.yaml is missing; bring it back with 'git checkout params.yaml'"]
    (tmp_path / "params.yaml").mkdir()
    assert mistakes() == ["params.yaml cannot be read: Is a directory"]


# The stage


def test_the_readme_shows_what_is_said(edited_params: Edit) -> None:
    shown = re.findall(r"^check-params: (.*)", (ROOT / "README.md").read_text(), re.MULTILINE)
    edited_params(("    epochs: 50", "    epoch: 50"))
    assert shown == mistakes()


def test_the_stage_leaves_the_same_file_after_every_edit(edited_params: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["check_params"])
    check_params.main()
    before = Path("data/checks/params.txt").read_bytes()
    edited_params(("epochs: 30", "epochs: 31"))
    check_params.main()
    assert Path("data/checks/params.txt").read_bytes() == before == b"params.yaml is in order\n"


def test_the_stage_asks_the_libraries_for_classes_and_settings(
    edited_params: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = [CLASSES[place] for place in (0, 8, 2, 9, 13, 22)]
    text = edited_params(*((mistake.old, mistake.new) for mistake in wrong))
    monkeypatch.setattr(sys, "argv", ["check_params"])
    with pytest.raises(UserError) as caught:
        check_params.main()
    assert str(caught.value).splitlines() == [
        f"params.yaml, line {mistake.line(text)}: {mistake.said}" for mistake in wrong
    ]
    assert not Path("data").exists()


def test_the_stage_as_a_program_ends_with_code_1_and_no_traceback(edited_params: Edit) -> None:
    text = edited_params(("epochs: 30", "epoch: 30"), ("threads: 0", "threads: -1"))
    ended = run(Path.cwd(), "--structure-only")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.splitlines() == [
        f"check-params: params.yaml, line {line_with(text, 'threads: -1')}: training_section.threads: is -1: "
        "must be greater than or equal to 0",
        f"check-params: params.yaml, line {line_with(text, 'epoch: 30')}: nets_section.softmax: unknown key 'epoch'; "
        f"did you mean 'epochs'? allowed: {NET_KEYS}",
    ]
    assert not Path("data").exists()


def test_a_mistyped_setting_that_dvc_lets_through_is_refused(tmp_path: Path) -> None:
    project = prepare(tmp_path / "project")
    ran = project.run("dvc", "exp", "run", "--name", "mistyped", "-S", "+nets_section.dense.epoch=3")
    # DVC has written it into the file, and would have trained as before.
    line = line_with(project.read("params.yaml"), "epoch: 3")
    sentence = f"nets.dense: unknown key 'epoch'; did you mean 'epochs'? allowed: {NET_KEYS}"
    assert f"check-params: params.yaml, line {line}: {sentence}\n" in ran.output
    assert ran.code != 0 and ran.stages == ["check-params"] and "Traceback" not in ran.output
    assert project.succeed("dvc", "exp", "list", "--name-only").output == ""
    assert not (project.folder / "data" / "raw").exists()


def test_the_stage_as_a_program_is_silent_where_all_is_in_order(workspace: Path) -> None:
    ended = run(workspace, "--structure-only")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert not Path("data").exists()
