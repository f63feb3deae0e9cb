"""From a net's declaration to an untrained Keras model."""

import inspect
import math
import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import keras

from stages.shared.errors import unknown_name
from stages.shared.models.fourier_conv2d import FourierConv2D, check_supported
from stages.shared.params.declared import Declared
from stages.shared.params.mistakes import DeclarationError, declaration_error, describe
from stages.shared.params.nets_section import FULL_PRECISION, IMAGE, Net, Precision
from stages.shared.params.yaml_file import Place

CLASSES = "classes"  # written for a number, it stands for the data set's number of classes
STEPS = "steps"  # written for a number in an optimiser, it stands for the steps of the whole training

FOREIGN = "it would run foreign code"  # of the user's or of another framework, when a saved model is loaded
REFUSED = {
    **dict.fromkeys(("Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper"), FOREIGN),
    "InputLayer": f"the input is there already; a layer names it '{IMAGE}'",
}

# How a Conv2D is computed in training: the one setting of a layer that is not Keras's own.
METHOD = "method"
FOURIER = "fourier"

# A setting that ends so takes an object of this module of Keras.
NESTED: dict[str, tuple[ModuleType, type]] = {
    "regularizer": (keras.regularizers, keras.regularizers.Regularizer),
    "initializer": (keras.initializers, keras.initializers.Initializer),
    "constraint": (keras.constraints, keras.constraints.Constraint),
    "layer": (keras.layers, keras.layers.Layer),
    "cell": (keras.layers, keras.layers.Layer),
    "learning_rate": (keras.optimizers.schedules, keras.optimizers.schedules.LearningRateSchedule),
}

# A setting that ends so may name a function or class of this module.
NAMED: dict[str, ModuleType] = {
    "regularizer": keras.regularizers,
    "initializer": keras.initializers,
    "constraint": keras.constraints,
    "activation": keras.activations,
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
    DeclarationError
        A layer that Keras does not have or refuses, one that does not fit what comes in, or a wrong output.
    """
    where: Place = ("nets", name)
    tensors = {IMAGE: keras.Input((height, width, 1), name=IMAGE)}
    previous, last = IMAGE, list(net.layers)[-1]
    for layer_name, declared in net.layers.items():
        place = (*where, "layers", layer_name)
        # Probabilities in 8 bits would not add up to 1: what the last layer gives is full precision in any net.
        precision = FULL_PRECISION if layer_name == last else net.precision
        layer = make_layer(layer_name, declared, classes, precision, place)
        sources = declared.input_names or [previous]
        incoming = [tensors[source] for source in sources]
        shapes = " and ".join(str(tuple(tensor.shape)) for tensor in incoming)
        try:
            made = layer(incoming[0]) if len(incoming) == 1 else _join(layer, incoming)
        except Exception as error:  # a layer's own, TensorFlow's or NumPy's: all say that it does not fit
            key, reason = _larger(layer, incoming[0]) or ("class", _line(error))
            raise declaration_error(
                (*place, key), f"{declared.class_} does not accept the input {shapes}: {reason}"
            ) from None
        if not isinstance(made, keras.KerasTensor):
            raise declaration_error(
                place,
                f"{declared.class_} returns {len(made)} tensors for the input {shapes}; a layer must return one: "
                "check its inputs, and settings that return a state or scores beside the output",
            )
        tensors[layer_name] = made
        previous = layer_name
    output = tensors[previous]
    if tuple(output.shape) != (None, classes):
        raise declaration_error(
            (*where, "layers", previous, "units"),
            f"the output of the last layer is {tuple(output.shape)}; it must have one output per class, "
            f"(None, {classes}): write 'units: classes'",
        )
    try:
        return keras.Model(tensors[IMAGE], output, name=name)
    except Exception as error:  # a layer that left no trace of its input
        raise declaration_error(where, f"these layers make no net: {_line(error)}") from None


def make_layer(name: str, declared: Declared, classes: int, precision: Precision, where: Place) -> keras.layers.Layer:
    """Make one layer from its declaration, in this precision unless it sets its own `dtype`."""
    settings = {"dtype": precision} | {
        key: _filled(value, CLASSES, classes) for key, value in declared.settings.items()
    }
    if "name" in settings:
        raise declaration_error((*where, "name"), f"leave it out; the layer's key, '{name}', is its name")
    method = settings.pop(METHOD, None)
    layer: keras.layers.Layer = _make(
        keras.layers, keras.layers.Layer, declared.class_, {**settings, "name": name}, where, "Keras layer"
    )
    if method is None:
        return layer
    if type(layer) is not keras.layers.Conv2D or method != FOURIER:
        raise declaration_error(
            (*where, METHOD), f"is {describe(method)}: only a Conv2D takes it, and only '{FOURIER}'"
        )
    try:
        check_supported(layer)
    except ValueError as error:
        raise declaration_error((*where, METHOD), str(error)) from None
    return FourierConv2D.from_config(layer.get_config())


def make_optimizer(declared: Declared, steps: int, where: Place) -> keras.optimizers.Optimizer:
    """Make an optimiser from its declaration.

    Parameters
    ----------
    declared : Declared
        Class and settings.
    steps : int
        Steps of the whole training, which a setting `steps` stands for: the length of a learning-rate schedule.
    where : Place
        Where the declaration stands in params.yaml, for messages.

    Raises
    ------
    DeclarationError
        No such optimiser or schedule, or a setting that it refuses.
    """
    settings = {key: _filled(value, STEPS, steps) for key, value in declared.settings.items()}
    rate = settings.get("learning_rate")
    if isinstance(rate, bool) or (isinstance(rate, int | float) and not 0 < rate < math.inf):
        raise declaration_error((*where, "learning_rate"), f"is {describe(rate)}: must be a number greater than 0")
    optimizer: keras.optimizers.Optimizer = _make(
        keras.optimizers, keras.optimizers.Optimizer, declared.class_, settings, where, "Keras optimiser"
    )
    if isinstance(rate, Mapping):
        try:
            optimizer.learning_rate  # noqa: B018 - asked for, a schedule computes; when it is made it checks little
        except Exception as error:  # as in `_make`
            raise declaration_error(
                (*where, "learning_rate"), f"{rate['class']} cannot use its settings: {_line(error)}"
            ) from None
    return optimizer


def check_step(optimizer: keras.optimizers.Optimizer, where: Place) -> None:
    """Refuse an optimiser that cannot make a step with its settings; it is left as it is.

    Raises
    ------
    DeclarationError
        Some settings are looked at in a step alone.
    """
    weights = keras.Variable([[0.5, -0.5]])
    try:
        type(optimizer).from_config(optimizer.get_config()).apply([keras.ops.ones((1, 2))], [weights])
    except Exception as error:  # as in `build`
        raise declaration_error(where, f"{type(optimizer).__name__} cannot use its settings: {_line(error)}") from None


def check_probabilities(model: keras.Model, where: Place) -> None:
    """Refuse a net whose output is no probability distribution over the classes.

    Raises
    ------
    DeclarationError
        The outputs for a blank and a grey image are negative or do not add up to 1, or the net cannot compute them.
    """
    height, width = model.input_shape[1:3]
    blank_and_grey = keras.ops.stack([keras.ops.zeros((height, width, 1)), keras.ops.full((height, width, 1), 0.5)])
    try:
        output = keras.ops.convert_to_numpy(model(blank_and_grey, training=False)).astype("float64")
    except Exception as error:  # as in `build`
        raise declaration_error(where, f"this net cannot compute anything: {_line(error)}") from None
    # Not the other way round: every comparison with a NaN is false.
    if not ((output >= 0).all() and abs(output.sum(axis=1) - 1).max() <= 1e-2):
        raise declaration_error(
            (*where, "layers", model.output_names[0], "activation"),
            "the last layer must return probabilities, which add up to 1: write 'activation: softmax'",
        )


def _join(layer: keras.layers.Layer, incoming: list[Any]) -> Any:
    # Layers that merge take one list, attention over several tensors takes one argument each.
    first = next(iter(inspect.signature(layer.call).parameters), "inputs")
    return layer(*incoming) if first == "query" else layer(incoming)


def _make(module: ModuleType, base: type, name: str, settings: Mapping[str, Any], where: Place, kind: str) -> Any:
    classes = classes_of(module, base)
    if name not in classes:
        reason = f"'{name}' cannot be used: {REFUSED[name]}" if name in REFUSED else ""
        raise declaration_error((*where, "class"), reason or unknown_name(name, classes, kind))
    cls = classes[name]
    accepted = settings_of(cls)
    for key in settings:
        if key not in accepted and key != "name":
            raise declaration_error((*where, key), unknown_name(key, accepted, f"setting of {name}:"))
    arguments = {key: _nested(key, value, (*where, key)) for key, value in settings.items()}
    try:
        return cls(**arguments)
    except Exception as error:  # a constructor checks nothing but its arguments
        raise _refusal(name, settings, where, _line(error)) from None


def _filled(value: Any, word: str, number: int) -> Any:
    """Put a number where a setting, or one of an object within it, has the word that stands for it."""
    if isinstance(value, Mapping):
        return {key: _filled(item, word, number) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, word, number) for item in value]
    return number if value == word else value


def _nested(key: str, value: Any, where: Place) -> Any:
    if isinstance(value, list):
        # `cells` of StackedRNNCells is a list of what would be a `cell`.
        return [_nested(key.removesuffix("s"), item, (*where, position)) for position, item in enumerate(value)]
    if isinstance(value, str):
        _check_name(key, value, where)
    if not isinstance(value, Mapping):
        return value
    if "class" not in value:
        # Keras would import whatever a mapping of its own serialised form names.
        raise declaration_error(where, "is a mapping without 'class'; a Keras object is written {class: NAME, ...}")
    for ending, (module, base) in NESTED.items():
        if key.endswith(ending):
            name = value["class"]
            if not isinstance(name, str):
                raise declaration_error((*where, "class"), f"is {describe(name)}: must be the name of a Keras {ending}")
            settings = {inner: item for inner, item in value.items() if inner != "class"}
            return _make(module, base, name, settings, where, f"Keras {ending}")
    raise declaration_error(where, f"takes no Keras class; only settings ending in {', '.join(NESTED)} do")


def _check_name(key: str, value: str, where: Place) -> None:
    """Refuse a word that names nothing where Keras takes a function's or an object's name."""
    for ending, module in NAMED.items():
        if key.endswith(ending):
            try:
                module.get(value)
            except Exception:  # Keras says which it could not interpret, and not which it could
                raise declaration_error(where, unknown_name(value, words_for(ending), f"Keras {ending}")) from None


def words_for(ending: str) -> list[str]:
    """Return what a setting that ends so may name by a word."""
    no_names = ("get", "serialize", "deserialize", ending.capitalize())
    return [name for name, held in vars(NAMED[ending]).items() if callable(held) and name not in no_names]


def _larger(layer: keras.layers.Layer, incoming: Any) -> tuple[str, str] | None:
    """Say of a window larger than what is left of the image which setting it is, and what is left; else None."""
    for key in ("kernel_size", "pool_size"):
        window = getattr(layer, key, None)
        left = tuple(incoming.shape[1:-1])
        if not isinstance(window, tuple) or len(window) != len(left) or getattr(layer, "padding", "") != "valid":
            continue
        rates = getattr(layer, "dilation_rate", (1,) * len(window))
        reach = [(size - 1) * rate + 1 for size, rate in zip(window, rates, strict=True)]
        if None not in left and any(size > side for size, side in zip(reach, left, strict=True)):
            sizes, sides = (" x ".join(map(str, numbers)) for numbers in (reach, left))
            return key, f"its {key} covers {sizes}, and {sides} is left of the image; it must be no larger"
    return None


def _refusal(name: str, settings: Mapping[str, Any], where: Place, reason: str) -> DeclarationError:
    """Make the exception for a refused setting, which is the only one that the reason speaks of, or for all."""
    guilty = [key for key in settings if key != "name" and re.search(rf"\b{key}\b", reason)]
    if len(guilty) != 1:
        return declaration_error(where, f"{name} refuses its settings: {reason}")
    (key,) = guilty
    return declaration_error((*where, key), f"is {describe(settings[key])}: {name} refuses it: {reason}")


def classes_of(module: ModuleType, base: type) -> dict[str, type]:
    """Return the classes of a module of Keras that can be named, by name."""
    return {
        key: value
        for key, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, base) and value is not base and key not in REFUSED
    }


def settings_of(cls: type) -> set[str]:
    """Return the settings that a class of Keras takes and that can be declared."""
    accepted: set[str] = set()
    for base in cls.__mro__:
        if base.__module__.startswith("keras.") and "__init__" in vars(base):
            for parameter in inspect.signature(vars(base)["__init__"]).parameters.values():
                if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                    accepted.add(parameter.name)
    return accepted - {"self", "name"}


def _line(error: Exception) -> str:
    # Keras puts a heading before and the arguments after the reason, which stands in bold.
    text = re.sub(r"\x1b\[\d*m", "", str(error))
    paragraphs = text.split("\nArguments received")[0].split("\n\n")
    reason = paragraphs[0] or type(error).__name__
    if reason.startswith("Exception encountered when calling") and len(paragraphs) > 1:
        reason = paragraphs[1]
    return " ".join(reason.split())
