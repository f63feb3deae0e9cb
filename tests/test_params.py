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
from stages.console import UserError
from stages.params import baselines, fetch, nets, pictures, split, training
from stages.params.reading import read

Edit = Callable[..., str]

# The default file, from the section `baselines` on and from `nets` on, in few words.
HEAD = (ROOT / "params.yaml").read_text().split("\nbaselines:\n")[0] + "\n"
NO_PICTURES = "pictures:\n  weights: {}\n"
ONE_BASELINE = "baselines:\n  nb: {class: GaussianNB}\n"

NAMES = "write letters, digits, hyphens and underscores, at least one of them no digit, and no hyphen in front"
NET_KEYS = "batch_size, early_stopping, epochs, layers, optimizer, precision, seed, threads"
SECTIONS = "baselines, fetch, nets, pictures, split, training"


def mistakes() -> list[str]:
    """Check the keys and values of params.yaml, which must be refused; return the sentences."""
    with pytest.raises(UserError) as caught:
        check_structure(read())
    return str(caught.value).splitlines()


def line_with(text: str, marker: str) -> int:
    """Return the number of the first line that holds the marker."""
    return next(number for number, line in enumerate(text.splitlines(), start=1) if marker in line)


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
    assert fetch.load().source == "data/mnist"
    assert (split.load().test, split.load().validation, split.load().random_state) == (0.2, 0.1, 42)
    assert training.load().train_accuracy_rows == 10_000
    assert baselines.load_one("sgd").class_ == "SGDClassifier"
    assert baselines.load_one("sgd").settings == {"alpha": 1e-4, "max_iter": 5000}
    assert nets.load_one("cnn-15x15").layers["filters"].settings["kernel_size"] == [15, 15]
    assert pictures.load().weights["sgd"]["coefficients"].columns == 5


def test_a_model_that_is_not_declared_is_refused_by_name(workspace: Path) -> None:
    with pytest.raises(UserError) as caught:
        baselines.load_one("sgdd")
    assert str(caught.value) == "params.yaml declares no baseline 'sgdd'; it declares linear-svc, sgd, knn, svc-rbf"
    with pytest.raises(UserError) as caught:
        nets.load_one("sgd")
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
    found = getattr(split.load(), key)
    assert found == value and type(found) is type(value)


def test_a_truth_value_with_an_anchor_is_no_number(edited_params: Edit) -> None:
    edited_params(
        ("class: LinearSVC", "class: LinearSVC\n    fit_intercept: &flag true"),
        ("class: SGDClassifier", "class: SGDClassifier\n    average: *flag"),
    )
    assert baselines.load_one("linear-svc").settings["fit_intercept"] is True
    assert baselines.load_one("sgd").settings["average"] is True


def test_models_need_not_be_of_both_kinds(workspace: Path) -> None:
    (workspace / "params.yaml").write_text(HEAD + ONE_BASELINE + "nets: {}\n" + NO_PICTURES)
    sections = check_structure(read())
    assert (list(sections.baselines), sections.nets) == (["nb"], {})


def test_an_optimiser_and_early_stopping_need_not_be_declared(edited_params: Edit) -> None:
    edited_params(
        ("    optimizer: {class: Adam}\n    epochs: 30", "    epochs: 30"),
        ("    batch_size: 512\n    early_stopping: {patience: 10}", "    batch_size: 512\n    seed: 7"),
    )
    net = nets.load_one("softmax")
    assert (net.optimizer.class_, net.optimizer.settings, net.early_stopping, net.seed) == ("Adam", {}, None, 7)


# One value


INTEGERS = [
    ('"3"', "is '3'"),
    ("3.5", "is 3.5"),
    ("3.0", "is 3.0"),
    ("off", "is 'off'"),
    ("true", "is true"),
    ("null", "is null"),
    ("", "is null"),
    ("[3]", "is a list"),
    ("{a: 3}", "is a mapping"),
    (".nan", "is not a number (.nan)"),
    (".inf", "is inf"),
    ("2026-01-01", "is '2026-01-01'"),
]


@pytest.mark.parametrize(("written", "said"), INTEGERS)
def test_a_value_of_another_type_than_an_integer(edited_params: Edit, written: str, said: str) -> None:
    text = edited_params(("epochs: 30", f"epochs: {written}"))
    line = line_with(text, "batch_size: 512") - 1
    assert mistakes() == [f"params.yaml, line {line}: nets.softmax.epochs: {said}: must be a valid integer"]


SHARES = "must be a share above 0 and below 1, or 'official'"
VALUES = [
    # edit, the line's marker, sentence
    ("epochs: 30", "epochs: 0", "nets.softmax.epochs: is 0: must be greater than or equal to 1"),
    ("epochs: 30", "epochs: 30\n    threads: -1", "nets.softmax.threads: is -1: must be greater than or equal to 0"),
    (
        "epochs: 30",
        "epochs: 30\n    precision: float16",
        "nets.softmax.precision: is 'float16': must be 'float32' or 'mixed_bfloat16'",
    ),
    ("epochs: 30", "epochs: -1", "nets.softmax.epochs: is -1: must be greater than or equal to 1"),
    ("batch_size: 512", "batch_size: 0", "nets.softmax.batch_size: is 0: must be greater than or equal to 1"),
    (
        "batch_size: 512",
        "batch_size: 512\n    seed: -1",
        "nets.softmax.seed: is -1: must be greater than or equal to 0",
    ),
    ("test: 0.2", "test: 1", f"split.test: is 1: {SHARES}"),
    ("test: 0.2", "test: 1.0", f"split.test: is 1.0: {SHARES}"),
    ("test: 0.2", "test: 0.0", f"split.test: is 0.0: {SHARES}"),
    ("test: 0.2", "test: oficial", f"split.test: is 'oficial': {SHARES}"),
    ("test: 0.2", "test: .nan", f"split.test: is not a number (.nan): {SHARES}"),
    ("test: 0.2", "test: null", f"split.test: is null: {SHARES}"),
    ("validation: 0.1", "validation: 1.0", "split.validation: is 1.0: must be less than 1"),
    ("validation: 0.1", "validation: -0.1", "split.validation: is -0.1: must be greater than or equal to 0"),
    ("validation: 0.1", "validation: '0.1'", "split.validation: is '0.1': must be a valid number"),
    ("validation: 0.1", "validation: .nan", "split.validation: is not a number (.nan): must be a finite number"),
    ("rows: null", "rows: 9", "split.rows: is 9: must be greater than or equal to 10"),
    ("random_state: 42", "random_state: 4294967296", "split.random_state: is 4294967296: must be less than 4294967296"),
    ("class_names: null", "class_names: [a]", "split.class_names: is a list: must have at least 2 items, not 1"),
    ("class_names: null", "class_names: [a, 1]", "split.class_names.1: is 1: must be a valid string"),
    ("class_names: null", "class_names: a", "split.class_names: is 'a': must be a valid list"),
    ("seed: 42", "seed: -1", "training.seed: is -1: must be greater than or equal to 0"),
    ("threads: 0", "threads: -1", "training.threads: is -1: must be greater than or equal to 0"),
    (
        "train_accuracy_rows: 10000",
        "train_accuracy_rows: 0",
        "training.train_accuracy_rows: is 0: must be greater than or equal to 1",
    ),
    ("source: data/mnist", "source: ''", "fetch.source: is '': must have at least 1 character"),
    ("version: 1", "version: 0", "fetch.openml.version: is 0: must be greater than or equal to 1"),
    (
        "early_stopping: {patience: 10}",
        "early_stopping: {patience: 0}",
        "nets.softmax.early_stopping.patience: is 0: must be greater than or equal to 1",
    ),
    (
        "early_stopping: {patience: 10}",
        "early_stopping: 5",
        "nets.softmax.early_stopping: is 5: must be a mapping of settings",
    ),
    ("optimizer: {class: Adam}", "optimizer: adam", "nets.softmax.optimizer: is 'adam': must be a mapping of settings"),
    (
        "hidden1: {class: Dense, units: 128, activation: sigmoid}",
        "hidden1: Dense",
        "nets.mlp-128-64.layers.hidden1: is 'Dense': must be a mapping of settings",
    ),
    (
        "hidden1: {class: Dense",
        "hidden1: {class: 3",
        "nets.mlp-128-64.layers.hidden1.class: is 3: must be a valid string",
    ),
    (
        "hidden: {columns: 8",
        "hidden: {rows: 101, columns: 8",
        "pictures.weights.mlp-48.hidden.rows: is 101: must be less than or equal to 100",
    ),
    (
        "columns: 8, range: 1.5",
        "columns: 8, range: 0",
        "pictures.weights.mlp-48.hidden.range: is 0: must be greater than 0",
    ),
]


@pytest.mark.parametrize(("old", "new", "sentence"), VALUES, ids=[new.splitlines()[-1].strip() for _, new, _ in VALUES])
def test_a_value_that_is_not_allowed(edited_params: Edit, old: str, new: str, sentence: str) -> None:
    text = edited_params((old, new))
    assert mistakes() == [f"params.yaml, line {line_with(text, new.splitlines()[-1])}: {sentence}"]


def test_a_checksum_that_is_none(edited_params: Edit) -> None:
    text = edited_params(("images: 5b92", "images: 5B92"))
    (said,) = mistakes()
    assert said.startswith(f"params.yaml, line {line_with(text, '5B92')}: ")
    assert re.fullmatch(
        r"params\.yaml, line \d+: fetch\.sha256\.images: is '5B92[0-9a-f]{53}\.\.\.': must match \^\[0-9a-f\]\{64\}\$",
        said,
    )


# Keys


KEYS = [
    (
        ("epochs: 30", "epoch: 30"),
        "epoch: 30",
        f"nets.softmax: unknown key 'epoch'; did you mean 'epochs'? allowed: {NET_KEYS}",
    ),
    (
        ("epochs: 30", "epochs: 30\n    dropout: 0.5"),
        "dropout",
        f"nets.softmax: unknown key 'dropout'; allowed: {NET_KEYS}",
    ),
    (
        ("{patience: 10}", "{patiense: 5}"),
        "patiense",
        "nets.softmax.early_stopping: unknown key 'patiense'; did you mean 'patience'? allowed: patience",
    ),
    (
        ("threads: 0", "threads: 0\n  1: 2"),
        "  1: 2",
        "training: unknown key '1'; allowed: seed, threads, train_accuracy_rows",
    ),
    (
        ("name: mnist_784\n", "nam: mnist_784\n"),
        "nam: mnist_784",
        "fetch.openml: unknown key 'nam'; did you mean 'name'? allowed: data_id, name, server, train_rows, version",
    ),
    (
        ("hidden: {columns: 8", "hidden: {colums: 8"),
        "colums",
        "pictures.weights.mlp-48.hidden: unknown key 'colums'; did you mean 'columns'? allowed: columns, range, rows",
    ),
    (
        ("hidden: {columns: 8", "hidden: {rows: 6"),
        "{rows: 6,",
        "pictures.weights.mlp-48.hidden: 'rows' goes with 'columns': give both, 'columns' alone or neither",
    ),
    (("    epochs: 30\n", ""), "  softmax:", "nets.softmax: 'epochs' is missing"),
    (("{class: Flatten}", "{}"), "flatten: {}", "nets.softmax.layers.flatten: 'class' is missing"),
    (("class: LinearSVC", "clas: LinearSVC"), "  linear-svc:", "baselines.linear-svc: 'class' is missing"),
    (
        ("hidden1: {class: Dense", "hidden1: {4: 5, class: Dense"),
        "4: 5",
        "nets.mlp-128-64.layers.hidden1: the key 4 is no text; keys must be text",
    ),
    (
        ("    mlp-48:\n      hidden:", "    48:\n      hidden:"),
        "    48:",
        "pictures.weights: the key 48 is no text; keys must be text",
    ),
]


@pytest.mark.parametrize(("edit", "marker", "sentence"), KEYS)
def test_a_key_that_is_wrong_or_missing(edited_params: Edit, edit: tuple[str, str], marker: str, sentence: str) -> None:
    text = edited_params(edit)
    assert mistakes() == [f"params.yaml, line {line_with(text, marker)}: {sentence}"]


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (
            ("    version: 1\n", ""),
            "'version' is missing beside 'name'; without it a later upload would change the data",
        ),
        (
            ("    version: 1\n", "    version: 1\n    data_id: 554\n"),
            "name one data set: either 'name' with 'version', or 'data_id'",
        ),
        (
            ("    name: mnist_784\n    version: 1\n", ""),
            "name one data set: either 'name' with 'version', or 'data_id'",
        ),
    ],
)
def test_a_data_set_of_openml_is_named_in_one_way(edited_params: Edit, edit: tuple[str, str], sentence: str) -> None:
    text = edited_params(edit)
    assert mistakes() == [f"params.yaml, line {line_with(text, '  openml:')}: fetch.openml: {sentence}"]


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


# Names


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("sg.d", "'sg.d'"),  # a dot divides the keys of a path in dvc
        ("my sgd", "'my sgd'"),
        ("a/b", "'a/b'"),
        ("é", "'é'"),
        ("''", "''"),
        ("3", "3"),  # dvc loses it without a word
        ("'3'", "'3'"),
        ("1.5", "1.5"),
        ("true", "true"),
        ("null", "null"),
        ("'-x'", "'-x'"),  # an option, on a command line
    ],
)
def test_names_that_dvc_or_a_file_name_cannot_carry(edited_params: Edit, written: str, said: str) -> None:
    text = edited_params(("  sgd:", f"  {written}:"))
    line = line_with(text, f"  {written}:")
    assert mistakes() == [f"params.yaml, line {line}: baselines: the name {said} of a baseline cannot be used; {NAMES}"]


def test_names_of_nets_and_layers_are_checked_too(edited_params: Edit) -> None:
    text = edited_params(("  softmax:", "  soft.max:"))
    line = line_with(text, "soft.max:")
    assert mistakes() == [f"params.yaml, line {line}: nets: the name 'soft.max' of a net cannot be used; {NAMES}"]
    text = edited_params(("  soft.max:", "  softmax:"), ("hidden1: {", "1: {"))
    line = line_with(text, "1: {class: Dense, units: 128")
    assert mistakes() == [
        f"params.yaml, line {line}: nets.mlp-128-64.layers: the name 1 of a layer cannot be used; {NAMES}"
    ]


def test_a_layer_cannot_take_the_name_of_the_input(edited_params: Edit) -> None:
    text = edited_params(("hidden1: {", "image: {"))
    line = line_with(text, "image: {")
    assert mistakes() == [
        f"params.yaml, line {line}: nets.mlp-128-64.layers: no layer can be named 'image': that is the input's name"
    ]


def test_a_net_and_a_baseline_cannot_share_a_name(edited_params: Edit) -> None:
    text = edited_params(("  softmax:", "  knn:"))
    line = 1 + text[: text.index("  knn:\n    layers")].count("\n")
    assert mistakes() == [f"params.yaml, line {line}: nets.knn: a baseline has this name too; each model needs its own"]


# Inputs of layers


@pytest.mark.parametrize(
    ("inputs", "place", "sentence"),
    [
        ("flaten", "", "takes its input from 'flaten', which is no earlier layer; earlier are image, flatten"),
        (
            "[flatten, hidden2]",
            "",
            "takes its input from 'hidden2', which is no earlier layer; earlier are image, flatten",
        ),
        ("hidden1", "", "takes its input from 'hidden1', which is no earlier layer; earlier are image, flatten"),
        ("[]", "", "the list of inputs is empty; leave it out for the layer before"),
        ("3", ".inputs", "is 3: must be the name of a layer or a list of names"),
        ("[flatten, 3]", ".inputs", "is a list: must be the name of a layer or a list of names"),
        ("{a: b}", ".inputs", "must be the name of a layer or a list of names"),
    ],
)
def test_inputs_that_no_layer_gives(edited_params: Edit, inputs: str, place: str, sentence: str) -> None:
    text = edited_params(("hidden1: {class: Dense", f"hidden1: {{class: Dense, inputs: {inputs}"))
    line = line_with(text, "inputs: " + inputs)
    assert mistakes() == [f"params.yaml, line {line}: nets.mlp-128-64.layers.hidden1{place}: {sentence}"]


def test_inputs_of_null_are_the_layer_before(edited_params: Edit) -> None:
    edited_params(("hidden1: {class: Dense", "hidden1: {inputs: null, class: Dense"))
    assert nets.load_one("mlp-128-64").layers["hidden1"].input_names is None


# Sections


@pytest.mark.parametrize("section", ["baselines", "nets", "pictures", "split", "training"])
def test_a_section_that_is_missing(edited_params: Edit, section: str) -> None:
    text = edited_params((f"\n{section}:\n", f"\n{section}x:\n"))
    assert mistakes() == [
        f"params.yaml, line {line_with(text, section + 'x:')}: the file: unknown section '{section}x'; "
        f"did you mean '{section}'? allowed: {SECTIONS}",
        f"params.yaml: the section '{section}' is missing",
    ]


def test_an_unknown_section(edited_params: Edit) -> None:
    text = edited_params(("\nsplit:\n", "\n7: 1\n\nsplit:\n"))
    assert mistakes() == [
        f"params.yaml, line {line_with(text, '7: 1')}: the file: unknown section '7'; allowed: {SECTIONS}"
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
            ["line {nets}: nets.a.layers: is a mapping: must have at least 1 item, not 0"],
        ),
        (
            ONE_BASELINE + "nets: {a: {layers: [Flatten], epochs: 1, batch_size: 2}}\n",
            ["line {nets}: nets.a.layers: is a list: must be a mapping of name -> layer"],
        ),
        (ONE_BASELINE + "nets: {a: null}\n", ["line {nets}: nets.a: is null: must be a mapping of settings"]),
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


MODELS = "best, cnn-15x15, deep-cnn, fast, knn, linear-svc, mlp-128-64, mlp-48, sgd, softmax, svc-rbf"


@pytest.mark.parametrize(
    ("edit", "marker", "sentence"),
    [
        (
            ("    sgd:\n      coefficients", "    sgdd:\n      coefficients"),
            "sgdd:",
            f"pictures.weights: unknown model 'sgdd'; did you mean 'sgd'? allowed: {MODELS}",
        ),
        (
            ("coefficients: {", "kernel: {"),
            "kernel: {",
            "pictures.weights.sgd: unknown layer 'kernel'; allowed: coefficients",
        ),
        (
            ("hidden: {columns", "hiden: {columns"),
            "hiden:",
            "pictures.weights.mlp-48: unknown layer 'hiden'; did you mean 'hidden'? allowed: flatten, hidden, output",
        ),
    ],
)
def test_pictures_of_a_model_or_layer_that_there_is_not(
    edited_params: Edit, edit: tuple[str, str], marker: str, sentence: str
) -> None:
    text = edited_params(edit)
    assert mistakes() == [f"params.yaml, line {line_with(text, marker)}: {sentence}"]


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


def test_a_key_that_stands_twice(edited_params: Edit) -> None:
    text = edited_params(("epochs: 30", "epochs: 30\n    epochs: 31"))
    line = line_with(text, "epochs: 31")
    assert mistakes() == [f"params.yaml, line {line}: 'epochs' stands twice in one mapping; keep one of them"]


def test_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert mistakes() == ["params.yaml is missing; bring it back with 'git checkout params.yaml'"]
    (tmp_path / "params.yaml").mkdir()
    assert mistakes() == ["params.yaml cannot be read: Is a directory"]


# The stage


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
    text = edited_params(
        ("class: LinearSVC", "class: LinearSVD"),
        ("n_neighbors: 10", "n_neighbours: 10"),
        ("class: SGDClassifier", "class: SGDClassifier\n    n_jobs: 2"),
        ("optimizer: {class: Adam}", "optimizer: {class: Adm}"),
        ("{class: Flatten}", "{class: Flaten}"),
        ("filters1: {class: Conv2D, filters: 32", "filters1: {class: Conv2D, filters: -32"),
    )
    monkeypatch.setattr(sys, "argv", ["check_params"])
    with pytest.raises(UserError) as caught:
        check_params.main()
    said = str(caught.value).splitlines()
    expected = [
        ("LinearSVD", "baselines.linear-svc.class: unknown scikit-learn classifier 'LinearSVD'; "
        "did you mean 'LinearSVC'?",
        "params.yaml: baselines.sgd.n_jobs: leave it out; training.threads sets how many cores are used",
        "params.yaml: baselines.knn: unknown setting of KNeighborsClassifier: 'n_neighbours'; "
        "did you mean 'n_neighbors'? allowed: algorithm, leaf_size, metric, metric_params, n_jobs, n_neighbors, p, "
        "weights",
        "params.yaml: nets.softmax.optimizer.class: unknown Keras optimiser 'Adm'; did you mean 'Adam'?",
        "params.yaml: nets.softmax.layers.flatten.class: unknown Keras layer 'Flaten'; did you mean 'Flatten'?",
        "params.yaml: nets.deep-cnn.layers.filters1: Conv2D refuses its settings: Invalid value for argument "
        "`filters`. Expected a strictly positive value. Received filters=-32.",
    ]
    assert not Path("data").exists()


def test_the_stage_as_a_program_ends_with_code_1_and_no_traceback(edited_params: Edit) -> None:
    text = edited_params(("epochs: 30", "epoch: 30"), ("threads: 0", "threads: -1"))
    ended = run(Path.cwd(), "--structure-only")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.splitlines() == [
        f"check-params: params.yaml, line {line_with(text, 'threads: -1')}: training.threads: is -1: "
        "must be greater than or equal to 0",
        f"check-params: params.yaml, line {line_with(text, 'epoch: 30')}: nets.softmax: unknown key 'epoch'; "
        f"did you mean 'epochs'? allowed: {NET_KEYS}",
    ]
    assert not Path("data").exists()


def test_the_stage_as_a_program_is_silent_where_all_is_in_order(workspace: Path) -> None:
    ended = run(workspace, "--structure-only")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert not Path("data").exists()
