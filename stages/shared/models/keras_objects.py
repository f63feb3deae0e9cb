"""Creates Keras objects (layers, optimisers, and the objects in their settings) from their class name and settings."""

import inspect
import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import keras

from stages.shared.errors import unknown_name
from stages.shared.params.mistakes import DeclarationError, declaration_error, describe
from stages.shared.params.nets_section import IMAGE
from stages.shared.params.yaml_file import Place

FOREIGN = "loading a saved model would run code from outside Keras"
REFUSED = {
    **dict.fromkeys(("Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper"), FOREIGN),
    "InputLayer": f"the net already has an input layer, '{IMAGE}'",
    **dict.fromkeys(("MixUp", "CutMix"), "it mixes images, but not their labels"),
    **dict.fromkeys(
        ("RandomColorDegeneration", "RandomGrayscale", "RandomHue", "RandomSaturation"),
        "it changes colours, and the images are grey",
    ),
    "Equalization": "Keras does not make it part of a net",
    "MaxNumBoundingBoxes": "the images have no bounding boxes",
    **dict.fromkeys(("LossScaleOptimizer", "MultiOptimizer"), "an optimiser cannot have another one as a setting"),
}
VALUE_RANGE = {"value_range": [0, 1]}  # of the pixels; Keras's default is [0, 255]
LARGEST = 2**31 - 1  # of a setting; TensorFlow's operations end the process at larger numbers

# Ending of a setting's name -> module and base class of the object that it may hold.
NESTED: dict[str, tuple[ModuleType, type]] = {
    "regularizer": (keras.regularizers, keras.regularizers.Regularizer),
    "initializer": (keras.initializers, keras.initializers.Initializer),
    "constraint": (keras.constraints, keras.constraints.Constraint),
    "layer": (keras.layers, keras.layers.Layer),
    "cell": (keras.layers, keras.layers.Layer),
    "learning_rate": (keras.optimizers.schedules, keras.optimizers.schedules.LearningRateSchedule),
}

# Ending of a setting's name -> module of the function or class that it may name by a string.
NAMED: dict[str, ModuleType] = {
    "regularizer": keras.regularizers,
    "initializer": keras.initializers,
    "constraint": keras.constraints,
    "activation": keras.activations,
}
ALIASES = ("l1l2", "normal", "one", "uniform", "zero")  # names that are not in these modules


def create(module: ModuleType, base: type, name: str, settings: Mapping[str, Any], where: Place, kind: str) -> Any:
    """Create an object of a class of Keras.

    Parameters
    ----------
    module, base : module, type
        The class is a subclass of `base` in `module`.
    name : str
        Name of the class.
    settings : mapping
        Its arguments. A mapping with the key `class` stands for a further object.
    where : Place
        Place of the declaration in params.yaml.
    kind : str
        What the class is called in messages.

    Raises
    ------
    DeclarationError
        The class or one of its settings is unknown, or Keras refuses a value.
    """
    classes = classes_of(module, base)
    if name not in classes:
        text = f"'{name}' cannot be used: {REFUSED[name]}" if name in REFUSED else unknown_name(name, classes, kind)
        raise declaration_error((*where, "class"), text)
    accepted = settings_of(classes[name])
    for key in settings:
        if key not in accepted and key != "name":
            raise declaration_error((*where, key), unknown_name(key, accepted, f"setting of {name}:"))
    if accepted.issuperset(VALUE_RANGE):
        settings = {**VALUE_RANGE, **settings}
    arguments = {key: _resolved(key, value, (*where, key)) for key, value in settings.items()}
    try:
        return classes[name](**arguments)
    except Exception as error:  # constructors raise errors of many types
        raise _refusal(name, settings, where, reason(error)) from None


def classes_of(module: ModuleType, base: type) -> dict[str, type]:
    """Return the classes of a Keras module that can be declared, by name."""
    return {
        key: value
        for key, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, base) and value is not base and key not in REFUSED
    }


def settings_of(cls: type) -> set[str]:
    """Return the settings of a Keras class that can be declared, including those that its base classes take."""
    accepted: set[str] = set()
    for base in cls.__mro__:
        if base.__module__.startswith("keras.") and "__init__" in vars(base):
            parameters = inspect.signature(vars(base)["__init__"]).parameters.values()
            accepted.update(
                each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
            )
            if not any(each.kind is each.VAR_KEYWORD for each in parameters):
                break  # it passes none on to its base class
    return accepted - {"self", "name"}


def names_for(ending: str) -> list[str]:
    """Return the names that a setting with this ending, a key of `NAMED`, may have."""
    names = {*vars(NAMED[ending]), *ALIASES} - {ending.capitalize()}  # the base class
    return sorted(name for name in names if _is_name(name, NAMED[ending]))


def substituted(value: Any, word: str, number: int) -> Any:
    """Replace a word by the number that it stands for, in a setting or anywhere within it."""
    if isinstance(value, Mapping):
        return {key: substituted(item, word, number) for key, item in value.items()}
    if isinstance(value, list):
        return [substituted(item, word, number) for item in value]
    return number if value == word else value


def reason(error: Exception) -> str:
    """Return the reason in a message of Keras, without its heading, arguments and bold type, as one line."""
    # Also without the configuration of a layer that cannot be loaded, and without TensorFlow's name of an operation.
    text = re.sub(r"\x1b\[\d*m|\{\{.*?\}\}", "", str(error)).rpartition("Exception encountered: ")[2]
    heading, *paragraphs = text.split("\nArguments received")[0].split("\n\n")
    if heading.startswith("Exception encountered when calling") and paragraphs:
        heading = paragraphs[0]
    return " ".join(heading.split()) or type(error).__name__


def _resolved(key: str, value: Any, where: Place) -> Any:
    """Return the value of a setting with the objects that its mappings declare."""
    if isinstance(value, list):
        # StackedRNNCells has the setting `cells`, a list of objects that other classes have as `cell`.
        return [_resolved(key.removesuffix("s"), item, (*where, position)) for position, item in enumerate(value)]
    if isinstance(value, int) and abs(value) > LARGEST:
        raise declaration_error(where, f"is {value}: must be at most {LARGEST}")
    if not isinstance(value, Mapping):
        return value
    if "class" not in value:
        # In its own serialised form, Keras would import anything that a mapping names.
        raise declaration_error(where, "is a mapping without 'class'; a Keras object is written {class: NAME, ...}")
    for ending, (module, base) in NESTED.items():
        if key.endswith(ending):
            name = value["class"]
            if not isinstance(name, str):
                raise declaration_error((*where, "class"), f"is {describe(name)}: must be the name of a Keras {ending}")
            settings = {inner: item for inner, item in value.items() if inner != "class"}
            return create(module, base, name, settings, where, f"Keras {ending}")
    raise declaration_error(where, f"cannot be a Keras object; settings that end in {', '.join(NESTED)} can")


def _is_name(name: str, module: ModuleType) -> bool:
    try:
        return callable(module.get(name))
    except Exception:  # Keras raises errors of many types
        return False


def _refusal(name: str, settings: Mapping[str, Any], where: Place, text: str) -> DeclarationError:
    """Return the error for refused settings: of the only setting that Keras's message mentions, or of all."""
    mentioned = [key for key in settings if key != "name" and re.search(rf"\b{key}\b", text)]
    if len(mentioned) != 1:
        return declaration_error(where, f"{name} refuses its settings: {text}")
    (key,) = mentioned
    return declaration_error((*where, key), f"is {describe(settings[key])}: {name} refuses it: {text}")
