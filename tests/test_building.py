"""Building declared models: the notebook's five nets, layers and optimisers of Keras, classifiers of scikit-learn."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import pytest
from sklearn.base import ClassifierMixin
from sklearn.utils import all_estimators

from stages.check_params.classes import check_classes, read_definitions
from stages.shared.errors import UserError
from stages.shared.files.paths import SCHEMA
from stages.shared.models import build_classifier
from stages.shared.models.build_net import build, make_layer, make_optimizer
from stages.shared.models.classifier_packages import settings_of
from stages.shared.models.fourier_conv2d import plain
from stages.shared.models.keras_objects import classes_of
from stages.shared.models.keras_objects import settings_of as setting_names
from stages.shared.params import nets_section
from stages.shared.params.declared import Declared
from stages.shared.params.nets_section import Layer, Net
from stages.shared.params.settings import check_section
from stages.shared.params.yaml_file import Place, read
from stages.shared.trials.net_trial import check_probabilities, check_step
from tests.fixtures.mistakes import REGULARIZERS, refused
from tests.fixtures.small_project import PARAMS, ROOT

DEFAULT = check_section("nets", nets_section.Nets, read(PARAMS)).root
DEFINITIONS = read_definitions(ROOT / SCHEMA)

FLATTEN = {"class": "Flatten"}
SOFTMAX = {"class": "Dense", "units": "classes", "activation": "softmax"}
WHERE: Place = ("nets", "x")
NET = "nets.x"


def net(optimizer: Mapping[str, Any] | None = None, **layers: Mapping[str, Any]) -> Net:
    """Declare a net."""
    training = {"epochs": 1, "batch_size": 8, **({"optimizer": optimizer} if optimizer else {})}
    return Net.model_validate({"layers": layers, **training})


def built(size: int = 8, classes: int = 3, **layers: Mapping[str, Any]) -> keras.Model:
    """Build the net of these layers, named x."""
    model = build("x", net(**layers), size, size, classes)
    check_probabilities(model, WHERE)
    return model


def optimizer(**declared: Any) -> keras.optimizers.Optimizer:
    """Check and make an optimiser, as check-params and check-models do."""
    check_classes({"baselines": {}, "nets": {"x": {"layers": {}, "optimizer": declared}}}, DEFINITIONS)
    return make_optimizer(Declared.model_validate(declared), 100, (*WHERE, "optimizer"))


# The notebook's nets

PARAMETERS = {"softmax": 7_850, "mlp-48": 38_170, "mlp-128-64": 109_386, "cnn-15x15": 45_834, "deep-cnn": 233_034}
TRAINING = {
    "softmax": (30, 512, 10),
    "mlp-48": (50, 256, 10),
    "mlp-128-64": (42, 256, 10),
    "cnn-15x15": (20, 256, 5),
    "deep-cnn": (20, 256, 5),
}
# (layer, class, output shape, activation) of all layers with weights
UNITS = {
    "softmax": [("output", "Dense", (10,), "softmax")],
    "mlp-48": [("hidden", "Dense", (48,), "sigmoid"), ("output", "Dense", (10,), "softmax")],
    "mlp-128-64": [
        ("hidden1", "Dense", (128,), "sigmoid"),
        ("hidden2", "Dense", (64,), "sigmoid"),
        ("output", "Dense", (10,), "softmax"),
    ],
    "cnn-15x15": [("filters", "Conv2D", (14, 14, 64), "relu"), ("output", "Dense", (10,), "softmax")],
    "deep-cnn": [
        ("filters1", "Conv2D", (24, 24, 32), "relu"),
        ("filters2", "Conv2D", (16, 16, 64), "relu"),
        ("hidden", "Dense", (64,), "sigmoid"),
        ("output", "Dense", (10,), "softmax"),
    ],
}


@pytest.fixture(scope="module")
def notebook() -> dict[str, keras.Model]:
    """The notebook's nets, of the default params.yaml for MNIST."""
    return {name: build(name, DEFAULT[name], 28, 28, 10) for name in PARAMETERS}


def test_the_default_nets_are_the_notebooks_five_and_two_more() -> None:
    assert list(DEFAULT) == [*PARAMETERS, "fast", "augmented-cnn"]


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_of_the_notebooks_nets(notebook: dict[str, keras.Model], name: str) -> None:
    model = notebook[name]
    assert model.count_params() == PARAMETERS[name]
    assert (model.name, model.input_shape, model.output_shape) == (name, (None, 28, 28, 1), (None, 10))


@pytest.mark.parametrize("name", PARAMETERS)
def test_layers_of_the_notebooks_nets(notebook: dict[str, keras.Model], name: str) -> None:
    # As saved; in training, one of them is a FourierConv2D.
    layers = [layer for layer in plain(notebook[name]).layers if layer.weights]
    found = [
        (layer.name, type(layer).__name__, tuple(layer.output.shape[1:]), layer.activation.__name__) for layer in layers
    ]
    assert found == UNITS[name]
    assert all(layer.use_bias for layer in layers)


@pytest.mark.parametrize("name", TRAINING)
def test_training_of_the_notebooks_nets(name: str) -> None:
    declared = DEFAULT[name]
    assert declared.early_stopping is not None
    assert (declared.epochs, declared.batch_size, declared.early_stopping.patience) == TRAINING[name]
    made = make_optimizer(declared.optimizer, 100, WHERE)
    assert type(made) is keras.optimizers.Adam
    assert {**made.get_config(), "name": ""} == {**keras.optimizers.Adam().get_config(), "name": ""}


def test_a_schedule_can_use_the_number_of_training_steps() -> None:
    schedule = {"class": "CosineDecay", "initial_learning_rate": 0.5, "decay_steps": "steps"}
    made = optimizer(**{"class": "SGD"}, learning_rate=schedule)
    assert made.get_config()["learning_rate"]["config"]["decay_steps"] == 100
    kept = make_optimizer(Declared.model_validate({"class": "SGD", "learning_rate": schedule}), 7, WHERE)
    assert kept.get_config()["learning_rate"]["config"]["decay_steps"] == 7


def with_precision(precision: str, **layers: Mapping[str, Any]) -> keras.Model:
    declared = Net.model_validate({"layers": layers, "epochs": 1, "batch_size": 8, "precision": precision})
    model = build("x", declared, 12, 12, 3)
    check_probabilities(model, WHERE)
    return model


def test_all_layers_but_the_last_compute_in_the_declared_precision() -> None:
    layers = {"filters": {"class": "Conv2D", "filters": 4, "kernel_size": 5}, "flatten": FLATTEN, "output": SOFTMAX}
    mixed = with_precision("mixed_bfloat16", **layers)
    computed = {layer.name: layer.compute_dtype for layer in mixed.layers[1:]}
    assert computed == {"filters": "bfloat16", "flatten": "bfloat16", "output": "float32"}
    assert {weight.dtype for weight in mixed.weights} == {"float32"}
    assert {layer.compute_dtype for layer in built(12, **layers).layers} == {"float32"}


def test_a_layer_can_declare_its_own_precision() -> None:
    filters = {"class": "Conv2D", "filters": 4, "kernel_size": 5, "dtype": "float32"}
    mixed = with_precision("mixed_bfloat16", filters=filters, flatten=FLATTEN, output=SOFTMAX)
    assert [layer.compute_dtype for layer in mixed.layers[1:]] == ["float32", "bfloat16", "float32"]


def test_fourier_convolution_is_computed_in_float32_in_every_precision() -> None:
    filters = {"class": "Conv2D", "filters": 4, "kernel_size": 5, "method": "fourier"}
    keras.utils.set_random_seed(0)
    mixed = with_precision("mixed_bfloat16", filters=filters, flatten=FLATTEN, output=SOFTMAX)
    images = keras.random.uniform((5, 12, 12, 1), seed=0)
    layer = mixed.get_layer("filters")
    exact = keras.ops.conv(images, layer.kernel) + layer.bias
    found = layer(images)
    assert found.dtype == "bfloat16"
    # Inputs and outputs are rounded to 8 bits, an error of some thousandths; sums in 8 bits would err by hundredths.
    assert float(keras.ops.max(keras.ops.abs(keras.ops.cast(found, "float32") - exact))) < 0.01
    assert plain(mixed).get_layer("filters").compute_dtype == "bfloat16"


def test_regularisation_and_initialisation_of_the_notebooks_nets(notebook: dict[str, keras.Model]) -> None:
    strengths = {
        (name, layer.name): layer.kernel_regularizer.get_config()["l1"]
        for name, model in notebook.items()
        for layer in model.layers
        if layer.weights and layer.kernel_regularizer is not None
    }
    assert strengths == {
        ("softmax", "output"): pytest.approx(1e-6),
        ("mlp-48", "hidden"): pytest.approx(1e-5),
        ("mlp-48", "output"): pytest.approx(1e-4),
    }
    zero = {
        (name, layer.name)
        for name, model in notebook.items()
        for layer in model.layers
        if layer.weights and not layer.get_weights()[0].any()
    }
    assert zero == {("softmax", "output")}


def test_pooling_of_the_notebooks_nets(notebook: dict[str, keras.Model]) -> None:
    for name, size, left in (("cnn-15x15", (2, 2), (7, 7, 64)), ("deep-cnn", (4, 4), (4, 4, 64))):
        pooling = notebook[name].get_layer("pooling")
        assert (type(pooling), pooling.pool_size) == (keras.layers.MaxPooling2D, size)
        assert tuple(pooling.output.shape[1:]) == left


def test_the_notebooks_nets_for_other_image_sizes_and_classes() -> None:
    counts = {name: build(name, DEFAULT[name], 20, 20, 3).count_params() for name in PARAMETERS}
    assert counts == {
        "softmax": 400 * 3 + 3,
        "mlp-48": (400 + 1) * 48 + (48 + 1) * 3,
        "mlp-128-64": (400 + 1) * 128 + (128 + 1) * 64 + (64 + 1) * 3,
        "cnn-15x15": (15 * 15 + 1) * 64 + (3 * 3 * 64 + 1) * 3,
        "deep-cnn": (5 * 5 + 1) * 32 + (9 * 9 * 32 + 1) * 64 + (2 * 2 * 64 + 1) * 64 + (64 + 1) * 3,
    }


def test_images_need_not_be_square() -> None:
    model = build("x", net(flatten=FLATTEN, output=SOFTMAX), 6, 9, 2)
    assert (model.input_shape, model.count_params()) == ((None, 6, 9, 1), 55 * 2)


# Nets that are not sequential


def test_a_skip_connection_that_adds() -> None:
    model = built(
        flatten=FLATTEN,
        first={"class": "Dense", "units": 5},
        second={"class": "Dense", "units": 5},
        sum={"class": "Add", "inputs": ["first", "second"]},
        output=SOFTMAX,
    )
    image = np.random.default_rng(0).random((1, 8, 8, 1)).astype(np.float32)
    parts = keras.Model(model.input, [model.get_layer(name).output for name in ("first", "second", "sum")])
    first, second, both = (keras.ops.convert_to_numpy(part) for part in parts(image))
    np.testing.assert_allclose(both, first + second, rtol=1e-6)
    assert np.abs(first).max() > 0 and np.abs(second).max() > 0


def test_a_skip_connection_that_concatenates_and_a_layer_that_takes_the_image() -> None:
    model = built(
        conv={"class": "Conv2D", "filters": 2, "kernel_size": 3},
        features={"class": "GlobalAveragePooling2D"},
        raw={"class": "Flatten", "inputs": "image"},
        both={"class": "Concatenate", "inputs": ["features", "raw"]},
        output=SOFTMAX,
    )
    assert tuple(model.get_layer("both").output.shape) == (None, 2 + 64)
    assert model.count_params() == (9 + 1) * 2 + (66 + 1) * 3


def test_attention_takes_one_argument_per_input() -> None:
    model = built(
        rows={"class": "Reshape", "target_shape": [8, 8]},
        attention={"class": "MultiHeadAttention", "num_heads": 2, "key_dim": 3, "inputs": ["rows", "rows"]},
        pooled={"class": "GlobalAveragePooling1D"},
        output=SOFTMAX,
    )
    assert tuple(model.get_layer("attention").output.shape) == (None, 8, 8)


# Objects in settings


def test_regularisers_initialisers_and_constraints_can_be_declared() -> None:
    model = built(
        flatten=FLATTEN,
        output={
            **SOFTMAX,
            "kernel_initializer": {"class": "Constant", "value": 0.25},
            "bias_initializer": "ones",
            "kernel_regularizer": {"class": "L1L2", "l1": 0.5, "l2": 0.25},
            "activity_regularizer": {"class": "L2", "l2": 0.125},
            "kernel_constraint": {"class": "MaxNorm", "max_value": 2.0},
        },
    )
    layer = model.get_layer("output")
    kernel, bias = layer.get_weights()
    assert (kernel == 0.25).all() and (bias == 1).all()
    assert layer.kernel_regularizer.get_config() == {"l1": 0.5, "l2": 0.25}
    assert layer.activity_regularizer.get_config() == {"l2": 0.125}
    assert layer.kernel_constraint.get_config() == {"max_value": 2.0, "axis": 0}


def test_a_layer_in_a_wrapper() -> None:
    model = built(
        rows={"class": "Reshape", "target_shape": [8, 8]},
        both_ways={"class": "Bidirectional", "layer": {"class": "LSTM", "units": 4, "return_sequences": True}},
        each={"class": "TimeDistributed", "layer": {"class": "Dense", "units": "classes"}},
        pooled={"class": "GlobalAveragePooling1D"},
        output={"class": "Softmax"},
    )
    assert tuple(model.get_layer("both_ways").output.shape) == (None, 8, 8)
    assert tuple(model.get_layer("each").output.shape) == (None, 8, 3)


def test_a_list_of_cells() -> None:
    cells = [{"class": "LSTMCell", "units": 4}, {"class": "GRUCell", "units": 5}]
    model = built(
        rows={"class": "Reshape", "target_shape": [8, 8]},
        stack={"class": "RNN", "cell": {"class": "StackedRNNCells", "cells": cells}},
        output=SOFTMAX,
    )
    assert tuple(model.get_layer("stack").output.shape) == (None, 5)


def test_an_optimiser_with_a_schedule() -> None:
    schedule = {"class": "ExponentialDecay", "initial_learning_rate": 0.5, "decay_steps": 10, "decay_rate": 0.5}
    made = optimizer(**{"class": "SGD"}, momentum=0.9, learning_rate=schedule)
    assert type(made) is keras.optimizers.SGD and made.momentum == 0.9
    rate = made.get_config()["learning_rate"]
    assert rate["class_name"] == "ExponentialDecay"
    assert float(keras.optimizers.schedules.ExponentialDecay(**rate["config"])(20)) == pytest.approx(0.125)


def test_every_optimiser_of_keras_can_be_declared() -> None:
    for name in ("Adam", "AdamW", "Adadelta", "Adagrad", "Adamax", "Ftrl", "Lion", "Nadam", "RMSprop", "SGD"):
        assert type(optimizer(**{"class": name})).__name__ == name


# Nets that are refused


REGULARIZER = {"class": "Dense", "units": 3, "kernel_regularizer": None}


@pytest.mark.parametrize(
    ("layer", "key", "words"),
    [
        ({"class": "Lambda", "function": "print"}, ".class", ("'Lambda'", "code")),
        ({"class": "TFSMLayer", "filepath": "folder"}, ".class", ("'TFSMLayer'", "code")),
        ({"class": "TorchModuleWrapper"}, ".class", ("'TorchModuleWrapper'", "code")),
        ({"class": "InputLayer", "shape": [3]}, ".class", ("'InputLayer'", "'image'")),
        ({"class": "MixUp"}, ".class", ("'MixUp'", "labels")),
        ({"class": "Pipeline", "layers": [{"class": "CutMix"}]}, ".layers.0.class", ("'CutMix'", "labels")),
        *(
            ({"class": name}, ".class", (f"'{name}'", "grey"))
            for name in ("RandomColorDegeneration", "RandomGrayscale", "RandomHue", "RandomSaturation")
        ),
        ({"class": "Equalization"}, ".class", ("'Equalization'", "Keras")),
        ({"class": "MaxNumBoundingBoxes", "max_boxes": 2}, ".class", ("'MaxNumBoundingBoxes'", "boxes")),
        ({"class": "Normalization", "variance": 0.1}, ".mean", ("missing", "Normalization")),
        ({"class": "Normalization", "mean": 0.1}, ".variance", ("missing", "Normalization")),
        ({"class": "Discretization", "num_bins": 3}, ".bin_boundaries", ("missing", "Discretization")),
        ({"class": "StringLookup"}, ".vocabulary", ("missing", "StringLookup")),
        (
            {"class": "RandomBrightness", "factor": 0.2, "value_range": [0, 255]},
            ".value_range",
            ("a list", "[0, 1]"),
        ),
        (
            {"class": "TimeDistributed", "layer": {"class": "AutoContrast", "value_range": [-1, 1]}},
            ".layer.value_range",
            ("a list", "[0, 1]"),
        ),
        ({"class": "RandomErasing", "fill_value": 255}, ".fill_value", ("255", "[0, 1]")),
        ({"class": "RandomRotation", "factor": 0.1, "fill_value": -0.5}, ".fill_value", ("-0.5", "[0, 1]")),
        (
            {"class": "RandomTranslation", "height_factor": 0.1, "width_factor": 0.1, "data_format": "channels_first"},
            ".data_format",
            ("'channels_first'", "(height, width, 1)"),
        ),
        (
            {"class": "Conv2D", "filters": 2, "kernel_size": 3, "strides": [2, 10**13]},
            ".strides.1",
            ("10000000000000", "2147483647"),
        ),
        ({"class": "Flaten"}, ".class", ("'Flaten'", "'Flatten'")),
        ({"class": "Dense", "unit": 3}, ".unit", ("Dense", "'unit'", "'units'")),
        ({"class": "Flatten", "name": "y"}, ".name", ("'y'", "key")),
        ({"class": "Dense"}, ".units", ("missing", "Dense")),
        ({"class": "Dense", "units": 2.5}, ".units", ("2.5", "integer", "1", "'classes'")),
        ({"class": "Dense", "units": 3, "activation": "sigmoyd"}, ".activation", ("'sigmoyd'", "'sigmoid'")),
        (
            {"class": "Dense", "units": 3, "kernel_initializer": "zeross"},
            ".kernel_initializer",
            ("'zeross'", "'zeros'"),
        ),
        (REGULARIZER | {"kernel_regularizer": "L3"}, ".kernel_regularizer", ("'L3'", *REGULARIZERS)),
        (
            {"class": "Dense", "units": 3, "kernel_constraint": "positive"},
            ".kernel_constraint",
            ("'positive'", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "max_norm", "non_neg", "unit_norm"),
        ),
        (REGULARIZER | {"kernel_regularizer": {"l1": 0.1}}, ".kernel_regularizer", ("'class'",)),
        (
            REGULARIZER | {"kernel_regularizer": {"module": "os", "class_name": "system", "config": {}}},
            ".kernel_regularizer",
            ("'class'",),
        ),
        (
            {"class": "Pipeline", "layers": [{"module": "os", "class_name": "system", "config": {}}]},
            ".layers.0",
            ("'class'",),
        ),
        ({"class": "TimeDistributed", "layer": {"class": "Lambda"}}, ".layer.class", ("'Lambda'", "code")),
        (
            REGULARIZER | {"kernel_regularizer": {"class": "Lasso"}},
            ".kernel_regularizer.class",
            ("'Lasso'", *REGULARIZERS),
        ),
        (REGULARIZER | {"kernel_regularizer": {"class": 3}}, ".kernel_regularizer.class", ("3", "regularizer")),
        (
            REGULARIZER | {"kernel_regularizer": {"class": "L1", "l2": 0.1}},
            ".kernel_regularizer.l2",
            ("L1", "'l2'", "l1"),
        ),
        (
            REGULARIZER | {"kernel_regularizer": {"class": "L1", "l1": -0.5}},
            ".kernel_regularizer.l1",
            ("-0.5", "L1", "non-negative"),
        ),
        (
            {"class": "Dense", "units": 3, "activation": {"class": "ReLU"}},
            ".activation",
            ("mapping", "name", "Keras activation", "null"),
        ),
        (
            {"class": "Dense", "units": 3, "dtype": {"class": "ReLU"}},
            ".dtype",
            ("regularizer", "initializer", "constraint", "layer", "cell", "learning_rate"),
        ),
        (
            {"class": "RandomShear", "x_factor": 0.1, "fill_mode": "mirror"},
            ".fill_mode",
            ("'mirror'", "RandomShear", "'reflect'", "'wrap'", "'constant'", "'nearest'"),
        ),
        ({"class": "Dense", "units": 3, "method": "fourier"}, ".method", ("'fourier'", "Conv2D")),
        ({"class": "Conv2D", "filters": 3, "kernel_size": 3, "method": "fft"}, ".method", ("'fft'", "'fourier'")),
        (
            {"class": "Conv2D", "filters": 3, "kernel_size": 3, "method": "fourier", "strides": 2},
            ".method",
            ("strides", "1"),
        ),
    ],
)
def test_layers_and_settings_that_are_not_keras(layer: dict[str, Any], key: str, words: tuple[str, ...]) -> None:
    with refused(f"{NET}.layers.layer{key}", *words):
        check_classes({"baselines": {}, "nets": {"x": {"layers": {"layer": layer}}}}, DEFINITIONS)
        make_layer("layer", Layer.model_validate(layer), 3, "float32", (*WHERE, "layers", "layer"))


@pytest.mark.parametrize(
    "name",
    [name for name, cls in classes_of(keras.layers, keras.layers.Layer).items() if "value_range" in setting_names(cls)],
)
@pytest.mark.parametrize("declared", [{}, {"value_range": [0.0, 1.0]}], ids=["default", "declared"])
def test_a_layer_with_a_value_range_takes_images_of_0_to_1(name: str, declared: dict[str, Any]) -> None:
    needed = {"RandomPosterization": {"factor": 4}, "RandomBrightness": {"factor": 0.1}}
    factor = {"factor": 0.1} if name in ("RandomContrast", "RandomSharpness") else needed.get(name, {})
    layer = {"class": name, **factor, **declared}
    pipeline = Layer.model_validate({"class": "Pipeline", "layers": [layer]})
    made = make_layer("layer", Layer.model_validate(layer), 3, "float32", (*WHERE, "layers", "layer"))
    nested = make_layer("layer", pipeline, 3, "float32", (*WHERE, "layers", "layer")).layers[0]
    assert [tuple(each.value_range) for each in (made, nested)] == [(0, 1), (0, 1)]


def test_layers_that_change_images_compute_in_full_precision() -> None:
    layers = {"elastic": {"class": "RandomElasticTransform"}, "flatten": FLATTEN, "output": SOFTMAX}
    mixed = with_precision("mixed_bfloat16", **layers)
    assert [layer.compute_dtype for layer in mixed.layers[1:]] == ["float32", "bfloat16", "float32"]


def test_a_layer_on_which_the_output_does_not_depend() -> None:
    with refused(f"{NET}.layers.aside", "depend", "'inputs'"):
        built(flatten=FLATTEN, aside={"class": "Dense", "units": 3}, output={**SOFTMAX, "inputs": "flatten"})


def test_a_kernel_larger_than_its_input() -> None:
    filters = {"class": "Conv2D", "filters": 2, "kernel_size": [5, 5]}
    with refused(f"{NET}.layers.second.kernel_size", "Conv2D", "(None, 4, 4, 2)", "5 x 5", "4 x 4"):
        built(first=filters, second=filters, flatten=FLATTEN, output=SOFTMAX)


def test_a_dilated_kernel_covers_the_pixels_between() -> None:
    dilated = {"class": "Conv2D", "filters": 2, "kernel_size": [1, 5], "dilation_rate": 2}
    with refused(f"{NET}.layers.layer.kernel_size", "Conv2D", "(None, 8, 8, 1)", "1 x 9", "8 x 8"):
        built(layer=dilated, flatten=FLATTEN, output=SOFTMAX)


@pytest.mark.parametrize(
    ("layer", "key", "words"),
    [
        ({"class": "MaxPooling2D", "pool_size": 9}, "pool_size", ("9 x 9", "8 x 8")),
        ({"class": "AdaptiveMaxPooling2D", "output_size": 9}, "output_size", ("9 x 9", "8 x 8")),
        ({"class": "MaxPooling2D", "strides": 0}, "class", ("zero",)),
        ({"class": "Reshape", "target_shape": [7]}, "class", ("size",)),
        ({"class": "LSTM", "units": 3}, "class", ("ndim=3", "ndim=4")),
        ({"class": "Add"}, "class", ("list",)),
    ],
)
def test_a_layer_that_does_not_accept_its_input(layer: dict[str, Any], key: str, words: tuple[str, ...]) -> None:
    with refused(f"{NET}.layers.layer.{key}", layer["class"], "(None, 8, 8, 1)", *words):
        built(layer=layer, flatten=FLATTEN, output=SOFTMAX)


def test_inputs_of_different_shapes() -> None:
    narrow, both = {"class": "Dense", "units": 3}, ["flatten", "narrow"]
    shapes = ("(None, 64)", "(None, 3)")
    with refused(f"{NET}.layers.sum.class", "Add", *shapes):
        built(flatten=FLATTEN, narrow=narrow, sum={"class": "Add", "inputs": both}, output=SOFTMAX)
    with refused(f"{NET}.layers.output.class", "Dense", *shapes):
        built(flatten=FLATTEN, narrow=narrow, output={**SOFTMAX, "inputs": both})


def test_a_layer_that_returns_several_tensors() -> None:
    with refused(f"{NET}.layers.relu", "ReLU", "2", "(None, 64)", "(None, 64)", "one"):
        built(flatten=FLATTEN, relu={"class": "ReLU", "inputs": ["flatten", "flatten"]}, output=SOFTMAX)
    with refused(f"{NET}.layers.lstm", "LSTM", "3", "(None, 8, 8)", "one"):
        built(
            rows={"class": "Reshape", "target_shape": [8, 8]},
            lstm={"class": "LSTM", "units": 3, "return_state": True},
            output=SOFTMAX,
        )


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ({"flatten": FLATTEN, "output": {**SOFTMAX, "units": 4}}, "(None, 4)"),
        ({"output": SOFTMAX}, "(None, 8, 8, 3)"),
        ({"output": FLATTEN}, "(None, 64)"),
    ],
)
def test_a_wrong_output_shape(layers: dict[str, Any], shape: str) -> None:
    with refused(f"{NET}.layers.output.units", shape, "(None, 3)", "'units: classes'"):
        built(**layers)


# A constant of the largest float overflows in the sum over the pixels, and softmax of infinities is NaN.
OVERFLOW = {"kernel_initializer": {"class": "Constant", "value": 3e38}}


@pytest.mark.parametrize(
    "settings",
    [{"activation": name} for name in ("linear", "relu", "sigmoid", "log_softmax", "exponential")] + [OVERFLOW],
    ids=str,
)
def test_an_output_that_is_not_a_probability_distribution(settings: dict[str, Any]) -> None:
    with refused(f"{NET}.layers.output.activation", "probabilities", "'activation: softmax'"):
        built(flatten=FLATTEN, output={**SOFTMAX, **settings})


def test_a_net_that_cannot_compute() -> None:
    # Only values show that the images are too small for the windows of a spectrogram, never a shape.
    with refused(NET, "compute"):
        built(sound={"class": "MelSpectrogram"}, flatten=FLATTEN, output=SOFTMAX)


COSINE = {"class": "CosineDecay", "initial_learning_rate": 0.1, "decay_steps": "step"}
SCHEDULE = {"class": "ExponentialDecay", "initial_learning_rate": "high", "decay_steps": 9, "decay_rate": 0.5}


@pytest.mark.parametrize(
    ("declared", "key", "words"),
    [
        ({"class": "Adm"}, ".class", ("'Adm'", "'Adam'")),
        ({"class": "SGD", "lr": 0.1}, ".lr", ("SGD", "'lr'", "clipnorm", "learning_rate", "momentum")),
        ({"class": "Adam", "learning_rate": -1.0}, ".learning_rate", ("-1.0", "greater than 0")),
        ({"class": "Adam", "learning_rate": True}, ".learning_rate", ("true", "greater than 0")),
        ({"class": "Adam", "learning_rate": 0}, ".learning_rate", ("0", "greater than 0")),
        ({"class": "Adam", "learning_rate": COSINE}, ".learning_rate", ("CosineDecay", "'str'")),
        ({"class": "Adam", "learning_rate": SCHEDULE}, ".learning_rate", ("ExponentialDecay",)),
        ({"class": "SGD", "momentum": 3}, ".momentum", ("3", "SGD", "[0, 1]")),
        ({"class": "Adam", "use_ema": True}, ".use_ema", ("averages", "validated")),
        ({"class": "Adam", "ema_momentum": 0.9}, ".ema_momentum", ("averages", "validated")),
        ({"class": "Adam", "ema_overwrite_frequency": 5}, ".ema_overwrite_frequency", ("averages", "validated")),
        ({"class": "LossScaleOptimizer", "inner_optimizer": {"class": "Adam"}}, ".class", ("'LossScaleOptimizer'",)),
        (
            {"class": "Adam", "learning_rate": {"class": "L1"}},
            ".learning_rate.class",
            ("'L1'", "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "PolynomialDecay"),
        ),
        ({"class": "Adam", "learning_rate": {"initial_learning_rate": 0.1}}, ".learning_rate", ("'class'",)),
    ],
)
def test_optimisers_that_are_refused(declared: dict[str, Any], key: str, words: tuple[str, ...]) -> None:
    with refused(f"{NET}.optimizer{key}", *words):
        optimizer(**declared)


@pytest.mark.parametrize("declared", [{"class": "SGD", "weight_decay": "much"}, {"class": "Adam", "beta_1": "high"}])
def test_settings_that_fail_only_in_a_step_are_refused(declared: dict[str, Any]) -> None:
    made = optimizer(**declared)
    with refused(f"{NET}.optimizer", declared["class"]):
        check_step(made, (*WHERE, "optimizer"))
    assert not made.built


# Classifiers

SEED = 42
HERE: Place = ("baselines", "x")
BASELINE = "baselines.x"

CLASSIFIERS = dict(all_estimators(type_filter="classifier"))
# These require another classifier, or several.
OF_ONE = {
    "ClassifierChain",
    "FixedThresholdClassifier",
    "MultiOutputClassifier",
    "OneVsOneClassifier",
    "OneVsRestClassifier",
    "OutputCodeClassifier",
    "SelfTrainingClassifier",
    "TunedThresholdClassifierCV",
}
OF_SEVERAL = {"StackingClassifier", "VotingClassifier"}
DEPRECATED = {"PassiveAggressiveClassifier"}


def classifier(name: str, **settings: Any) -> ClassifierMixin:
    return build_classifier.build(name, settings, SEED, HERE)


@pytest.mark.parametrize("name", sorted(set(CLASSIFIERS) - OF_ONE - OF_SEVERAL - DEPRECATED))
def test_every_classifier_that_requires_no_other_can_be_declared(name: str) -> None:
    made = classifier(name)
    assert type(made) is CLASSIFIERS[name]
    default = CLASSIFIERS[name]().get_params()
    if "random_state" in default:
        default["random_state"] = SEED
    assert made.get_params() == default


@pytest.mark.parametrize("name", sorted(OF_ONE))
def test_a_classifier_of_another(name: str) -> None:
    made = classifier(name, estimator={"class": "DecisionTreeClassifier", "max_depth": 3})
    assert type(made) is CLASSIFIERS[name]
    assert (type(made.estimator), made.estimator.max_depth) == (CLASSIFIERS["DecisionTreeClassifier"], 3)
    assert made.estimator.random_state == SEED


@pytest.mark.parametrize("name", sorted(OF_SEVERAL))
def test_a_classifier_of_several(name: str) -> None:
    pairs = [["tree", {"class": "DecisionTreeClassifier"}], ["bayes", {"class": "GaussianNB"}]]
    made = classifier(name, estimators=pairs)
    assert [(key, type(each).__name__) for key, each in made.estimators] == [
        ("tree", "DecisionTreeClassifier"),
        ("bayes", "GaussianNB"),
    ]
    # scikit-learn does not take lists.
    assert all(isinstance(pair, tuple) for pair in made.estimators)
    images = np.random.default_rng(0).random((20, 4))
    assert set(made.fit(images, np.arange(20) % 2).predict(images)) <= {0, 1}


def test_nested_classifiers_get_the_seed() -> None:
    tree = {"class": "DecisionTreeClassifier"}
    vote = {"class": "VotingClassifier", "estimators": [["a", tree], ["b", {**tree, "random_state": 7}]]}
    made = classifier("BaggingClassifier", estimator=vote, n_estimators=2, random_state=8)
    (_, first), (_, second) = made.estimator.estimators
    assert (first.random_state, second.random_state, made.random_state) == (SEED, 7, 8)


def test_a_random_state_of_null_is_the_seed() -> None:
    # scikit-learn would take another seed every time.
    assert classifier("SGDClassifier", random_state=None).random_state == SEED
    assert "random_state" not in classifier("GaussianNB").get_params()


def test_lists_and_mappings_that_declare_no_classifier_are_passed_on() -> None:
    assert classifier("MLPClassifier", hidden_layer_sizes=[30, 20]).hidden_layer_sizes == [30, 20]
    assert classifier("SVC", class_weight={0: 2.0, 1: 1.0}).class_weight == {0: 2.0, 1: 1.0}


def test_the_declared_settings_are_not_changed() -> None:
    settings = {"estimators": [["tree", {"class": "DecisionTreeClassifier"}]]}
    classifier("VotingClassifier", **settings)
    assert settings == {"estimators": [["tree", {"class": "DecisionTreeClassifier"}]]}


@pytest.mark.parametrize(
    ("name", "settings", "key", "words"),
    [
        ("LinearSVM", {}, ".class", ("'LinearSVM'", "'LinearSVC'")),
        ("sklearn.svm.SVC", {}, ".class", ("'sklearn.svm.SVC'",)),
        *(
            (name, {}, ".class", (f"'{name}'",))
            for name in (
                "GridSearchCV",
                "KMeans",
                "LinearRegression",
                "OneHotEncoder",
                "PCA",
                "Pipeline",
                "RandomForestRegressor",
                "StandardScaler",
                "SVR",
            )
        ),
        (
            "KNeighborsClassifier",
            {"n_neighbours": 3},
            ".n_neighbours",
            ("KNeighborsClassifier", "'n_neighbours'", "'n_neighbors'", "algorithm", "leaf_size", "n_neighbors", "p"),
        ),
        ("KNeighborsClassifier", {"n_neighbors": "ten"}, ".n_neighbors", ("'ten'", "integer", "1", "null")),
        ("LinearSVC", {"C": -1.0}, ".C", ("-1.0", "number", "greater than 0")),
        ("LinearSVC", {"C": float("nan")}, ".C", (".nan", "number", "greater than 0")),
        ("SGDClassifier", {"n_jobs": -1}, ".n_jobs", ("training.threads",)),
        (
            "OneVsRestClassifier",
            {"estimator": {"class": "SGDClassifier", "n_jobs": 2}},
            ".estimator.n_jobs",
            ("training.threads",),
        ),
        ("OneVsRestClassifier", {}, ".estimator", ("missing", "OneVsRestClassifier")),
        ("OneVsRestClassifier", {"estimator": {"class": "SVR"}}, ".estimator.class", ("'SVR'", "'SVC'")),
        ("OneVsRestClassifier", {"estimator": {"class": 3}}, ".estimator.class", ("3", "classifier")),
        (
            "VotingClassifier",
            {"estimators": [["a", {"class": "GaussianNB", "priors": 3}]]},
            ".estimators.0.1.priors",
            ("3", "array-like", "None"),
        ),
    ],
)
def test_classifiers_that_are_refused(name: str, settings: dict[str, Any], key: str, words: tuple[str, ...]) -> None:
    with refused(f"{BASELINE}{key}", *words):
        check_classes({"baselines": {"x": {"class": name, **settings}}, "nets": {}}, DEFINITIONS)
        classifier(name, **settings)


@pytest.mark.parametrize("name", sorted(set(CLASSIFIERS) - DEPRECATED))
def test_every_setting_of_a_classifier_is_checked(name: str) -> None:
    other = {"class": "GaussianNB"}
    needed = {"estimator": other} if name in OF_ONE else {"estimators": [["a", other]]} if name in OF_SEVERAL else {}
    for key in settings_of(CLASSIFIERS[name]):
        with pytest.raises(UserError) as caught:
            classifier(name, **(needed | {key: object()}))
        assert str(caught.value).startswith(f"params.yaml: {BASELINE}.{key}: is <object"), (
            f"{name}.fit no longer refuses a wrong '{key}' before it looks at the images; adapt build_classifier.py"
        )
