"""From declarations to models: the notebook's five nets, any of Keras's layers, any of scikit-learn's classifiers."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import pytest
from conftest import ROOT
from sklearn.base import ClassifierMixin
from sklearn.utils import all_estimators

from stages.check_models import trial_fit
from stages.check_models.fitting_data import check_models
from stages.check_params.classes import check_classes
from stages.check_params.structure import check_structure
from stages.shared.errors import UserError
from stages.shared.models import build_classifier
from stages.shared.models.build_net import build, check_probabilities, check_step, make_layer, make_optimizer
from stages.shared.models.fourier_conv2d import plain
from stages.shared.params import baselines_section, nets_section
from stages.shared.params.declared import Declared
from stages.shared.params.mistakes import line_numbers
from stages.shared.params.nets_section import Layer, Net
from stages.shared.params.pictures_section import WeightMap
from stages.shared.params.settings import check_section
from stages.shared.params.yaml_file import Place, read
from tests.fixtures.mistakes import CLASSES, DATA, Mistake

DEFAULT = check_section("nets", nets_section.Nets, read(ROOT / "params.yaml")).root
BASELINES = check_section("baselines", baselines_section.Baselines, read(ROOT / "params.yaml")).root

FLATTEN = {"class": "Flatten"}
SOFTMAX = {"class": "Dense", "units": "classes", "activation": "softmax"}
WHERE: Place = ("nets", "x")
NET = "params.yaml: nets_section.x"


def net(optimizer: Mapping[str, Any] | None = None, **layers: Mapping[str, Any]) -> Net:
    """Declare a net."""
    training = {"epochs": 1, "batch_size": 8, **({"optimizer": optimizer} if optimizer else {})}
    return Net.model_validate({"layers": layers, **training})


def built(size: int = 8, classes: int = 3, **layers: Mapping[str, Any]) -> keras.Model:
    """Build the net of these layers, named x."""
    model = build("x", net(**layers), size, size, classes)
    check_probabilities(model, WHERE)
    return model


def refused(size: int = 8, **layers: Mapping[str, Any]) -> str:
    """Build the net of these layers, which must be refused; return the sentence."""
    with pytest.raises(UserError) as caught:
        built(size, **layers)
    assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value)
    return str(caught.value)


def optimizer(**declared: Any) -> keras.optimizers.Optimizer:
    return make_optimizer(Declared.model_validate(declared), 100, (*WHERE, "optimizer"))


def refused_optimizer(**declared: Any) -> str:
    with pytest.raises(UserError) as caught:
        optimizer(**declared)
    return str(caught.value)


# The notebook's nets

PARAMETERS = {"softmax": 7_850, "mlp-48": 38_170, "mlp-128-64": 109_386, "cnn-15x15": 45_834, "deep-cnn": 233_034}
TRAINING = {
    "softmax": (30, 512, 10),
    "mlp-48": (50, 256, 10),
    "mlp-128-64": (42, 256, 10),
    "cnn-15x15": (20, 256, 5),
    "deep-cnn": (20, 256, 5),
}
# (layer, class, output shape, activation), all that has units or filters
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
    assert list(DEFAULT) == [*PARAMETERS, "fast", "best"]


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_of_the_notebooks_nets(notebook: dict[str, keras.Model], name: str) -> None:
    model = notebook[name]
    assert model.count_params() == PARAMETERS[name]
    assert (model.name, model.input_shape, model.output_shape) == (name, (None, 28, 28, 1), (None, 10))


@pytest.mark.parametrize("name", PARAMETERS)
def test_layers_of_the_notebooks_nets(notebook: dict[str, keras.Model], name: str) -> None:
    # As it is saved: in training one of them is computed in the Fourier domain.
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


def test_a_schedule_may_ask_for_the_steps_of_the_whole_training() -> None:
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


def test_precision_is_what_layers_compute_in_all_but_the_last() -> None:
    layers = {"filters": {"class": "Conv2D", "filters": 4, "kernel_size": 5}, "flatten": FLATTEN, "output": SOFTMAX}
    mixed = with_precision("mixed_bfloat16", **layers)
    computed = {layer.name: layer.compute_dtype for layer in mixed.layers[1:]}
    assert computed == {"filters": "bfloat16", "flatten": "bfloat16", "output": "float32"}
    assert {weight.dtype for weight in mixed.weights} == {"float32"}
    assert {layer.compute_dtype for layer in built(12, **layers).layers} == {"float32"}


def test_a_layer_may_keep_its_own_precision() -> None:
    filters = {"class": "Conv2D", "filters": 4, "kernel_size": 5, "dtype": "float32"}
    mixed = with_precision("mixed_bfloat16", filters=filters, flatten=FLATTEN, output=SOFTMAX)
    assert [layer.compute_dtype for layer in mixed.layers[1:]] == ["float32", "bfloat16", "float32"]


def test_the_fourier_domain_is_float32_in_every_precision() -> None:
    filters = {"class": "Conv2D", "filters": 4, "kernel_size": 5, "method": "fourier"}
    keras.utils.set_random_seed(0)
    mixed = with_precision("mixed_bfloat16", filters=filters, flatten=FLATTEN, output=SOFTMAX)
    images = keras.random.uniform((5, 12, 12, 1), seed=0)
    layer = mixed.get_layer("filters")
    exact = keras.ops.conv(images, layer.kernel) + layer.bias
    found = layer(images)
    assert found.dtype == "bfloat16"
    # What goes in and comes out has 8 bits, so a few thousandths; sums in 8 bits would be some hundredths off.
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


def test_the_same_declarations_for_other_images_and_classes() -> None:
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


# Nets that are no chains


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


def test_a_skip_connection_that_concatenates_and_a_layer_fed_by_the_image() -> None:
    model = built(
        conv={"class": "Conv2D", "filters": 2, "kernel_size": 3},
        features={"class": "GlobalAveragePooling2D"},
        raw={"class": "Flatten", "inputs": "image"},
        both={"class": "Concatenate", "inputs": ["features", "raw"]},
        output=SOFTMAX,
    )
    assert tuple(model.get_layer("both").output.shape) == (None, 2 + 64)
    assert model.count_params() == (9 + 1) * 2 + (66 + 1) * 3


def test_attention_takes_its_inputs_one_by_one() -> None:
    model = built(
        rows={"class": "Reshape", "target_shape": [8, 8]},
        attention={"class": "MultiHeadAttention", "num_heads": 2, "key_dim": 3, "inputs": ["rows", "rows"]},
        pooled={"class": "GlobalAveragePooling1D"},
        output=SOFTMAX,
    )
    assert tuple(model.get_layer("attention").output.shape) == (None, 8, 8)


# Objects within layers


def test_regularisers_initialisers_and_constraints_are_objects_with_a_class() -> None:
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


def test_wrappers_hold_a_layer_and_its_number_of_classes() -> None:
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


def test_every_optimiser_of_keras_can_be_named() -> None:
    for name in ("Adam", "AdamW", "Adadelta", "Adagrad", "Adamax", "Ftrl", "Lion", "Nadam", "RMSprop", "SGD"):
        assert type(optimizer(**{"class": name})).__name__ == name


# Nets that are refused


FOREIGN = "cannot be used: it would run foreign code"


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        ({"class": "Lambda", "function": "print"}, f".class: 'Lambda' {FOREIGN}"),
        ({"class": "TFSMLayer", "filepath": "there"}, f".class: 'TFSMLayer' {FOREIGN}"),
        ({"class": "TorchModuleWrapper"}, f".class: 'TorchModuleWrapper' {FOREIGN}"),
        (
            {"class": "InputLayer", "shape": [3]},
            ".class: 'InputLayer' cannot be used: the input is there already; a layer names it 'image'",
        ),
        ({"class": "Flaten"}, ".class: unknown Keras layer 'Flaten'; did you mean 'Flatten'?"),
        ({"class": "Dense", "unit": 3}, None),
        ({"class": "Flatten", "name": "y"}, ".name: leave it out; the layer's key, 'layer', is its name"),
        (
            {"class": "Dense"},
            ": Dense refuses its settings: Dense.__init__() missing 1 required positional argument: 'units'",
        ),
        (
            {"class": "Dense", "units": 2.5},
            ".units: is 2.5: Dense refuses it: Received an invalid value for `units`, expected a positive integer. "
            "Received: units=2.5",
        ),
        (
            {"class": "Dense", "units": 3, "activation": "sigmoyd"},
            ".activation: unknown Keras activation 'sigmoyd'; did you mean 'sigmoid'?",
        ),
        (
            {"class": "Dense", "units": 3, "kernel_initializer": "zeross"},
            ".kernel_initializer: unknown Keras initializer 'zeross'; did you mean 'zeros'?",
        ),
        (
            {"class": "Dense", "units": 3, "kernel_regularizer": "L3"},
            ".kernel_regularizer: unknown Keras regularizer 'L3'; allowed: L1, L1L2, L2, OrthogonalRegularizer, "
            "l1, l1_l2, l2, orthogonal_regularizer",
        ),
        (
            {"class": "Dense", "units": 3, "kernel_constraint": "positive"},
            ".kernel_constraint: unknown Keras constraint 'positive'; allowed: MaxNorm, MinMaxNorm, NonNeg, UnitNorm, "
            "max_norm, min_max_norm, non_neg, unit_norm",
        ),
        (
            {"class": "Dense", "units": 3, "kernel_regularizer": {"l1": 0.1}},
            ".kernel_regularizer: is a mapping without 'class'; a Keras object is written {class: NAME, ...}",
        ),
        (
            {
                "class": "Dense",
                "units": 3,
                "kernel_regularizer": {"module": "os", "class_name": "system", "config": {}},
            },
            ".kernel_regularizer: is a mapping without 'class'; a Keras object is written {class: NAME, ...}",
        ),
        (
            {"class": "Pipeline", "layers": [{"module": "os", "class_name": "system", "config": {}}]},
            ".layers.0: is a mapping without 'class'; a Keras object is written {class: NAME, ...}",
        ),
        (
            {"class": "TimeDistributed", "layer": {"class": "Lambda"}},
            f".layer.class: 'Lambda' {FOREIGN}",
        ),
        (
            {"class": "Dense", "units": 3, "kernel_regularizer": {"class": "Lasso"}},
            ".kernel_regularizer.class: unknown Keras regularizer 'Lasso'; "
            "allowed: L1, L1L2, L2, OrthogonalRegularizer, l1, l1_l2, l2, orthogonal_regularizer",
        ),
        (
            {"class": "Dense", "units": 3, "kernel_regularizer": {"class": 3}},
            ".kernel_regularizer.class: is 3: must be the name of a Keras regularizer",
        ),
        (
            {"class": "Dense", "units": 3, "kernel_regularizer": {"class": "L1", "l2": 0.1}},
            ".kernel_regularizer: unknown setting of L1: 'l2'; allowed: l1",
        ),
        (
            {"class": "Dense", "units": 3, "kernel_regularizer": {"class": "L1", "l1": -0.5}},
            ".kernel_regularizer.l1: is -0.5: L1 refuses it: Invalid value for argument l1: expected a non-negative "
            "float.Received: l1=-0.5",
        ),
        (
            {"class": "Dense", "units": 3, "activation": {"class": "ReLU"}},
            ".activation: takes no Keras class; only settings ending in regularizer, initializer, constraint, layer, "
            "cell, learning_rate do",
        ),
        (
            {"class": "RandomShear", "x_factor": 0.1, "fill_mode": "mirror"},
            ".fill_mode: is 'mirror': RandomShear refuses it: Unknown `fill_mode` mirror. Expected of one "
            "('reflect', 'wrap', 'constant', 'nearest').",
        ),
    ],
)
def test_layers_and_settings_that_keras_does_not_have(layer: dict[str, Any], sentence: str | None) -> None:
    with pytest.raises(UserError) as caught:
        make_layer("layer", Layer.model_validate(layer), 3, "float32", (*WHERE, "layers", "layer"))
    if sentence is None:  # Dense has so many settings that the nearest one alone is named
        sentence = ": unknown setting of Dense: 'unit'; did you mean 'units'?"
        assert str(caught.value).startswith(f"{NET}.layers.layer{sentence}")
        return
    assert str(caught.value) == f"{NET}.layers.layer{sentence}"


def test_a_kernel_larger_than_what_is_left() -> None:
    said = refused(
        first={"class": "Conv2D", "filters": 2, "kernel_size": [5, 5]},
        second={"class": "Conv2D", "filters": 2, "kernel_size": [5, 5]},
        flatten=FLATTEN,
        output=SOFTMAX,
    )
    assert said == (
        f"{NET}.layers.second: Conv2D does not fit what comes in, (None, 4, 4, 2): its kernel_size covers 5 x 5, "
        "and 4 x 4 is left of the image; it must be no larger"
    )


def test_the_places_between_are_part_of_a_dilated_kernel() -> None:
    dilated = {"class": "Conv2D", "filters": 2, "kernel_size": [1, 5], "dilation_rate": 2}
    said = refused(layer=dilated, flatten=FLATTEN, output=SOFTMAX)
    assert "its kernel_size covers 1 x 9, and 8 x 8 is left of the image" in said
    assert "Computed output size" not in said


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        ({"class": "MaxPooling2D", "pool_size": 9}, "its pool_size covers 9 x 9, and 8 x 8 is left of the image"),
        ({"class": "MaxPooling2D", "strides": 0}, "division by zero"),
        ({"class": "Reshape", "target_shape": [7]}, "The total size of the tensor must be unchanged."),
        ({"class": "LSTM", "units": 3}, "expected ndim=3, found ndim=4"),
        ({"class": "Add"}, "A merge layer should be called on a list of inputs."),
    ],
)
def test_a_layer_that_does_not_fit_what_comes_in(layer: dict[str, Any], reason: str) -> None:
    said = refused(layer=layer, flatten=FLATTEN, output=SOFTMAX)
    assert said.startswith(f"{NET}.layers.layer: {layer['class']} does not fit what comes in, (None, 8, 8, 1): ")
    assert reason in said


def test_layers_whose_inputs_do_not_fit_each_other() -> None:
    narrow = {"class": "Dense", "units": 3}
    said = refused(
        flatten=FLATTEN, narrow=narrow, sum={"class": "Add", "inputs": ["flatten", "narrow"]}, output=SOFTMAX
    )
    assert said.startswith(f"{NET}.layers.sum: Add does not fit what comes in, (None, 64) and (None, 3): ")
    said = refused(flatten=FLATTEN, narrow=narrow, output={**SOFTMAX, "inputs": ["flatten", "narrow"]})
    assert "output: Dense does not fit what comes in, (None, 64) and (None, 3): " in said


def test_a_layer_that_makes_several_tensors() -> None:
    said = refused(
        flatten=FLATTEN,
        relu={"class": "ReLU", "inputs": ["flatten", "flatten"]},
        output=SOFTMAX,
    )
    assert said.startswith(f"{NET}.layers.relu: ReLU makes 2 tensors of what comes in, (None, 64) and (None, 64); ")
    said = refused(
        rows={"class": "Reshape", "target_shape": [8, 8]},
        lstm={"class": "LSTM", "units": 3, "return_state": True},
        output=SOFTMAX,
    )
    assert said == (
        f"{NET}.layers.lstm: LSTM makes 3 tensors of what comes in, (None, 8, 8); a layer here must make one: "
        "mind its inputs, and settings that ask for a state or scores beside the output"
    )


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ({"flatten": FLATTEN, "output": {**SOFTMAX, "units": 4}}, "(None, 4)"),
        ({"output": SOFTMAX}, "(None, 8, 8, 3)"),
        ({"output": FLATTEN}, "(None, 64)"),
    ],
)
def test_a_wrong_number_of_outputs(layers: dict[str, Any], shape: str) -> None:
    assert refused(**layers) == (
        f"{NET}.layers.output: the last layer gives {shape}; it must give one number a class, (None, 3): "
        "write 'units: classes'"
    )


@pytest.mark.parametrize("activation", ["linear", "relu", "sigmoid", "log_softmax", "exponential"])
def test_a_last_layer_that_gives_no_probabilities(activation: str) -> None:
    assert refused(flatten=FLATTEN, output={**SOFTMAX, "activation": activation}) == (
        f"{NET}.layers.output: the last layer must give probabilities, which add up to 1: write 'activation: softmax'"
    )


def test_outputs_that_are_no_numbers_are_no_probabilities() -> None:
    # A constant of the largest float overflows in the sum over the pixels, and softmax of infinities is NaN.
    largest = {"class": "Constant", "value": 3e38}
    assert "must give probabilities" in refused(flatten=FLATTEN, output={**SOFTMAX, "kernel_initializer": largest})


def test_a_net_that_cannot_compute() -> None:
    # Only a value shows that its table has no entry, never a shape.
    said = refused(words={"class": "StringLookup"}, flatten=FLATTEN, output=SOFTMAX)
    assert said.startswith(f"{NET}: this net cannot compute anything: ")


@pytest.mark.parametrize(
    ("declared", "sentence"),
    [
        ({"class": "Adm"}, ".class: unknown Keras optimiser 'Adm'; did you mean 'Adam'?"),
        ({"class": "SGD", "lr": 0.1}, None),
        ({"class": "Adam", "learning_rate": -1.0}, ".learning_rate: is -1.0: must be a number greater than 0"),
        (
            {
                "class": "Adam",
                "learning_rate": {"class": "CosineDecay", "initial_learning_rate": 0.1, "decay_steps": "step"},
            },
            ".learning_rate: CosineDecay refuses its settings: '<=' not supported between instances of 'str' and 'int'",
        ),
        ({"class": "Adam", "learning_rate": True}, ".learning_rate: is true: must be a number greater than 0"),
        ({"class": "Adam", "learning_rate": 0}, ".learning_rate: is 0: must be a number greater than 0"),
        (
            {"class": "SGD", "momentum": 3},
            ".momentum: is 3: SGD refuses it: `momentum` must be a float between [0, 1].",
        ),
        (
            {"class": "Adam", "learning_rate": {"class": "L1"}},
            ".learning_rate.class: unknown Keras learning_rate 'L1'; allowed: CosineDecay, CosineDecayRestarts, "
            "ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay",
        ),
        (
            {"class": "Adam", "learning_rate": {"initial_learning_rate": 0.1}},
            ".learning_rate: is a mapping without 'class'; a Keras object is written {class: NAME, ...}",
        ),
    ],
)
def test_optimisers_that_are_refused(declared: dict[str, Any], sentence: str | None) -> None:
    said = refused_optimizer(**declared)
    if sentence is None:
        assert said.startswith(f"{NET}.optimizer: unknown setting of SGD: 'lr'; allowed: clipnorm, clipvalue, ")
    else:
        assert said == f"{NET}.optimizer{sentence}"


def test_a_schedule_that_only_fails_when_it_is_asked_is_refused() -> None:
    schedule = {"class": "ExponentialDecay", "initial_learning_rate": "high", "decay_steps": 9, "decay_rate": 0.5}
    said = refused_optimizer(**{"class": "Adam"}, learning_rate=schedule)
    assert said.startswith(f"{NET}.optimizer.learning_rate: ExponentialDecay cannot use its settings: ")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"class": "SGD", "weight_decay": "much"}, ": SGD cannot use its settings: "),
        ({"class": "Adam", "beta_1": "high"}, ": Adam cannot use its settings: "),
    ],
)
def test_settings_that_only_a_step_looks_at_are_refused(declared: dict[str, Any], said: str) -> None:
    made = optimizer(**declared)
    with pytest.raises(UserError) as caught:
        check_step(made, (*WHERE, "optimizer"))
    assert str(caught.value).startswith(f"{NET}.optimizer{said}") and "\n" not in str(caught.value)
    assert not made.built


# Classifiers

SEED = 42
HERE: Place = ("baselines", "x")
BASELINE = "params.yaml: baselines_section.x"

CLASSIFIERS = dict(all_estimators(type_filter="classifier"))
# These need to be told of another classifier, or several.
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


def refused_classifier(name: str, **settings: Any) -> str:
    with pytest.raises(UserError) as caught:
        classifier(name, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", sorted(set(CLASSIFIERS) - OF_ONE - OF_SEVERAL - DEPRECATED))
def test_every_classifier_that_needs_no_other_can_be_named(name: str) -> None:
    made = classifier(name)
    assert type(made) is CLASSIFIERS[name]
    default = CLASSIFIERS[name]().get_params()
    if "random_state" in default:
        default["random_state"] = SEED
    assert made.get_params() == default


@pytest.mark.parametrize("name", sorted(OF_ONE))
def test_a_classifier_within_a_classifier(name: str) -> None:
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
    # scikit-learn unpacks them, and takes no lists.
    assert all(isinstance(pair, tuple) for pair in made.estimators)
    images = np.random.default_rng(0).random((20, 4))
    assert set(made.fit(images, np.arange(20) % 2).predict(images)) <= {0, 1}


def test_classifiers_within_classifiers_within_classifiers() -> None:
    tree = {"class": "DecisionTreeClassifier"}
    vote = {"class": "VotingClassifier", "estimators": [["a", tree], ["b", {**tree, "random_state": 7}]]}
    made = classifier("BaggingClassifier", estimator=vote, n_estimators=2, random_state=8)
    (_, first), (_, second) = made.estimator.estimators
    assert (first.random_state, second.random_state, made.random_state) == (SEED, 7, 8)


def test_a_random_state_of_null_is_the_seed() -> None:
    # scikit-learn would take another number every time.
    assert classifier("SGDClassifier", random_state=None).random_state == SEED
    assert "random_state" not in classifier("GaussianNB").get_params()


def test_lists_and_mappings_that_are_no_classifiers_stay_what_they_are() -> None:
    assert classifier("MLPClassifier", hidden_layer_sizes=[30, 20]).hidden_layer_sizes == [30, 20]
    assert classifier("SVC", class_weight={0: 2.0, 1: 1.0}).class_weight == {0: 2.0, 1: 1.0}


def test_the_declared_settings_are_not_changed() -> None:
    settings = {"estimators": [["tree", {"class": "DecisionTreeClassifier"}]]}
    classifier("VotingClassifier", **settings)
    assert settings == {"estimators": [["tree", {"class": "DecisionTreeClassifier"}]]}


@pytest.mark.parametrize(
    ("name", "settings", "sentence"),
    [
        ("LinearSVM", {}, ".class: unknown scikit-learn classifier 'LinearSVM'; did you mean 'LinearSVC'?"),
        ("sklearn.svm.SVC", {}, None),
        (
            "LinearRegression",
            {},
            ".class: unknown scikit-learn classifier 'LinearRegression'; did you mean 'LogisticRegression'?",
        ),
        ("SVR", {}, ".class: unknown scikit-learn classifier 'SVR'; did you mean 'SVC'?"),
        ("PCA", {}, None),
        ("Pipeline", {}, None),
        ("GridSearchCV", {}, None),
        (
            "KNeighborsClassifier",
            {"n_neighbours": 3},
            ": unknown setting of KNeighborsClassifier: 'n_neighbours'; did you mean 'n_neighbors'? allowed: "
            "algorithm, leaf_size, metric, metric_params, n_neighbors, p, weights",
        ),
        (
            "KNeighborsClassifier",
            {"n_neighbors": "ten"},
            ".n_neighbors: is 'ten': must be an int in the range [1, inf) or None",
        ),
        (
            "LinearSVC",
            {"C": -1.0},
            ".C: is -1.0: must be a float in the range (0.0, inf)",
        ),
        (
            "LinearSVC",
            {"C": float("nan")},
            ".C: is not a number (.nan): must be a float in the range (0.0, inf)",
        ),
        ("SGDClassifier", {"n_jobs": -1}, ".n_jobs: leave it out; training.threads sets how many cores are used"),
        (
            "OneVsRestClassifier",
            {"estimator": {"class": "SGDClassifier", "n_jobs": 2}},
            ".estimator.n_jobs: leave it out; training.threads sets how many cores are used",
        ),
        (
            "OneVsRestClassifier",
            {},
            ": OneVsRestClassifier cannot be made: OneVsRestClassifier.__init__() missing 1 required positional "
            "argument: 'estimator'",
        ),
        (
            "OneVsRestClassifier",
            {"estimator": {"class": "SVR"}},
            ".estimator.class: unknown scikit-learn classifier 'SVR'; did you mean 'SVC'?",
        ),
        (
            "OneVsRestClassifier",
            {"estimator": {"class": 3}},
            ".estimator.class: is 3: must be the name of a scikit-learn classifier",
        ),
        (
            "VotingClassifier",
            {"estimators": [["a", {"class": "GaussianNB", "priors": 3}]]},
            ".estimators.0.1.priors: is 3: must be an array-like or None",
        ),
    ],
)
def test_classifiers_that_are_refused(name: str, settings: dict[str, Any], sentence: str | None) -> None:
    said = refused_classifier(name, **settings)
    if sentence is None:  # no name is near, or which one is near is of no account
        assert said.startswith(f"{BASELINE}.class: unknown scikit-learn classifier '{name}'")
    else:
        assert said == f"{BASELINE}{sentence}"


@pytest.mark.parametrize(
    "name",
    ["LinearRegression", "SVR", "RandomForestRegressor", "PCA", "StandardScaler", "KMeans", "OneHotEncoder"],
)
def test_regressors_and_transformers_cannot_be_named(name: str) -> None:
    assert name in dict(all_estimators())
    assert refused_classifier(name).startswith(f"{BASELINE}.class: unknown scikit-learn classifier '{name}'")


# All models of a file


def test_the_default_models_pass_both_checks() -> None:
    check_classes(BASELINES, DEFAULT, SEED)
    pictures = {
        "sgd": {"coefficients": WeightMap(rows=2, columns=5)},
        "mlp-48": {"hidden": WeightMap(columns=7)},
    }
    check_models(BASELINES, DEFAULT, pictures, image_size=(28, 28), classes=10, seed=SEED)


def test_every_model_that_does_not_fit_the_data_is_told_at_once() -> None:
    with pytest.raises(UserError) as caught:
        check_models(
            BASELINES, {name: DEFAULT[name] for name in PARAMETERS}, {}, image_size=(12, 12), classes=10, seed=SEED
        )
    first, second = str(caught.value).splitlines()
    assert first.startswith(
        "params.yaml: nets_section.cnn-15x15.layers.filters: Conv2D does not fit what comes in, (None, 12, 12, 1)"
    )
    # 12 - 5 + 1 = 8 < 9
    assert second.startswith(
        "params.yaml: nets_section.deep-cnn.layers.filters2: Conv2D does not fit what comes in, (None, 8, 8, 32)"
    )


def test_grids_too_small_for_the_weights() -> None:
    pictures = {
        "sgd": {"coefficients": WeightMap(rows=2, columns=4)},
        "mlp-48": {"hidden": WeightMap(rows=6, columns=7), "flatten": WeightMap()},
        "softmax": {"output": WeightMap(range=1.0)},
    }
    declared = {name: DEFAULT[name] for name in ("softmax", "mlp-48")}
    with pytest.raises(UserError) as caught:
        check_models(BASELINES, declared, pictures, image_size=(28, 28), classes=10, seed=SEED)
    place, remedy = "params.yaml: pictures.weights", "leave 'rows' out, and there are as many as are needed"
    assert str(caught.value).splitlines() == [
        f"{place}.sgd.coefficients: a grid of 2 x 4 has 8 cells, and there are 10 maps; {remedy}",
        f"{place}.mlp-48.hidden: a grid of 6 x 7 has 42 cells, and there are 48 maps; {remedy}",
        f"{place}.mlp-48.flatten: there are no weights to draw here; of mlp-48 are drawn: hidden, output",
    ]


@pytest.mark.parametrize(
    ("model", "layer", "how", "said"),
    [
        ("knn", "coefficients", {"range": 1.0}, "there are no weights to draw here; of knn are drawn: none"),
        ("svc-rbf", "coefficients", {}, "there are no weights to draw here; of svc-rbf are drawn: none"),
        # Its kernel looks at 32 pictures at once.
        (
            "deep-cnn",
            "filters2",
            {"columns": 8},
            "there are no weights to draw here; of deep-cnn are drawn: filters1",
        ),
        # 3,136 inputs: neither the pixels nor few enough for a matrix.
        ("cnn-15x15", "output", {"range": 1.0}, "there are no weights to draw here; of cnn-15x15 are drawn: filters"),
        ("fast", "norm1", {"range": 1.0}, "there are no weights to draw here; of fast are drawn: filters1, output"),
        (
            "mlp-48",
            "output",
            {"columns": 5},
            "its weights are drawn as one matrix, not as maps of pixels; leave out all but 'range'",
        ),
    ],
)
def test_settings_of_pictures_that_are_never_drawn(model: str, layer: str, how: dict[str, Any], said: str) -> None:
    one_of_each = (
        {name: each for name, each in BASELINES.items() if name == model},
        {name: each for name, each in DEFAULT.items() if name == model},
    )
    with pytest.raises(UserError) as caught:
        check_models(*one_of_each, {model: {layer: WeightMap(**how)}}, image_size=(28, 28), classes=10, seed=SEED)
    assert str(caught.value).startswith(f"params.yaml: pictures.weights.{model}.{layer}: {said}")


def test_the_range_of_a_matrix_is_a_setting() -> None:
    pictures = {"mlp-48": {"output": WeightMap(range=2.0)}}
    check_models({}, {"mlp-48": DEFAULT["mlp-48"]}, pictures, image_size=(28, 28), classes=10, seed=SEED)


UNSAVABLE = [
    ({"class": "KNeighborsClassifier", "algorithm": "kd_tree"}, "sklearn.neighbors._kd_tree.KDTree"),
    (
        {"class": "HistGradientBoostingClassifier", "categorical_features": [0], "max_iter": 10_000},
        "functools.partial",
    ),
    (
        {"class": "BaggingClassifier", "estimator": {"class": "KNeighborsClassifier", "algorithm": "ball_tree"}},
        "sklearn.neighbors._ball_tree.BallTree",
    ),
]


@pytest.mark.parametrize(("declared", "held"), UNSAVABLE, ids=[case["class"] for case, _ in UNSAVABLE])
def test_a_classifier_that_cannot_be_saved_is_refused_before_it_is_fitted(declared: dict[str, Any], held: str) -> None:
    with pytest.raises(UserError) as caught:
        check_models({"x": Declared.model_validate(declared)}, {}, {}, image_size=(28, 28), classes=10, seed=SEED)
    said = str(caught.value)
    assert said.startswith(f"{BASELINE}: cannot be saved: ")
    assert held in said and said.endswith("; choose another classifier or other settings")


def test_a_classifier_that_the_few_synthetic_images_do_not_suit_is_left_to_the_real_ones() -> None:
    for settings in ({"priors": [0.1] * 10}, {"var_smoothing": 1e-9}):
        model = classifier("GaussianNB", **settings)
        assert (trial_fit.fitted(model, 10) is None) == ("priors" in settings)
        declared = {"x": Declared.model_validate({"class": "GaussianNB", **settings})}
        check_models(declared, {}, {"x": {}}, image_size=(28, 28), classes=10, seed=SEED)


def test_a_trial_fit_is_short_and_leaves_the_classifier_as_it_is() -> None:
    forest = {"class": "RandomForestClassifier", "n_estimators": 100_000}
    model = classifier("BaggingClassifier", estimator=forest, n_estimators=100_000)
    fitted = trial_fit.fitted(model, 3)
    assert fitted is not None and [len(each) for each in fitted.estimators_] == [trial_fit.ROUNDS] * trial_fit.ROUNDS
    assert (model.n_estimators, model.estimator.n_estimators) == (100_000, 100_000)


def test_a_linear_classifier_of_two_classes_has_one_map() -> None:
    one = {"sgd": {"coefficients": WeightMap(rows=1, columns=1)}}
    check_models({"sgd": BASELINES["sgd"]}, {}, one, image_size=(28, 28), classes=2, seed=SEED)
    with pytest.raises(UserError, match="has 1 cells, and there are 3 maps"):
        check_models({"sgd": BASELINES["sgd"]}, {}, one, image_size=(28, 28), classes=3, seed=SEED)


# With the lines of the file


@pytest.mark.parametrize("mistake", [*CLASSES, *DATA], ids=str)
def test_what_the_libraries_and_the_data_tell_names_the_line(
    edited_params: Callable[..., str], mistake: Mistake
) -> None:
    text = edited_params((mistake.old, mistake.new))
    content = read()
    sections = check_structure(content)
    name = mistake.said.removeprefix("pictures.").split(".")[1].split(":")[0]
    declared = [
        {key: each for key, each in models.items() if key == name} for models in (sections.baselines, sections.nets)
    ]
    with pytest.raises(UserError) as caught, line_numbers(content):
        check_classes(*declared, SEED)
        assert mistake in DATA, "the data are not needed to tell"
        pictures = {key: each for key, each in sections.pictures.weights.items() if key == name}
        check_models(*declared, pictures, image_size=(28, 28), classes=10, seed=SEED)
    (said,) = str(caught.value).splitlines()
    expected = f"params.yaml, line {mistake.line(text)}: {mistake.said}"
    if expected.endswith("..."):
        assert said.startswith(expected.removesuffix("..."))
    else:
        assert said == expected


def test_a_mistake_of_each_of_several_models_is_told_with_its_line(edited_params: Callable[..., str]) -> None:
    kernel, picture = DATA[0], DATA[3]
    text = edited_params((kernel.old, kernel.new), (picture.old, picture.new))
    content = read()
    sections = check_structure(content)
    declared = {"sgd": sections.baselines["sgd"]}, {"deep-cnn": sections.nets["deep-cnn"]}
    with pytest.raises(UserError) as caught, line_numbers(content):
        check_models(*declared, sections.pictures.weights, image_size=(28, 28), classes=10, seed=SEED)
    assert str(caught.value).splitlines() == [
        f"params.yaml, line {mistake.line(text)}: {mistake.said}" for mistake in (picture, kernel)
    ]
