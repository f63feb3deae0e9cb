"""params.yaml: the default is in order, and every mistake is a sentence with line, key, value and what is allowed."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stages.check_params import __main__ as check_params
from stages.check_params.classes import check_classes, read_definitions
from stages.check_params.structure import Params, check_structure
from stages.shared.errors import UserError
from stages.shared.params import (
    baselines_section,
    fetch_section,
    nets_section,
    pictures_section,
    split_section,
    training_section,
)
from stages.shared.params.mistakes import line_numbers
from stages.shared.params.yaml_file import plain, read
from tests.fixtures.mistakes import (
    CLASSES,
    CLASSIFIERS,
    KERAS,
    LEFT,
    NET_KEYS,
    SECTIONS,
    STRUCTURE,
    Mistake,
    line_with,
    message_pattern,
)
from tests.fixtures.small_project import PARAMS, ROOT, prepare

Edit = Callable[..., str]

# Parts of a file: the default one up to the section `baselines`, and short versions of other sections.
HEAD = PARAMS.read_text().split("\nbaselines:\n")[0] + "\n"
NO_PICTURES = "pictures:\n  weights: {}\n"
ONE_BASELINE = "baselines:\n  nb: {class: GaussianNB}\n"


def messages() -> list[str]:
    """Check params.yaml, which must be refused; return the lines of the message."""
    with pytest.raises(UserError) as caught:
        check_file()
    return str(caught.value).splitlines()


def check_file() -> Params:
    """Check params.yaml, as the stage does."""
    content = read()
    with line_numbers(content):
        params = check_structure(content)
        check_classes(plain(content), read_definitions())
        return params


def assert_messages(lines: list[str], *patterns: str) -> None:
    """Assert that each line matches its pattern."""
    assert len(lines) == len(patterns), lines
    for line, pattern in zip(lines, patterns, strict=True):
        assert re.fullmatch(pattern, line), f"{line}\ndoes not match\n{pattern}"


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, with the stages."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )


# Valid files


def test_the_default_file_is_valid(workspace: Path) -> None:
    params = check_file()
    assert list(params.baselines.root) == ["linear-svc", "sgd", "knn", "svc-rbf"]
    assert list(params.nets.root) == [
        "softmax",
        "mlp-48",
        "mlp-128-64",
        "cnn-15x15",
        "deep-cnn",
        "fast",
        "augmented-cnn",
    ]
    assert params.training.seed == 42
    assert params.pictures.weights["mlp-48"]["hidden"].range == 1.5


def test_every_section_can_be_read_alone(workspace: Path) -> None:
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


def test_an_undeclared_model_is_refused(workspace: Path) -> None:
    with pytest.raises(UserError) as caught:
        baselines_section.load_one("sgdd")
    assert str(caught.value) == "params.yaml declares no baseline 'sgdd'; it declares linear-svc, sgd, knn, svc-rbf"
    with pytest.raises(UserError) as caught:
        nets_section.load_one("sgd")
    assert str(caught.value) == (
        "params.yaml declares no net 'sgd'; it declares softmax, mlp-48, mlp-128-64, cnn-15x15, deep-cnn, fast, "
        "augmented-cnn"
    )


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        ("validation: 0.1", "validation: 1e-6", 1e-6),  # a string in YAML 1.1
        ("validation: 0.1", "validation: 0", 0.0),
        ("test: 0.2", "test: official", "official"),
        ("rows: #", "rows: 10 #", 10),
        ("class_names: #", "class_names: [no, yes, off] #", ["no", "yes", "off"]),  # booleans in YAML 1.1
        ("random_state: 42", "random_state: 4294967295", 2**32 - 1),
    ],
)
def test_values_at_the_limits_are_accepted(edited_params: Edit, old: str, new: str, value: object) -> None:
    edited_params((old, new))
    key = new.split(":")[0]
    found = getattr(split_section.load(), key)
    assert found == value and type(found) is type(value)


def test_a_boolean_with_an_anchor_is_a_boolean(edited_params: Edit) -> None:
    edited_params(
        ("class: LinearSVC", "class: LinearSVC\n    fit_intercept: &flag true"),
        ("class: SGDClassifier", "class: SGDClassifier\n    average: *flag"),
    )
    assert baselines_section.load_one("linear-svc").settings["fit_intercept"] is True
    assert baselines_section.load_one("sgd").settings["average"] is True


def test_one_kind_of_models_may_be_empty(workspace: Path) -> None:
    (workspace / "params.yaml").write_text(HEAD + ONE_BASELINE + "nets: {}\n" + NO_PICTURES)
    params = check_structure(read())
    assert (list(params.baselines.root), params.nets.root) == (["nb"], {})


def test_optimiser_and_early_stopping_are_optional(edited_params: Edit) -> None:
    edited_params(
        ("    optimizer: {class: Adam}\n    epochs: 30", "    epochs: 30"),
        ("    batch_size: 512\n    early_stopping: {patience: 10}", "    batch_size: 512\n    seed: 7"),
    )
    net = nets_section.load_one("softmax")
    assert (net.optimizer.class_, net.optimizer.settings, net.early_stopping, net.seed) == ("Adam", {}, None, 7)


# Mistakes


@pytest.mark.parametrize("mistake", [*STRUCTURE, *(each for each in CLASSES if each not in LEFT)], ids=str)
def test_a_message_names_line_place_value_and_what_is_allowed(edited_params: Edit, mistake: Mistake) -> None:
    text = edited_params((mistake.old, mistake.new))
    assert_messages(messages(), mistake.pattern(text))


def test_a_malformed_checksum(edited_params: Edit) -> None:
    text = edited_params(("images: 5b92", "images: 5B92"))
    line = line_with(text, "5B92")
    assert_messages(
        messages(),
        message_pattern(
            "fetch.sha256.images",
            "'5B92582eb909c82a9bfefcd44acbe9233be3eb5b419a44cf211022ad2...'",
            "^[0-9a-f]{64}$",
            line=line,
        ),
    )


def test_openml_as_source_needs_the_data_set(edited_params: Edit) -> None:
    text = edited_params(
        ("source: data/mnist", "source: openml"),
        ("  openml:\n    name: mnist_784\n    version: 1\n    train_rows: 60000", "  openml: null"),
    )
    assert_messages(messages(), message_pattern("fetch.openml", "missing", line=line_with(text, "openml: null")))


def test_inputs_of_null_are_the_previous_layer(edited_params: Edit) -> None:
    edited_params(("hidden1: {class: Dense", "hidden1: {inputs: null, class: Dense"))
    assert nets_section.load_one("mlp-128-64").layers["hidden1"].input_names is None


# Sections


@pytest.mark.parametrize("section", ["baselines", "nets", "pictures", "split", "training"])
def test_a_misspelt_section(edited_params: Edit, section: str) -> None:
    text = edited_params((f"\n{section}:\n", f"\n{section}x:\n"))
    line = line_with(text, f"{section}x:")
    assert_messages(messages(), message_pattern(f"{section}x", f"'{section}x'", f"'{section}'", *SECTIONS, line=line))


def test_a_missing_section(workspace: Path) -> None:
    (workspace / "params.yaml").write_text(HEAD + ONE_BASELINE + NO_PICTURES)
    assert_messages(messages(), message_pattern("nets", "missing", line=1))


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        (ONE_BASELINE + "nets: null\n", [("nets", "null", "mapping", "{}")]),
        (ONE_BASELINE + "nets: 3\n", [("nets", "3", "mapping", "{}")]),
        (ONE_BASELINE + "nets: [softmax]\n", [("nets", "a list", "mapping", "{}")]),
        ("baselines:\nnets:\n", [("baselines", "null", "mapping", "{}"), ("nets", "null", "mapping", "{}")]),
        (
            ONE_BASELINE + "nets: {a: {layers: {}, epochs: 1, batch_size: 2}}\n",
            [("nets.a.layers", "a mapping", "1", "0")],
        ),
        (
            ONE_BASELINE + "nets: {a: {layers: [Flatten], epochs: 1, batch_size: 2}}\n",
            [("nets.a.layers", "a list", "mapping")],
        ),
        (ONE_BASELINE + "nets: {a: null}\n", [("nets.a", "null", "mapping")]),
        ("baselines: {}\nnets: {}\n", [("nets", "'baselines'", "'nets'", "empty")]),
    ],
)
def test_sections_that_do_not_declare_models(workspace: Path, models: str, expected: list[tuple[str, ...]]) -> None:
    text = HEAD + models + NO_PICTURES
    (workspace / "params.yaml").write_text(text)
    patterns = [
        message_pattern(place, *words, line=line_with(text, f"{place.split('.')[0]}:")) for place, *words in expected
    ]
    assert_messages(messages(), *patterns)


def test_all_mistakes_of_all_sections_are_reported_at_once(edited_params: Edit) -> None:
    text = edited_params(
        ("train_rows: 60000", "train_rows: x"),
        ("validation: 0.1", "validation: 7"),
        ("rows: #", "rows: 1 #"),
        ("threads: 0", "threads: x"),
        ("class: SVC", "clas: SVC"),
        ("epochs: 30", "epochs: x"),
        ("coefficients: {columns: 5", "coefficients: {columns: x"),
    )
    expected = [
        ("train_rows: x", "fetch.openml.train_rows", "'x'", "integer"),
        ("rows: 1 ", "split.rows", "1", "10"),
        ("validation: 7", "split.validation", "7", "1"),
        ("threads: x", "training.threads", "'x'", "integer"),
        ("  svc-rbf:", "baselines.svc-rbf.class", "missing"),
        ("epochs: x", "nets.softmax.epochs", "'x'", "integer"),
        ("{columns: x", "pictures.weights.sgd.coefficients.columns", "'x'", "integer"),
    ]
    assert_messages(
        messages(),
        *(message_pattern(place, *words, line=line_with(text, marker)) for marker, place, *words in expected),
    )


# The stage


def test_the_stage_writes_the_same_file_after_every_edit(edited_params: Edit) -> None:
    check_params.main()
    before = Path("data/checks/params.txt").read_bytes()
    edited_params(("epochs: 30", "epochs: 31"))
    check_params.main()
    assert Path("data/checks/params.txt").read_bytes() == before == b"params.yaml is in order\n"


@pytest.mark.parametrize("edit", [("epochs: 30", "epoch: 30"), ("class: LinearSVC", "class: LinearSVD")])
def test_a_mistake_removes_the_result_of_an_earlier_check(edit: tuple[str, str], edited_params: Edit) -> None:
    check_params.main()
    edited_params(edit)
    with pytest.raises(UserError):
        check_params.main()
    assert not Path("data/checks/params.txt").exists(), "a stage that is run alone would accept it"


def test_the_stage_removes_files_of_undeclared_models_after_all_checks(
    edited_params: Edit, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, undeclared = Path("models/facts/sgd.json"), [Path("models/facts/gone.json"), Path("models/nets/sgd.keras")]
    for path in (kept, *undeclared):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    edited_params(("class: LinearSVC", "class: LinearSVD"))
    with pytest.raises(UserError):
        check_params.main()
    assert all(path.exists() for path in (kept, *undeclared))

    edited_params(("class: LinearSVD", "class: LinearSVC"))
    check_params.main()
    assert kept.exists() and not any(path.exists() for path in undeclared)
    output = capsys.readouterr().out
    assert all(f"removed {path}" in output for path in undeclared)


def test_the_stage_checks_classes_and_settings(edited_params: Edit) -> None:
    wrong = [CLASSIFIERS[0], CLASSIFIERS[8], CLASSIFIERS[2], KERAS[0], KERAS[4], KERAS[13]]
    text = edited_params(*((mistake.old, mistake.new) for mistake in wrong))
    with pytest.raises(UserError) as caught:
        check_params.main()
    assert_messages(str(caught.value).splitlines(), *(mistake.pattern(text) for mistake in wrong))
    assert not Path("data").exists()


def test_the_stage_imports_no_library_that_takes_seconds(workspace: Path) -> None:
    program = "import sys; from stages.check_params.__main__ import main; main(); print(*sys.modules)"
    ended = python(workspace, "-c", program)
    assert ended.returncode == 0, ended.stderr
    assert not {"keras", "numpy", "scipy", "sklearn", "tensorflow"}.intersection(ended.stdout.split())


def test_a_schema_that_cannot_be_read(workspace: Path) -> None:
    Path("params.schema.json").write_text("{")
    ended = python(workspace, "-m", "stages.check_params")
    line = "cannot read params.schema.json; restore it with 'git checkout HEAD -- params.schema.json'"
    assert (ended.returncode, ended.stderr) == (1, f"check-params: {line}\n")


def test_the_program_ends_with_code_1_and_no_traceback(edited_params: Edit) -> None:
    text = edited_params(("epochs: 30", "epoch: 30"), ("threads: 0", "threads: -1"))
    ended = python(Path.cwd(), "-m", "stages.check_params")
    assert (ended.returncode, ended.stdout) == (1, "")
    threads = message_pattern("training.threads", "-1", "0", line=line_with(text, "threads: -1"))
    epoch = message_pattern("nets.softmax.epoch", "'epochs'", *NET_KEYS, line=line_with(text, "epoch: 30"))
    assert_messages(ended.stderr.splitlines(), f"check-params: {threads}", f"check-params: {epoch}")
    assert not Path("data").exists()


def test_a_mistyped_setting_that_dvc_accepts_is_refused(tmp_path: Path) -> None:
    project = prepare(tmp_path / "project")
    ran = project.run("dvc", "exp", "run", "--name", "mistyped", "-S", "+nets.dense.epoch=3")
    # DVC has written it into the file, and would have trained as before.
    line = line_with(project.read("params.yaml"), "epoch: 3")
    pattern = message_pattern("nets.dense.epoch", "'epoch'", "'epochs'", *NET_KEYS, line=line)
    assert re.search(f"check-params: {pattern}\n", ran.output), ran.output
    assert ran.code != 0 and ran.stages == ["hash-code", "check-params"] and "Traceback" not in ran.output
    assert project.succeed("dvc", "exp", "list", "--name-only").output == ""
    assert not (project.folder / "data" / "raw").exists()


def test_the_program_prints_nothing_for_a_valid_file(workspace: Path) -> None:
    ended = python(workspace, "-m", "stages.check_params")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert Path("data/checks/params.txt").exists()
