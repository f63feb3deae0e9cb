"""Writes params.schema.json, with which check-params and editors check params.yaml, and that of the studies.

`--check` compares.

`errorMessage`, a keyword of editors, is the text of a message about a value that the schema does not allow.
"""

import inspect
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from sklearn.utils import _param_validation as validation

from stages.check_params.structure import Params
from stages.shared.files.paths import SCHEMA
from stages.shared.models.tensorflow_startup import start_tensorflow
from stages.shared.params.settings import NAME, RESERVED
from stages.shared.process.run import run
from studies.settings import STUDIES, StudiesFile
from tools.generated_file import write_or_check

NOT_DIGITS = "(?=.*[^0-9])"
# Its patterns have no flags for upper and lower case.
RESERVED_NAME = "|".join("".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in name) for name in RESERVED)
LAYER_NAME, MODEL_NAME = f"^{NOT_DIGITS}{NAME}$", f"^(?!({RESERVED_NAME})$){NOT_DIGITS}{NAME}$"

Schema = dict[str, Any]

FORBIDDEN: Schema = {"not": {}}
AVERAGES = {"errorMessage": "leave it out; averages of the weights would be saved, but other weights validated"}
# Settings of Keras whose other values Keras accepts, and that do not suit the images or the training.
SUITABLE: dict[str, Schema] = {
    "use_ema": {"enum": [False, None]} | AVERAGES,
    **dict.fromkeys(("ema_momentum", "ema_overwrite_frequency"), FORBIDDEN | AVERAGES),
    "value_range": {"enum": [[0, 1]], "errorMessage": "must be [0, 1], the range of the pixels, or left out"},
    "fill_value": {
        "type": ["number", "null"],
        "minimum": 0,
        "maximum": 1,
        "errorMessage": "must be a grey value in [0, 1]",
    },
    "data_format": {
        "enum": ["channels_last", None],
        "errorMessage": "must be left out, as the images have the shape (height, width, 1)",
    },
}
# Settings that Keras would compute from data by `adapt`, which the pipeline does not call.
ADAPTED = ("bin_boundaries", "mean", "variance", "vocabulary")


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
    lines = [
        f"  {json.dumps(name)}: {json.dumps(part, allow_nan=False)}" for name, part in sorted(whole["$defs"].items())
    ]
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


def _one_of(title: str, classes: Mapping[str, str], refused: Mapping[str, str], own: Schema) -> Schema:
    """Describe an object of one of several classes: its keys depend on `class`.

    Parameters
    ----------
    title : str
        What messages call such a class.
    classes : mapping of str to str
        Name of a class -> the definition of its settings.
    refused : mapping of str to str
        Name of a class that cannot be used -> why.
    own : mapping
        Settings that are not of the class.
    """
    described = {name: _ref(definition) for name, definition in classes.items()}
    described |= {name: FORBIDDEN | {"errorMessage": f"cannot be used: {why}"} for name, why in refused.items()}
    return {
        "title": title,
        "type": "object",
        "properties": {"class": {"title": title, "enum": sorted(classes)}, **own},
        "required": ["class"],
        "allOf": [
            {"if": {"properties": {"class": {"const": name}}, "required": ["class"]}, "then": described[name]}
            for name in sorted(described)
        ],
    }


def _with_settings(settings: Schema, required: Iterable[str], own: Schema) -> Schema:
    """Describe the settings of a class: others are not allowed."""
    needed = sorted(set(required).intersection(settings))
    keys: Schema = {"class": True, **own, **dict(sorted(settings.items()))}
    return {"properties": keys, "additionalProperties": False} | ({"required": needed} if needed else {})


def _without_default(cls: type) -> list[str]:
    return [each.name for each in inspect.signature(cls).parameters.values() if each.default is each.empty]


def _keras() -> Schema:
    import keras

    from stages.shared.models.build_net import CLASSES, FOURIER, METHOD
    from stages.shared.models.keras_objects import NAMED, NESTED, REFUSED, classes_of, names_for, settings_of

    def setting(kind: str, cls: type, key: str) -> Schema:
        if kind == "layer" and hasattr(cls, "adapt") and key in ADAPTED:
            return {
                "type": ["array", "number", "string"],
                "errorMessage": f"without it, {cls.__name__} does not know the data",
            }
        if key in SUITABLE:
            return SUITABLE[key]
        if kind != "learning_rate":  # its settings that end in learning_rate may be 0
            for ending in (*NAMED, *NESTED):
                if key.endswith(ending):
                    return _ref(ending)
                if key == f"{ending}s":
                    return {"type": "array", "items": _ref(ending)}
        if key in ("units", "filters") and kind == "layer":
            return {"anyOf": [{"type": "integer", "minimum": 1}, {"const": CLASSES}]}
        parameter = inspect.signature(cls).parameters.get(key)
        default = None if parameter is None else parameter.default
        if isinstance(default, bool):
            return {"type": "boolean", "default": default}
        return _ref("setting") | ({"default": default} if isinstance(default, int | float | str) else {})

    inputs = {
        "description": "Layers whose output it takes (`image` is the input); by default the previous layer.",
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}, {"type": "null"}],
    }
    method = {"description": "How a Conv2D is computed in training.", "enum": [FOURIER, None]}
    no_method = {"const": None, "errorMessage": f"the only method is '{FOURIER}', and only Conv2D has it"}
    no_name = FORBIDDEN | {"errorMessage": "must be left out; its key is its name"}
    definitions: Schema = {
        "activation": {"title": "Keras activation", "enum": [*names_for("activation"), None]},
        "setting": {
            "type": ["array", "boolean", "number", "string", "null"],
            "items": _ref("setting"),
            "errorMessage": f"cannot be a Keras object; settings that end in {', '.join(NESTED)} can",
        },
    }
    for kind, (module, base) in (NESTED | {"optimizer": (keras.optimizers, keras.optimizers.Optimizer)}).items():
        if kind == "cell":
            continue  # a layer
        classes = classes_of(module, base)
        for cls in classes.values():
            own: Schema = {"name": no_name} if kind in ("layer", "optimizer", "learning_rate") else {}
            if kind == "layer":
                own |= {"inputs": True, METHOD: True if cls is keras.layers.Conv2D else no_method}
            adapted = [key for key in ADAPTED if hasattr(cls, "adapt")]
            settings = {key: setting(kind, cls, key) for key in settings_of(cls)}
            definitions[f"{kind}.{cls.__name__}"] = _with_settings(settings, [*_without_default(cls), *adapted], own)
        object_ = _one_of(
            {"optimizer": "Keras optimiser"}.get(kind, f"Keras {kind}"),
            {name: f"{kind}.{cls.__name__}" for name, cls in classes.items()},
            {name: why for name, why in REFUSED.items() if hasattr(module, name)},
            {"inputs": inputs, METHOD: method} if kind == "layer" else {},
        )
        if kind in NAMED:
            definitions[kind] = {"title": object_["title"], "anyOf": [{"enum": [*names_for(kind), None]}, object_]}
        elif kind == "learning_rate":
            definitions[kind] = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, object_]}
        elif kind == "layer":
            definitions["Layer"] = object_
            definitions[kind] = definitions["cell"] = {"anyOf": [{"type": "null"}, _ref("Layer")]}
        else:
            definitions["Optimizer"] = object_
    return definitions


def _sklearn() -> Schema:
    from stages.shared.models.build_classifier import THREADS
    from stages.shared.models.classifier_packages import IMPORT_PATHS, PACKAGES, classifiers, settings_of

    known = classifiers()
    own: Schema = {"n_jobs": FORBIDDEN | {"errorMessage": THREADS}}
    definitions: Schema = {
        "value": {
            "description": "Any value; a mapping with `class` is a classifier.",
            "if": {"type": "object", "required": ["class"]},
            "then": _ref("Classifier"),
            "items": _ref("value"),
        }
    }
    for cls in known.values():
        settings = {key: allowed_values(cls, key) or _ref("value") for key in settings_of(cls)}
        definitions[f"classifier.{cls.__name__}"] = _with_settings(settings, _without_default(cls), own)
    names = {name: f"classifier.{cls.__name__}" for name, cls in known.items()}
    definitions["Classifier"] = _one_of("scikit-learn classifier", names, {}, {})
    # A schema with the settings of packages that need not be installed could not be kept current.
    named = definitions["Classifier"]["properties"]
    path = {"type": "string", "pattern": rf"^({'|'.join(PACKAGES)})\.\w+$", "errorMessage": IMPORT_PATHS}
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
            case validation.StrOptions() | validation.Options() as options if math.inf not in options.options:
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
    for side, inclusive, exclusive in (
        ("left", "minimum", "exclusiveMinimum"),
        ("right", "maximum", "exclusiveMaximum"),
    ):
        limit = getattr(interval, side)
        if limit is not None and abs(limit) != math.inf:
            # 0.0 as 0, for messages.
            described[inclusive if interval.closed in (side, "both") else exclusive] = (
                int(limit) if limit == int(limit) else limit
            )
    return described


def studies_schema() -> Schema:
    """Return the JSON Schema of studies/studies.yaml."""
    whole = _without_titles(StudiesFile.model_json_schema())
    return {"$schema": "http://json-schema.org/draft-07/schema#", **whole, "title": STUDIES.name}


def main() -> None:
    """Write the files, or check that they are up to date."""
    for path, content in ((SCHEMA, schema()), (STUDIES.with_suffix(".schema.json"), studies_schema())):
        write_or_check(path, written(content), "python -m tools.params_schema")


if __name__ == "__main__":
    run("params-schema", main)
