"""Every class of Keras that can be declared: trained, saved and loaded again, or refused with a sentence."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from stages.check_params.classes import check_classes, read_definitions
from stages.shared.errors import UserError
from stages.shared.files.keras_models import load_net, save_net
from stages.shared.files.paths import SCHEMA
from stages.shared.models.build_net import build, make_optimizer
from stages.shared.models.fourier_conv2d import plain
from stages.shared.models.keras_objects import NAMED, NESTED, classes_of, names_for
from stages.shared.params.nets_section import Net
from stages.shared.trials.try_models import check_models
from stages.train_nets.training import train
from tests.fixtures.small_project import ROOT
from tests.fixtures.synthetic import digits, pixels

pytestmark = pytest.mark.slow

SIDE, CLASSES = 12, 4
FLATTEN = {"class": "Flatten"}
OUTPUT = {"class": "Dense", "units": "classes", "activation": "softmax"}
# Layers before the one that is tried, for the shapes that layers take.
BEFORE: tuple[dict[str, Any], ...] = (
    {},
    {"flatten": FLATTEN},
    *(
        {"shaped": {"class": "Reshape", "target_shape": list(shape)}}
        for shape in ((12, 12), (12, 4, 3, 1), (3, 4, 4, 3, 1))
    ),
)
CELL = {"class": "LSTMCell", "units": 3}
SETTINGS: dict[str, Any] = {  # by name, for settings without a default
    "activation": "relu",
    "axes": -1,
    "cell": CELL,
    "cells": [CELL],
    "dims": [2, 1, 3],
    "equation": "ab,bc->ac",
    "height_factor": 0.1,
    "layer": {"class": "Dense", "units": 3},
    "layers": [{"class": "RandomFlip"}, {"class": "RandomContrast", "factor": 0.2}],
    "output_size": 2,
    "pool_size": 2,
    "rate": 0.3,
    "scale": 0.5,
    "stddev": 0.1,
    "target_shape": [72, 2],
    "width_factor": 0.1,
}
MORE: dict[str, dict[str, Any]] = {
    "Bidirectional": {"layer": {"class": "LSTM", "units": 3}},
    "CategoryEncoding": {"num_tokens": 5, "output_mode": "count"},
    "Discretization": {"bin_boundaries": [0.2, 0.6]},
    "Embedding": {"input_dim": 9, "output_dim": 2},
    "GroupNormalization": {"groups": 1},
    "Normalization": {"mean": 0.1, "variance": 0.2},
    "RandomBrightness": {"factor": 0.2},
    "RandomContrast": {"factor": 0.2},
    "RandomRotation": {"factor": 0.2},
    "RandomSharpness": {"factor": 0.2},
    "RandomShear": {"x_factor": 0.1},
}
REFUSED = {  # by check-params or check-models
    *("GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells", "Wrapper"),
    *("HashedCrossing", "Hashing", "IntegerLookup", "StringLookup", "TextVectorization"),
    *("MelSpectrogram", "STFTSpectrogram", "RandomShear"),
    *("CategoryEncoding", "Embedding", "ReversibleEmbedding"),  # the same for all images of 0-1
    "Subtract",  # 0 for two inputs that are the same
}

DEFINITIONS = read_definitions(ROOT / SCHEMA)
LAYERS = sorted(classes_of(keras.layers, keras.layers.Layer))


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def checked(declared: Net) -> str:
    """Return the message with which a net is refused; empty if it is not."""
    try:
        layers = {name: layer.model_dump(by_alias=True) for name, layer in declared.layers.items()}
        params = {"layers": layers, "optimizer": declared.optimizer.model_dump(by_alias=True)}
        check_classes({"baselines": {}, "nets": {"x": params}}, DEFINITIONS)
        check_models({}, {"x": declared}, {}, rows=32, image_size=(SIDE, SIDE), classes=CLASSES, seed=1)
    except UserError as error:
        message = str(error)
        assert message.startswith("params.yaml: nets.x") and message.isprintable(), message
        return message
    return ""


def net(layers: dict[str, Any], **settings: Any) -> Net:
    return Net.model_validate({"layers": layers, "epochs": 1, "batch_size": 8, **settings})


def assert_trains(declared: Net) -> None:
    """Train, save and load the net as the stage does; the loaded one predicts the same."""
    keras.utils.set_random_seed(1)
    images, labels = digits(32, size=SIDE, classes=CLASSES, seed=1)
    model = build("x", declared, SIDE, SIDE, CLASSES)
    optimizer = make_optimizer(declared.optimizer, 4, ("nets", "x", "optimizer"))
    values = pixels(images)
    train(model, optimizer, values, labels, (values, labels), epochs=1, batch_size=8, patience=1, name="x")
    trained = plain(model)
    save_net("x", trained)
    before, after = (each(values[..., None], training=False) for each in (trained, load_net("x")))
    np.testing.assert_allclose(before, after, atol=1e-5)


def candidates(name: str) -> Iterator[dict[str, Any]]:
    """Yield nets that have the layer in different places."""
    parameters = inspect.signature(getattr(keras.layers, name)).parameters.values()
    required = [each.name for each in parameters if each.default is each.empty and each.kind is not each.VAR_KEYWORD]
    layer = {"class": name, **{key: SETTINGS.get(key, 3) for key in required}, **MORE.get(name, {})}
    for before in BEFORE:
        source = [*before, "image"][0]
        for inputs in (None, [source, source]):
            for last in (FLATTEN, {"class": "GlobalAveragePooling2D"}):
                yield {**before, "tried": {**layer, "inputs": inputs}, "last": last, "output": OUTPUT}


@pytest.mark.filterwarnings("ignore:.*was passed an input with a mask attached to it:UserWarning")
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer(name: str) -> None:
    for layers in candidates(name):
        declared = net(layers)
        if not checked(declared):
            break
    else:
        assert name in REFUSED
        return
    assert name not in REFUSED
    assert_trains(declared)


def names(ending: str) -> list[str]:
    return [name for name in names_for(ending) if ending != "activation" or name not in ("serialize", "deserialize")]


UNFIT = {  # of all kernels, of those with more than two axes, or without further arguments
    *("STFT", "STFTInitializer", "stft", "Identity", "IdentityInitializer", "identity"),
    *("OrthogonalRegularizer", "orthogonal_regularizer", "glu", "threshold"),
}


def net_of_several(ending: str, names: list[str], layer: dict[str, Any]) -> Net:
    """Declare a net in which each name is the setting of a layer of its own; the layers are side by side."""
    key = ending if ending == "activation" else f"kernel_{ending}"
    tried = {f"tried{number}": {**layer, key: name, "inputs": "first"} for number, name in enumerate(names)}
    first = {"class": "Flatten"} if layer["class"] == "Dense" else {"class": "Activation", "activation": "linear"}
    joined = {"joined": {"class": "Concatenate", "inputs": list(tried)}} if len(names) > 1 else {}
    return net({"first": first, **tried, **joined, "last": FLATTEN, "output": OUTPUT})


@pytest.mark.parametrize("ending", NAMED)
@pytest.mark.parametrize("layer", [{"class": "Dense", "units": 4}, {"class": "Conv2D", "filters": 2, "kernel_size": 2}])
def test_objects_of_layers(ending: str, layer: dict[str, Any]) -> None:
    fit = net_of_several(ending, [name for name in names(ending) if name not in UNFIT], layer)
    assert not checked(fit)
    assert_trains(fit)
    for name in UNFIT.intersection(names(ending)):
        if not checked(alone := net_of_several(ending, [name], layer)):
            assert_trains(alone)


RATES: dict[str, dict[str, Any]] = {
    "ExponentialDecay": {"decay_steps": 3, "decay_rate": 0.5},
    "InverseTimeDecay": {"decay_steps": 3, "decay_rate": 0.5},
    "PolynomialDecay": {"decay_steps": 3},
    "CosineDecay": {"decay_steps": "steps"},
    "CosineDecayRestarts": {"first_decay_steps": 2},
}


@pytest.mark.parametrize("name", sorted(classes_of(keras.optimizers, keras.optimizers.Optimizer)))
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"gradient_accumulation_steps": 2},
        {"loss_scale_factor": 4.0},
        {"weight_decay": 0.01, "global_clipnorm": 1.0},
    ],
    ids=str,
)
def test_an_optimiser(name: str, settings: dict[str, Any]) -> None:
    declared = net({"flatten": FLATTEN, "output": OUTPUT}, optimizer={"class": name, **settings})
    assert not checked(declared)
    assert_trains(declared)


@pytest.mark.parametrize("name", sorted(classes_of(*NESTED["learning_rate"])))
def test_a_schedule(name: str) -> None:
    rate = {"initial_learning_rate": 0.01, **RATES.get(name, {})}
    if name == "PiecewiseConstantDecay":
        rate = {"boundaries": [2], "values": [0.01, 0.001]}
    declared = net(
        {"flatten": FLATTEN, "output": OUTPUT}, optimizer={"class": "SGD", "learning_rate": {"class": name, **rate}}
    )
    assert not checked(declared)
    assert_trains(declared)
