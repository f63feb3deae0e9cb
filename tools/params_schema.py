"""Writes params.schema.json, with which editors complete and check params.yaml; `--check` compares."""

import inspect
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sklearn.utils import _param_validation as validation

from stages.check_params.structure import Params
from stages.shared.models.tensorflow_startup import start_tensorflow
from stages.shared.params.settings import NAME, RESERVED
from stages.shared.process.run import run
from tools.generated_file import write_or_check

SCHEMA = Path("params.schema.json")

NOT_DIGITS = "(?=.*[^0-9])"
# Its patterns have no flags for upper and lower case.
RESERVED_NAME = "|".join("".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in name) for name in RESERVED)
LAYER_NAME, MODEL_NAME = f"^{NOT_DIGITS}{NAME}$", f"^(?!({RESERVED_NAME})$){NOT_DIGITS}{NAME}$"

Schema = dict[str, Any]


def schema() -> Schema:
    """Return the JSON Schema of params.yaml: the sections' keys and types, and every class with its settings."""
    start_tensorflow()
    whole = _without_titles(Params.model_json_schema())
    definitions = whole.pop("$defs") | _keras() | _sklearn()
    baselines, nets = definitions["Baselines"], definitions["Nets"]
    layers, optimizer = (definitions["Net"]["properties"][key] for key in ("layers", "optimizer"))
    baselines["additionalProperties"] = _ref("Classifier")
    layers["additionalProperties"] = _ref("Layer")
    optimizer.update(_ref("Optimizer"))
    baselines["propertyNames"] = nets["propertyNames"] = {"pattern": MODEL_NAME}
    layers["propertyNames"] = {"pattern": LAYER_NAME, "not": {"const": "image"}}
    del definitions["Declared"]
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **whole,
        "title": "params.yaml",
        "description": "Written by `python -m tools.params_schema`.",
        "$defs": definitions,
    }


def written(whole: Schema) -> str:
    """Return the text of the file, with one line per definition, so that diffs are readable."""
    head = {key: value for key, value in whole.items() if key != "$defs"}
    lines = [f"  {json.dumps(name)}: {json.dumps(part)}" for name, part in sorted(whole["$defs"].items())]
    return json.dumps(head, indent=1)[:-2] + ',\n "$defs": {\n' + ",\n".join(lines) + "\n }\n}\n"


def _without_titles(value: Any) -> Any:
    """Remove the titles, which pydantic makes from the keys, and the line breaks of docstrings."""
    if isinstance(value, Mapping):
        return {key: _without_titles(item) for key, item in value.items() if key != "title"}
    if isinstance(value, list):
        return [_without_titles(item) for item in value]
    return value.replace("\n", " ") if isinstance(value, str) else value


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _one_of(kind: str, classes: Mapping[str, type], own: Schema, description: str) -> Schema:
    """Describe an object of one of several classes: its keys depend on `class`."""
    return {
        "description": description,
        "type": "object",
        "properties": {"class": {"enum": sorted(classes)}, **own},
        "required": ["class"],
        "allOf": [
            {
                "if": {"properties": {"class": {"const": name}}, "required": ["class"]},
                "then": _ref(f"{kind}.{classes[name].__name__}"),
            }
            for name in sorted(classes)
        ],
    }


def _with_settings(cls: type, settings: Schema, own: Iterable[str]) -> Schema:
    """Describe the settings of a class: those without a default are required, and others are not allowed."""
    parameters = inspect.signature(cls).parameters.values()
    required = [each.name for each in parameters if each.default is each.empty and each.name in settings]
    keys: Schema = {"class": True, **{key: True for key in own}, **dict(sorted(settings.items()))}
    return {"properties": keys, "additionalProperties": False} | ({"required": required} if required else {})


def _keras() -> Schema:
    import keras

    from stages.shared.models.build_net import FOURIER, METHOD, STEPS
    from stages.shared.models.keras_objects import NAMED, NESTED, classes_of, names_for, settings_of

    def setting(cls: type, key: str) -> Schema:
        for ending in (*NAMED, *NESTED):
            if key.endswith(ending):
                return _ref(ending)
        if key in ("units", "filters") and kind == "layer":
            return {"anyOf": [{"type": "integer", "minimum": 1}, {"const": "classes"}]}
        parameter = inspect.signature(cls).parameters.get(key)
        default = None if parameter is None else parameter.default
        return {"default": default} if isinstance(default, bool | int | float | str) else {}

    inputs = {
        "description": "Layers whose outputs it takes (`image` is the input); by default the previous layer.",
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}, {"type": "null"}],
    }
    method = {"enum": [FOURIER, None], "description": "How a Conv2D is computed in training."}
    definitions: Schema = {"activation": {"enum": [*names_for("activation"), None]}}
    for kind, (module, base) in (NESTED | {"optimizer": (keras.optimizers, keras.optimizers.Optimizer)}).items():
        if kind == "cell":
            continue  # a layer
        classes = classes_of(module, base)
        for cls in classes.values():
            own = () if kind != "layer" else ("inputs", METHOD) if cls is keras.layers.Conv2D else ("inputs",)
            settings = {key: setting(cls, key) for key in settings_of(cls)}
            definitions[f"{kind}.{cls.__name__}"] = _with_settings(cls, settings, own)
        object_ = _one_of(kind, classes, {}, f"A {kind.replace('_', ' ')} of Keras.")
        if kind in NAMED:
            definitions[kind] = {"anyOf": [{"enum": [*names_for(kind), None]}, object_]}
        elif kind == "learning_rate":
            number = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"const": STEPS}]}
            definitions[kind] = {"if": {"type": "object"}, "then": object_, "else": number}
        elif kind == "layer":
            definitions["Layer"] = _one_of(kind, classes, {"inputs": inputs, METHOD: method}, "A layer of Keras.")
            definitions[kind] = definitions["cell"] = _ref("Layer")
        else:
            definitions["Optimizer"] = object_
    return definitions


def _sklearn() -> Schema:
    from stages.shared.models.classifier_packages import PACKAGES, classifiers, settings_of

    known = classifiers()
    definitions: Schema = {}
    for cls in known.values():
        settings = {key: allowed_values(cls, key) for key in settings_of(cls)}
        definitions[f"classifier.{cls.__name__}"] = _with_settings(cls, settings, ())
    definitions["Classifier"] = _one_of("classifier", known, {}, "A classifier, of scikit-learn or by import path.")
    # A schema with the settings of packages that need not be installed could not be kept current.
    path = {"type": "string", "pattern": rf"^({'|'.join(PACKAGES)})\.\w+$"}
    named = definitions["Classifier"]["properties"]
    named["class"] = {"anyOf": [named["class"], path]}
    return definitions


def allowed_values(cls: type, setting: str) -> Schema:
    """Return the schema of a setting of a scikit-learn classifier; empty if its values cannot be described.

    scikit-learn has no public way to list the allowed values of a parameter; this is the only place that reads its
    private `_parameter_constraints`.

    Parameters
    ----------
    cls : type
        The classifier.
    setting : str
        Name of its parameter.
    """
    constraints = getattr(cls, "_parameter_constraints", {}).get(setting, "no_validation")
    if isinstance(constraints, str):
        return {}
    allowed: list[Schema] = []
    for constraint in constraints:
        match constraint if isinstance(constraint, str) else validation.make_constraint(constraint):
            case "boolean":
                allowed.append({"type": "boolean"})
            case "verbose":
                allowed += [{"type": "boolean"}, {"type": "integer"}]
            case "random_state":
                allowed += [{"type": "integer"}, {"type": "null"}]
            case validation.Interval() as interval:
                allowed.append(_interval(interval))
            case validation.StrOptions() | validation.Options() as options:
                allowed.append({"enum": sorted(options.options, key=str)})
            case _ if constraint is None:
                allowed.append({"type": "null"})
            case _ if callable(constraint) and not isinstance(constraint, type):
                continue  # YAML has no functions
            case _:
                return {}
    return {"anyOf": allowed} if len(allowed) > 1 else allowed[0] if allowed else {}


def _interval(interval: validation.Interval) -> Schema:
    described: Schema = {"type": "integer" if interval.type.__name__ == "Integral" else "number"}
    if interval.left is not None and abs(interval.left) != float("inf"):
        described["minimum" if interval.closed in ("left", "both") else "exclusiveMinimum"] = interval.left
    if interval.right is not None and abs(interval.right) != float("inf"):
        described["maximum" if interval.closed in ("right", "both") else "exclusiveMaximum"] = interval.right
    return described


def main() -> None:
    """Write the file, or check that it is up to date."""
    write_or_check(SCHEMA, written(schema()), "python -m tools.params_schema")


if __name__ == "__main__":
    run("params-schema", main)
