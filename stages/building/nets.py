"""From a net's declaration to an untrained Keras model."""

import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import keras

from stages.console import UserError
from stages.params.declared import Declared
from stages.params.nets import IMAGE, Net
from stages.params.reading import describe, unknown

CLASSES = "classes"  # written for a number, it stands for the data set's number of classes

# These run code of the user's, or of another framework, when a saved model is loaded.
REFUSED = ("Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper", "InputLayer")

# A setting that ends so takes an object of this module of Keras.
NESTED: dict[str, tuple[ModuleType, type]] = {
    "regularizer": (keras.regularizers, keras.regularizers.Regularizer),
    "initializer": (keras.initializers, keras.initializers.Initializer),
    "constraint": (keras.constraints, keras.constraints.Constraint),
    "layer": (keras.layers, keras.layers.Layer),
    "cell": (keras.layers, keras.layers.Layer),
    "learning_rate": (keras.optimizers.schedules, keras.optimizers.schedules.LearningRateSchedule),
}


def build(name: str, net: Net, height: int, width: int, classes: int) -> keras.Model:
    """Make the declared net, with fresh weights from Keras's global seed.

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
    UserError
        A layer that Keras does not have or refuses, one that does not fit what comes in, or a wrong output.
    """
    where = f"params.yaml: nets.{name}"
    tensors = {IMAGE: keras.Input((height, width, 1), name=IMAGE)}
    previous = IMAGE
    for layer_name, declared in net.layers.items():
        place = f"{where}.layers.{layer_name}"
        layer = make_layer(layer_name, declared, classes, place)
        sources = declared.input_names or [previous]
        incoming = [tensors[source] for source in sources]
        try:
            tensors[layer_name] = layer(incoming[0]) if len(incoming) == 1 else _join(layer, incoming)
        except (ValueError, TypeError, IndexError) as error:
            shapes = " and ".join(str(tuple(tensor.shape)) for tensor in incoming)
            raise UserError(
                f"{place}: {declared.class_} does not fit what comes in, {shapes}: {_line(error)}"
            ) from None
        previous = layer_name
    output = tensors[previous]
    if tuple(output.shape) != (None, classes):
        raise UserError(
            f"{where}.layers.{previous}: the last layer gives {tuple(output.shape)}; it must give one number a class, "
            f"(None, {classes}): write 'units: classes'"
        )
    return keras.Model(tensors[IMAGE], output, name=name)


def make_layer(name: str, declared: Declared, classes: int, where: str) -> keras.layers.Layer:
    """Make one layer from its declaration; raises UserError."""
    settings = {key: classes if value == CLASSES else value for key, value in declared.settings.items()}
    layer: keras.layers.Layer = _make(
        keras.layers, keras.layers.Layer, declared.class_, {**settings, "name": name}, where, "Keras layer"
    )
    return layer


def make_optimizer(declared: Declared, where: str) -> keras.optimizers.Optimizer:
    """Make an optimiser from its declaration; raises UserError."""
    optimizer: keras.optimizers.Optimizer = _make(
        keras.optimizers, keras.optimizers.Optimizer, declared.class_, declared.settings, where, "Keras optimiser"
    )
    return optimizer


def check_probabilities(model: keras.Model, where: str) -> None:
    """Refuse a net whose output is no probability distribution over the classes.

    Raises
    ------
    UserError
        The outputs for a blank and a grey image are negative or do not add up to 1.
    """
    height, width = model.input_shape[1:3]
    blank_and_grey = keras.ops.stack([keras.ops.zeros((height, width, 1)), keras.ops.full((height, width, 1), 0.5)])
    output = keras.ops.convert_to_numpy(model(blank_and_grey, training=False)).astype("float64")
    if (output < 0).any() or abs(output.sum(axis=1) - 1).max() > 1e-2:
        raise UserError(
            f"{where}: the last layer must give probabilities, which add up to 1: write 'activation: softmax'"
        )


def _join(layer: keras.layers.Layer, incoming: list[Any]) -> Any:
    # Layers that merge take one list, attention over several tensors takes one argument each.
    first = next(iter(inspect.signature(layer.call).parameters), "inputs")
    return layer(*incoming) if first == "query" else layer(incoming)


def _make(module: ModuleType, base: type, name: str, settings: Mapping[str, Any], where: str, kind: str) -> Any:
    classes = {
        key: value
        for key, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, base) and value is not base and key not in REFUSED
    }
    if name not in classes:
        reason = f"'{name}' cannot be used: it would run foreign code" if name in REFUSED else ""
        raise UserError(f"{where}.class: {reason or unknown(name, classes, kind)}")
    cls = classes[name]
    accepted = _accepted(cls)
    for key in settings:
        if key not in accepted:
            raise UserError(f"{where}: {unknown(key, accepted - {'name'}, f'setting of {name}:')}")
    arguments = {key: _nested(key, value, f"{where}.{key}") for key, value in settings.items()}
    try:
        return cls(**arguments)
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{where}: {name} refuses its settings: {_line(error)}") from None


def _nested(key: str, value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        return value
    if "class" not in value:
        # Keras would import whatever a mapping of its own serialised form names.
        raise UserError(f"{where}: is a mapping without 'class'; a Keras object is written {{class: NAME, ...}}")
    for ending, (module, base) in NESTED.items():
        if key.endswith(ending):
            name = value["class"]
            if not isinstance(name, str):
                raise UserError(f"{where}.class: is {describe(name)}: must be the name of a Keras {ending}")
            settings = {inner: item for inner, item in value.items() if inner != "class"}
            return _make(module, base, name, settings, where, f"Keras {ending}")
    raise UserError(f"{where}: takes no Keras class; only settings ending in {', '.join(NESTED)} do")


def _accepted(cls: type) -> set[str]:
    accepted: set[str] = set()
    for base in cls.__mro__:
        if base.__module__.startswith("keras.") and "__init__" in vars(base):
            for parameter in inspect.signature(vars(base)["__init__"]).parameters.values():
                if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                    accepted.add(parameter.name)
    return accepted - {"self"}


def _line(error: Exception) -> str:
    text = str(error).split("\n\n")[0].split("\nArguments received")[0]
    return " ".join(text.split())
