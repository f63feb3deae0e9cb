"""Stage check-models: declared models against the data, and pictures of weights against the models."""

import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from stages.check_params.structure import check_structure
from stages.shared.errors import UserError
from stages.shared.models import build_classifier
from stages.shared.models.build_net import build
from stages.shared.models.training_step import not_finite_layer
from stages.shared.params import baselines_section, nets_section
from stages.shared.params.declared import Declared
from stages.shared.params.mistakes import line_numbers
from stages.shared.params.nets_section import Net
from stages.shared.params.pictures_section import WeightMap
from stages.shared.params.settings import check_section
from stages.shared.params.yaml_file import read
from stages.shared.trials import baseline_trial, try_models
from tests.fixtures.mistakes import DATA, LARGE_KERNEL, LEFT, SMALL_GRID, Mistake, message_pattern, refused
from tests.fixtures.small_project import PARAMS

NETS = check_section("nets", nets_section.Nets, read(PARAMS)).root
BASELINES = check_section("baselines", baselines_section.Baselines, read(PARAMS)).root
PICTURES = Mapping[str, Mapping[str, WeightMap]]


def check_models(
    baselines: Mapping[str, Declared], nets: Mapping[str, Net], pictures: PICTURES, *, side: int = 28, classes: int = 10
) -> None:
    """Check models against a data set like MNIST."""
    try_models.check_models(baselines, nets, pictures, rows=50_400, image_size=(side, side), classes=classes, seed=42)


def test_the_default_models_pass() -> None:
    pictures = {
        "sgd": {"coefficients": WeightMap(rows=2, columns=5)},
        "mlp-48": {"hidden": WeightMap(columns=7), "output": WeightMap(range=2.0)},
    }
    check_models(BASELINES, NETS, pictures)


def test_mistakes_of_several_models_are_reported_at_once() -> None:
    nets = {name: NETS[name] for name in ("softmax", "cnn-15x15", "deep-cnn")}
    with pytest.raises(UserError) as caught:
        check_models(BASELINES, nets, {}, side=12)
    first, second = str(caught.value).splitlines()
    place = "nets.cnn-15x15.layers.filters.kernel_size"
    assert re.fullmatch(message_pattern(place, "Conv2D", "(None, 12, 12, 1)", "15 x 15", "12 x 12"), first)
    # 12 - 5 + 1 = 8 < 9
    place = "nets.deep-cnn.layers.filters2.kernel_size"
    assert re.fullmatch(message_pattern(place, "Conv2D", "(None, 8, 8, 32)", "9 x 9", "8 x 8"), second)


@pytest.mark.parametrize("mistake", [*LEFT, *DATA], ids=str)
def test_a_mistake_that_only_libraries_or_data_show_names_the_line(
    edited_params: Callable[..., str], mistake: Mistake
) -> None:
    text = edited_params((mistake.old, mistake.new))
    content = read()
    params = check_structure(content)
    baselines, nets = (
        {key: each for key, each in kind.root.items() if key == mistake.model}
        for kind in (params.baselines, params.nets)
    )
    with pytest.raises(UserError) as caught, line_numbers(content):
        check_models(baselines, nets, params.pictures.weights)
    assert re.fullmatch(mistake.pattern(text), str(caught.value))


def test_mistakes_of_several_models_name_their_lines(edited_params: Callable[..., str]) -> None:
    mistakes = SMALL_GRID, LARGE_KERNEL
    text = edited_params(*((mistake.old, mistake.new) for mistake in mistakes))
    content = read()
    params = check_structure(content)
    declared = {"sgd": params.baselines.root["sgd"]}, {"deep-cnn": params.nets.root["deep-cnn"]}
    with pytest.raises(UserError) as caught, line_numbers(content):
        check_models(*declared, params.pictures.weights)
    for message, mistake in zip(str(caught.value).splitlines(), mistakes, strict=True):
        assert re.fullmatch(mistake.pattern(text), message)


# A training step


def net_of(*layers: dict[str, Any], **settings: Any) -> Net:
    """Declare a net of these layers, which are named a, b, c, and an output."""
    output = {"class": "Dense", "units": "classes", "activation": "softmax"}
    named = {**dict(zip("abc", layers, strict=False)), "flatten": {"class": "Flatten"}, "output": output}
    return Net.model_validate({"layers": named, "epochs": 1, "batch_size": 32, **settings})


CONV = {"class": "Conv2D", "filters": 2, "kernel_size": 3}


@pytest.mark.parametrize(
    ("layer", "place", "words"),
    [
        ({"class": "RandomShear", "x_factor": 0.1}, ".a.class", ("RandomShear", "loaded", "[0, 1.0]")),
        ({"class": "RandomColorJitter", "hue_factor": 0.1}, ".a.class", ("RandomColorJitter", "training", "3")),
        (
            CONV | {"kernel_regularizer": "orthogonal_regularizer"},
            ".a.kernel_regularizer",
            ("OrthogonalRegularizer", "Conv2D", "rank 2"),
        ),
        (
            CONV | {"kernel_constraint": {"class": "MaxNorm", "axis": 7}},
            ".a.kernel_constraint",
            ("MaxNorm", "Conv2D", "7"),
        ),
        ({"class": "Rescaling", "scale": 1 / 255}, ".a", ("Rescaling", "0-1", "0.00392")),
        ({"class": "Rescaling", "scale": 1 / 127.5, "offset": -1}, ".a", ("Rescaling", "0-1", "-1", "-0.992")),
        ({"class": "Rescaling", "scale": 255}, ".a", ("Rescaling", "0-1", "0", "255")),
        ({"class": "Normalization", "mean": 33.0, "variance": 6000.0}, ".a", ("Normalization", "0-1")),
        ({"class": "Pipeline", "layers": [{"class": "Rescaling", "scale": 1 / 255}]}, ".a", ("Pipeline", "0-1")),
        ({"class": "Discretization", "bin_boundaries": [64, 128]}, ".a", ("Discretization", "0-1", "every image")),
        ({"class": "ReLU", "threshold": 128}, ".a", ("ReLU", "0-1", "every image")),
        ({"class": "Embedding", "input_dim": 256, "output_dim": 2}, ".a", ("Embedding", "0-1", "every image")),
        ({"class": "UnitNormalization", "axis": 0}, ".a", ("UnitNormalization", "other images")),
        ({"class": "Softmax", "axis": 0}, ".a", ("Softmax", "other images")),
    ],
)
def test_a_net_that_could_not_be_trained_or_loaded(layer: dict[str, Any], place: str, words: tuple[str, ...]) -> None:
    with refused(f"nets.x.layers{place}", *words):
        check_models({}, {"x": net_of(layer)}, {})


@pytest.mark.parametrize(
    ("settings", "place", "words"),
    [
        ({"optimizer": {"class": "SGD", "learning_rate": 1e38}}, "optimizer", ("not finite", "learning rate")),
        (
            {"optimizer": {"class": "SGD", "gradient_accumulation_steps": 1576}},
            "optimizer.gradient_accumulation_steps",
            ("1576", "1575 steps"),
        ),
    ],
)
def test_an_optimiser_that_would_not_train(settings: dict[str, Any], place: str, words: tuple[str, ...]) -> None:
    with refused(f"nets.x.{place}", *words):
        check_models({}, {"x": net_of(**settings)}, {})


def test_a_net_without_trainable_weights() -> None:
    layers = {"mean": {"class": "GlobalAveragePooling2D"}, "same": {"class": "RepeatVector", "n": 10}}
    output = {"flatten": {"class": "Flatten"}, "output": {"class": "Softmax"}}
    with refused("nets.x.layers", "trained"):
        check_models({}, {"x": Net.model_validate({"layers": layers | output, "epochs": 1, "batch_size": 9})}, {})


def test_a_layer_whose_output_is_not_finite_is_named() -> None:
    model = build(
        "x", declared := net_of({"class": "Rescaling", "scale": 3e38}, {"class": "Rescaling", "scale": 9}), 8, 8, 4
    )
    images = np.ones((2, 8, 8, 1), np.float32)
    layer = not_finite_layer(model, images)
    assert layer is model.get_layer("b") and list(declared.layers)[1] == "b"
    model.get_layer("output").kernel.assign(np.full((64, 4), np.nan))
    assert not_finite_layer(model, np.zeros_like(images)) is None, "the weights may come from the learning rate"


@pytest.mark.parametrize(
    "layer",
    [{"class": "Rescaling", "scale": 2.0, "offset": -1.0}, {"class": "Normalization", "mean": 0.13, "variance": 0.1}],
)
def test_usual_scales_pass(layer: dict[str, Any]) -> None:
    check_models({}, {"x": net_of(layer)}, {})


RATE = {"class": "CosineDecay", "initial_learning_rate": 0.01, "decay_steps": "steps"}


@pytest.mark.parametrize(
    "rate",
    [
        RATE | {"decay_steps": 1000},
        RATE | {"initial_learning_rate": 0.0},
        RATE | {"initial_learning_rate": -0.1},
        {"class": "PolynomialDecay", "initial_learning_rate": 0.1, "decay_steps": "steps", "end_learning_rate": -1.0},
    ],
    ids=str,
)
def test_a_learning_rate_that_is_not_above_0_to_the_end(rate: dict[str, Any]) -> None:
    optimizer = {"class": "Adam", "learning_rate": rate}
    with refused("nets.x.optimizer.learning_rate", rate["class"], "1,417", "1,575", "'steps'"):
        check_models({}, {"x": net_of(optimizer=optimizer)}, {})


@pytest.mark.parametrize("rate", [RATE, RATE | {"warmup_target": 0.01, "warmup_steps": 100}], ids=str)
def test_a_learning_rate_that_ends_at_0(rate: dict[str, Any]) -> None:
    many = {"batch_size": 1, "epochs": 20, "optimizer": {"class": "Adam", "learning_rate": rate}}
    check_models({}, {"x": net_of(**many)}, {})


# Pictures


@pytest.mark.parametrize(
    ("model", "layer", "how", "key", "words"),
    [
        ("sgd", "coefficients", {"rows": 2, "columns": 4}, ".rows", ("2 x 4", "8", "10", "'rows'")),
        ("mlp-48", "hidden", {"rows": 6, "columns": 7}, ".rows", ("6 x 7", "42", "48", "'rows'")),
        ("mlp-48", "flatten", {}, "", ("mlp-48", "hidden", "output")),
        ("knn", "coefficients", {"range": 1.0}, "", ("knn", "none")),
        ("svc-rbf", "coefficients", {}, "", ("svc-rbf", "none")),
        # Its kernel covers 32 channels at once.
        ("deep-cnn", "filters2", {"columns": 8}, "", ("deep-cnn", "filters1")),
        # 3,136 inputs: neither the pixels nor few enough for a matrix.
        ("cnn-15x15", "output", {"range": 1.0}, "", ("cnn-15x15", "filters")),
        ("fast", "norm1", {"range": 1.0}, "", ("fast", "filters1", "output")),
        ("mlp-48", "output", {"columns": 5}, ".columns", ("matrix", "'range'")),
    ],
)
def test_pictures_that_would_not_be_drawn_as_declared(
    model: str, layer: str, how: dict[str, Any], key: str, words: tuple[str, ...]
) -> None:
    baselines, nets = ({name: each for name, each in kind.items() if name == model} for kind in (BASELINES, NETS))
    with refused(f"pictures.weights.{model}.{layer}{key}", *words):
        check_models(baselines, nets, {model: {layer: WeightMap(**how)}})


def test_a_linear_classifier_of_two_classes_has_one_map() -> None:
    one = {"sgd": {"coefficients": WeightMap(rows=1, columns=1)}}
    check_models({"sgd": BASELINES["sgd"]}, {}, one, classes=2)
    with refused("pictures.weights.sgd.coefficients.rows", "1 x 1", "3", "'rows'"):
        check_models({"sgd": BASELINES["sgd"]}, {}, one, classes=3)


# Saving


@pytest.mark.parametrize(
    ("class_name", "settings", "type_name"),
    [
        ("KNeighborsClassifier", {"algorithm": "kd_tree"}, "sklearn.neighbors._kd_tree.KDTree"),
        (
            "HistGradientBoostingClassifier",
            {"categorical_features": [0], "max_iter": 10_000},
            "functools.partial",
        ),
        (
            "BaggingClassifier",
            {"estimator": {"class": "KNeighborsClassifier", "algorithm": "ball_tree"}},
            "sklearn.neighbors._ball_tree.BallTree",
        ),
    ],
)
def test_a_classifier_that_cannot_be_saved_is_refused(
    class_name: str, settings: dict[str, Any], type_name: str
) -> None:
    declared = Declared.model_validate({"class": class_name, **settings})
    with refused("baselines.x", "saved", type_name):
        check_models({"x": declared}, {}, {})


@pytest.mark.parametrize(("settings", "fits"), [({"priors": [0.1] * 10}, False), ({"var_smoothing": 1e-9}, True)])
def test_a_classifier_that_cannot_be_fitted_to_four_classes_is_not_refused(
    settings: dict[str, Any], fits: bool
) -> None:
    model = build_classifier.build("GaussianNB", settings, 42, ("baselines", "x"))
    with nullcontext() if fits else pytest.raises(ValueError):
        baseline_trial.fitted(model, 10)
    check_models({"x": Declared.model_validate({"class": "GaussianNB", **settings})}, {}, {})


@pytest.mark.parametrize("metric", ["seuclidean", "haversine"])
def test_a_classifier_that_cannot_predict_is_refused(metric: str) -> None:
    settings = {"class": "KNeighborsClassifier", "metric": metric}
    with refused("baselines.x", "KNeighborsClassifier cannot predict with these settings"):
        check_models({"x": Declared.model_validate(settings)}, {}, {})


def test_more_neighbours_than_the_trial_has_rows_are_not_refused() -> None:
    settings = {"class": "KNeighborsClassifier", "n_neighbors": 1_000}
    check_models({"x": Declared.model_validate(settings)}, {}, {})


def test_a_trial_fit_has_few_rounds_and_does_not_change_the_classifier() -> None:
    forest = {"class": "RandomForestClassifier", "n_estimators": 100_000}
    settings = {"estimator": forest, "n_estimators": 100_000}
    model = build_classifier.build("BaggingClassifier", settings, 42, ("baselines", "x"))
    fitted = baseline_trial.fitted(model, 3)
    assert [len(each) for each in fitted.estimators_] == 2 * [baseline_trial.LARGEST["n_estimators"]]
    assert (model.n_estimators, model.estimator.n_estimators) == (100_000, 100_000)
