"""Writes params.schema.json: what editors complete and underline in params.yaml. `--check` compares alone."""

import argparse
import inspect
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from sklearn.utils._param_validation import Interval, Options, StrOptions, make_constraint

from stages.check_params.structure import SECTIONS
from stages.shared.errors import UserError
from stages.shared.files.whole_files import replacing
from stages.shared.models.tensorflow_startup import start_tensorflow
from stages.shared.params.settings import Settings
from stages.shared.process.console import say
from stages.shared.process.run import run

SCHEMA = Path("params.schema.json")

# As `check_names` of stages/shared/params/reading.py has it.
NAME = "^(?=.*[A-Za-z0-9])(?=.*[^0-9])[A-Za-z0-9_][A-Za-z0-9_-]*$"

# Keras's words beside the names that its modules have.
OTHER_WORDS = ("l1l2", "normal", "one", "uniform", "zero")

Schema = dict[str, Any]


def schema() -> Schema:
    """Return the JSON Schema of params.yaml: the sections' keys and types, and every class with its settings."""
    start_tensorflow()
    definitions: Schema = {}
    sections: Schema = {}
    for name, model in SECTIONS.items():
        described = model.model_json_schema()
        definitions |= described.pop("$defs", {})
        sections[name] = described
    for name, model in SECTIONS.items():
        _describe(sections[name], model)
        sections[name]["description"] = (inspect.getdoc(inspect.getmodule(model)) or "").partition(": ")[2]
    for model in _below(Settings):
        if model.__name__ in definitions:
            _describe(definitions[model.__name__], model)
    definitions |= _keras() | _sklearn()
    layers = definitions["Net"]["properties"]["layers"]
    layers["additionalProperties"] = _ref("Layer")
    definitions["Net"]["properties"]["optimizer"] = _ref("Optimizer")
    sections["baselines"]["additionalProperties"] = _ref("Classifier")
    for mapping in (layers, sections["baselines"], sections["nets"]):
        mapping["propertyNames"] = {"pattern": NAME}
    layers["propertyNames"]["not"] = {"const": "image"}
    del definitions["Declared"]
    return _untitled(
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "title": "params.yaml",
            "description": "Written by `python -m tools.params_schema`.",
            "type": "object",
            "properties": sections,
            "required": list(SECTIONS),
            "additionalProperties": False,
            "$defs": definitions,
        }
    )


def written(whole: Schema) -> str:
    """Return the schema as the file's text: a line a definition, so that a change shows."""
    head = {key: value for key, value in whole.items() if key != "$defs"}
    lines = [f"  {json.dumps(name)}: {json.dumps(part)}" for name, part in sorted(whole["$defs"].items())]
    return json.dumps(head, indent=1)[:-2] + ',\n "$defs": {\n' + ",\n".join(lines) + "\n }\n}\n"


def _below(model: type[BaseModel]) -> list[type[BaseModel]]:
    own = [below for below in model.__subclasses__() if below.__module__.startswith("stages.")]
    return [each for below in own for each in (below, *_below(below))]


def _describe(described: Schema, model: type[BaseModel]) -> None:
    """Put the docstring's first sentence and what it says of each attribute where editors show them."""
    text = inspect.getdoc(model) or ""
    described["description"] = text.split("\n\n")[0].replace("\n", " ")
    _, _, attributes = text.partition("Attributes\n----------\n")
    for names, said in re.findall(r"^(\S.*?) : .*\n((?:    .*\n?)+)", attributes, re.MULTILINE):
        for name in names.split(", "):
            field = model.model_fields[name]
            where = described["properties"][field.alias or name]
            where["description"] = " ".join(said.split())


def _untitled(value: Any) -> Any:
    """Drop the titles that pydantic makes of the keys."""
    if isinstance(value, Mapping):
        return {
            key: {name: _untitled(each) for name, each in item.items()} if key == "properties" else _untitled(item)
            for key, item in value.items()
            if key != "title" or value.get("$schema")
        }
    return [_untitled(item) for item in value] if isinstance(value, list) else value


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _one_of(kind: str, classes: Mapping[str, type], own: Schema, description: str) -> Schema:
    """Describe an object of one of several classes: its keys depend on what `class` is."""
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
    """Describe a class's settings: those without a default are required, and there are no others."""
    parameters = inspect.signature(cls).parameters.values()
    required = [each.name for each in parameters if each.default is each.empty and each.name in settings]
    keys: Schema = {"class": True, **{key: True for key in own}, **dict(sorted(settings.items()))}
    return {"properties": keys, "additionalProperties": False} | ({"required": required} if required else {})


def _keras() -> Schema:
    from stages.shared.models.build_net import FOURIER, METHOD, NAMED, NESTED, STEPS, classes_of, settings_of, words_for

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
        "description": "Names of the layers that feed it; left out, the layer before. `image` is the input.",
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}, {"type": "null"}],
    }
    import keras

    definitions: Schema = {}
    kinds = NESTED | {"optimizer": (keras.optimizers, keras.optimizers.Optimizer)}
    for kind, (module, base) in kinds.items():
        if kind == "cell":
            continue  # a layer
        classes = classes_of(module, base)
        own = ("inputs", METHOD) if kind == "layer" else ()
        for cls in classes.values():
            settings = {key: setting(cls, key) for key in settings_of(cls)}
            definitions[f"{kind}.{cls.__name__}"] = _with_settings(cls, settings, own)
            if own and cls is not keras.layers.Conv2D:
                definitions[f"{kind}.{cls.__name__}"]["properties"][METHOD] = {"type": "null"}
        object_ = _one_of(kind, classes, {}, f"A {kind.replace('_', ' ')} of Keras.")
        if kind in NAMED:
            words = sorted({word for word in (*words_for(kind), *OTHER_WORDS) if _is_word(NAMED[kind], word)})
            definitions[kind] = {"anyOf": [{"enum": [*words, None]}, object_]}
        elif kind == "learning_rate":
            number = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"const": STEPS}]}
            definitions[kind] = {"if": {"type": "object"}, "then": object_, "else": number}
        elif kind == "layer":
            method = {"enum": [FOURIER, None], "description": "How a Conv2D is computed while it trains."}
            definitions["Layer"] = _one_of(kind, classes, {"inputs": inputs, METHOD: method}, "A layer of Keras.")
            definitions[kind] = definitions["cell"] = _ref("Layer")
        else:
            definitions["Optimizer"] = object_
    words = sorted(word for word in words_for("activation") if _is_word(NAMED["activation"], word))
    definitions["activation"] = {"enum": [*words, None]}
    return definitions


def _is_word(module: Any, word: str) -> bool:
    try:
        module.get(word)
    except Exception:  # Keras raises what it likes
        return False
    return True


def _sklearn() -> Schema:
    from stages.shared.models.build_classifier import classifiers, settings_of

    known = classifiers()
    definitions: Schema = {}
    for cls in known.values():
        constraints = getattr(cls, "_parameter_constraints", {})
        settings = {key: _constrained(constraints.get(key)) for key in settings_of(cls)}
        definitions[f"classifier.{cls.__name__}"] = _with_settings(cls, settings, ())
    definitions["Classifier"] = _one_of("classifier", known, {}, "A classifier of scikit-learn.")
    return definitions


def _constrained(constraints: list[Any] | str | None) -> Schema:
    """Turn scikit-learn's own constraints of a setting into a schema; anything, where there is no telling."""
    if constraints is None or isinstance(constraints, str):
        return {}
    allowed: list[Schema] = []
    for constraint in constraints:
        match constraint if isinstance(constraint, str) else make_constraint(constraint):
            case "boolean":
                allowed.append({"type": "boolean"})
            case "verbose":
                allowed += [{"type": "boolean"}, {"type": "integer"}]
            case "random_state":
                allowed += [{"type": "integer"}, {"type": "null"}]
            case Interval() as interval:
                allowed.append(_interval(interval))
            case StrOptions() | Options() as options:
                allowed.append({"enum": sorted(options.options, key=str)})
            case _ if constraint is None:
                allowed.append({"type": "null"})
            case _ if callable(constraint) and not isinstance(constraint, type):
                continue  # nothing that YAML can hold
            case _:
                return {}
    return {"anyOf": allowed} if len(allowed) > 1 else allowed[0] if allowed else {}


def _interval(interval: Interval) -> Schema:
    described: Schema = {"type": "integer" if interval.type.__name__ == "Integral" else "number"}
    if interval.left is not None and abs(interval.left) != float("inf"):
        described["minimum" if interval.closed in ("left", "both") else "exclusiveMinimum"] = interval.left
    if interval.right is not None and abs(interval.right) != float("inf"):
        described["maximum" if interval.closed in ("right", "both") else "exclusiveMaximum"] = interval.right
    return described


def main() -> None:
    """Write the file, or say that it is not what it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file is not current")
    check = parser.parse_args().check
    text = written(schema())
    if check:
        if not SCHEMA.is_file() or SCHEMA.read_text(encoding="utf-8") != text:
            raise UserError(f"{SCHEMA} is not current; run 'python -m tools.params_schema'")
        return
    with replacing(SCHEMA) as temporary:
        temporary.write_text(text, encoding="utf-8")
    say(f"wrote {SCHEMA}, {len(text) / 1000:,.0f} kB")


if __name__ == "__main__":
    run("params-schema", main)
