"""Builds the untrained Keras model of a declared net, and its optimiser."""

import inspect
from collections.abc import Mapping
from typing import Any

import keras

from stages.shared.models.fourier_conv2d import FourierConv2D, check_supported
from stages.shared.models.keras_objects import classes_of, create, reason, settings_of, substituted
from stages.shared.params.declared import Declared
from stages.shared.params.mistakes import declaration_error, describe
from stages.shared.params.nets_section import FULL_PRECISION, IMAGE, Net, Precision
from stages.shared.params.yaml_file import Place

CLASSES = "classes"  # as a setting of a layer, it stands for the number of classes
STEPS = "steps"  # as a setting of an optimiser, it stands for the number of training steps

# The only setting of a layer that is not Keras's own: how a Conv2D is computed in training.
METHOD = "method"
FOURIER = "fourier"


def build(name: str, net: Net, height: int, width: int, classes: int) -> keras.Model:
    """Build a declared net, with initial weights drawn by Keras's global random seed.

    Parameters
    ----------
    name : str
        The net's name in params.yaml.
    net : Net
        The declaration.
    height, width : int
        Size of the images in pixels; the net takes float32 (n, height, width, 1), 0-1.
    classes : int
        Number of classes, which `units: classes` stands for.

    Returns
    -------
    keras.Model
        Not compiled; its output is (n, classes).

    Raises
    ------
    DeclarationError
        A layer is unknown, has settings that Keras refuses, does not accept its input or is not connected to the
        output, or the output shape is wrong.
    """
    where: Place = ("nets", name)
    tensors = {IMAGE: keras.Input((height, width, 1), name=IMAGE)}
    previous, last = IMAGE, list(net.layers)[-1]
    for layer_name, declared in net.layers.items():
        place = (*where, "layers", layer_name)
        # Probabilities of 8 bits would not add up to 1, so the output layer is always computed in full precision.
        precision = FULL_PRECISION if layer_name == last else net.precision
        layer = make_layer(layer_name, declared, classes, precision, place)
        inputs = [tensors[source] for source in declared.input_names or [previous]]
        shapes = " and ".join(str(tuple(tensor.shape)) for tensor in inputs)
        try:
            if declared.class_.startswith("Adaptive") and _window_too_large(layer, inputs[0]):
                raise ValueError  # TensorFlow would divide by zero, which ends the process
            output = layer(inputs[0]) if len(inputs) == 1 else _call_with_several(layer, inputs)
        except Exception as error:  # errors of Keras, TensorFlow and NumPy, of many types
            key, why = _window_too_large(layer, inputs[0]) or ("class", reason(error))
            text = f"{declared.class_} does not accept the input {shapes}: {why}"
            raise declaration_error((*place, key), text) from None
        if not isinstance(output, keras.KerasTensor):
            text = f"{declared.class_} returns {len(output)} tensors for the input {shapes}; a layer must return one"
            remedy = "check its inputs, and settings that return a state or scores beside the output"
            raise declaration_error(place, f"{text}: {remedy}")
        tensors[layer_name] = output
        previous = layer_name
    output = tensors[last]
    if tuple(output.shape) != (None, classes):
        text = f"the output of the last layer is {tuple(output.shape)}; it must have one output per class"
        raise declaration_error((*where, "layers", last, "units"), f"{text}, (None, {classes}): write 'units: classes'")
    try:
        model = keras.Model(tensors[IMAGE], output, name=name)
    except Exception as error:  # for example, no layer is connected to the input
        raise declaration_error(where, f"these layers do not form a net: {reason(error)}") from None
    connected = {layer.name for layer in model.layers}
    for layer_name in net.layers:
        if layer_name not in connected:
            text = "the output does not depend on this layer; leave it out, or name it in 'inputs' of a later layer"
            raise declaration_error((*where, "layers", layer_name), text)
    return model


def make_layer(name: str, declared: Declared, classes: int, precision: Precision, where: Place) -> keras.layers.Layer:
    """Create one layer from its declaration.

    Parameters
    ----------
    name : str
        The layer's name.
    declared : Declared
        Its class and settings.
    classes : int
        Number of classes, which `units: classes` stands for.
    precision : {"float32", "mixed_bfloat16"}
        The layer's precision, unless it sets `dtype`.
    where : Place
        Place of the declaration in params.yaml.

    Raises
    ------
    DeclarationError
        The layer or one of its settings is unknown, or Keras refuses a value.
    """
    settings = substituted(declared.settings, CLASSES, classes)
    cls = classes_of(keras.layers, keras.layers.Layer).get(declared.class_, keras.layers.Layer)
    if "dtype" not in settings and "dtype" in settings_of(cls):
        # Positions in an image rounded to 8 bits, and random numbers that are exactly 0, would make NaN.
        settings["dtype"] = FULL_PRECISION if ".image_preprocessing." in cls.__module__ else precision
    method = settings.pop(METHOD, None)
    layer: keras.layers.Layer = create(
        keras.layers, keras.layers.Layer, declared.class_, {**settings, "name": name}, where, "Keras layer"
    )
    if method is None:
        return layer
    if type(layer) is not keras.layers.Conv2D or method != FOURIER:
        text = f"is {describe(method)}: the only method is '{FOURIER}', and only Conv2D has it"
        raise declaration_error((*where, METHOD), text)
    try:
        check_supported(layer)
    except ValueError as error:
        raise declaration_error((*where, METHOD), str(error)) from None
    return FourierConv2D.from_config(layer.get_config())


def make_optimizer(declared: Declared, steps: int, where: Place) -> keras.optimizers.Optimizer:
    """Create an optimiser from its declaration.

    Parameters
    ----------
    declared : Declared
        Its class and settings.
    steps : int
        Number of training steps, which `decay_steps: steps` of a learning-rate schedule stands for.
    where : Place
        Place of the declaration in params.yaml.

    Raises
    ------
    DeclarationError
        The optimiser, a learning-rate schedule or a setting is unknown, or Keras refuses a value.
    """
    settings = substituted(declared.settings, STEPS, steps)
    rate = settings.get("learning_rate")
    optimizer: keras.optimizers.Optimizer = create(
        keras.optimizers, keras.optimizers.Optimizer, declared.class_, settings, where, "Keras optimiser"
    )
    if isinstance(rate, Mapping):
        try:
            optimizer.learning_rate  # noqa: B018 - a schedule is computed when it is read; its constructor checks little
        except Exception as error:  # of many types
            text = f"{rate['class']} cannot use its settings: {reason(error)}"
            raise declaration_error((*where, "learning_rate"), text) from None
    return optimizer


def _call_with_several(layer: keras.layers.Layer, inputs: list[keras.KerasTensor]) -> Any:
    # Layers that merge take one list; attention layers take one argument per tensor.
    first = next(iter(inspect.signature(layer.call).parameters), "inputs")
    return layer(*inputs) if first == "query" else layer(inputs)


def _window_too_large(layer: keras.layers.Layer, tensor: keras.KerasTensor) -> tuple[str, str] | None:
    """Return the setting of a kernel or pooling window that is larger than the layer's input, and a message."""
    sides = tuple(tensor.shape[1:-1])
    for key in ("kernel_size", "pool_size", "output_size"):
        window, padding = getattr(layer, key, None), getattr(layer, "padding", "valid")
        if not isinstance(window, tuple) or len(window) != len(sides) or padding != "valid":
            continue
        dilation = getattr(layer, "dilation_rate", (1,) * len(window))
        covered = [(size - 1) * rate + 1 for size, rate in zip(window, dilation, strict=True)]
        if None not in sides and any(size > side for size, side in zip(covered, sides, strict=True)):
            window_size, input_size = (" x ".join(map(str, numbers)) for numbers in (covered, sides))
            return key, f"its {key} covers {window_size}, which must be at most {input_size}"
    return None
