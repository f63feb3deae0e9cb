"""Checks the classes of declared models and layers, and their settings, by params.schema.json.

The file describes those of the installed libraries and is read in milliseconds; importing the libraries would take
seconds. What only the libraries can tell is left to check-models.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.shared.errors import UserError, unknown_name
from stages.shared.files.paths import SCHEMA
from stages.shared.params.mistakes import DeclarationError, Mistake, describe
from stages.shared.params.yaml_file import Place

Schema = Mapping[str, Any]

# JSON's name of a type -> Python's types, and words.
TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "array": ((list,), "a list"),
    "boolean": ((bool,), "true or false"),
    "integer": ((int,), "an integer"),
    "null": ((type(None),), "null"),
    "number": ((int, float), "a number"),
    "object": ((dict,), "{class: NAME, ...}"),
    "string": ((str,), "a string"),
}
LIMITS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "minimum": ("of at least", lambda value, limit: value >= limit),
    "exclusiveMinimum": ("greater than", lambda value, limit: value > limit),
    "maximum": ("of at most", lambda value, limit: value <= limit),
    "exclusiveMaximum": ("less than", lambda value, limit: value < limit),
}


def read_definitions(path: Path = SCHEMA) -> dict[str, Schema]:
    """Read the definitions of classes from params.schema.json; raises UserError."""
    try:
        definitions: dict[str, Schema] = json.loads(path.read_text(encoding="utf-8"))["$defs"]
    except (OSError, ValueError, LookupError, TypeError):
        raise UserError(f"cannot read {path}; restore it with 'git checkout HEAD -- {path}'") from None
    return definitions


def check_classes(params: Mapping[str, Any], definitions: Mapping[str, Schema]) -> None:
    """Check the class and the settings of every declared classifier, layer and optimiser.

    Parameters
    ----------
    params : mapping
        The content of params.yaml, as `yaml_file.plain` returns it, of a structure that has been checked.
    definitions : mapping
        As `read_definitions` returns them.

    Raises
    ------
    DeclarationError
        All unknown classes and settings, missing settings, and values that the schema does not allow.
    """
    checker = _Checker(definitions)
    mistakes: list[Mistake] = []
    for name, baseline in params["baselines"].items():
        mistakes += checker.mistakes(baseline, definitions["Classifier"], ("baselines", name))
    for name, net in params["nets"].items():
        if "optimizer" in net:
            mistakes += checker.mistakes(net["optimizer"], definitions["Optimizer"], ("nets", name, "optimizer"))
        for layer, declared in net["layers"].items():
            mistakes += checker.mistakes(declared, definitions["Layer"], ("nets", name, "layers", layer))
    if mistakes:
        raise DeclarationError(*mistakes)


class _Checker:
    """The part of JSON Schema that tools/params_schema.py uses, with a sentence for every mistake."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions

    def mistakes(self, value: Any, schema: Schema, place: Place) -> Iterator[Mistake]:
        """Find what the schema does not allow in a value and anywhere within it."""
        schema = self._resolved(schema)
        options = [self._resolved(option) for option in schema.get("anyOf", [schema])]
        objects = [option for option in options if "allOf" in option]
        if objects and isinstance(value, dict):
            yield from self._object_mistakes(value, objects[0], place)
        elif "if" in schema and isinstance(value, dict) and "class" in value:
            yield from self.mistakes(value, schema["then"], place)
        elif not any(_allows(option, value) for option in options):
            yield Mistake(place, _refusal(value, schema, options))
        elif isinstance(value, list) and "items" in options[0]:
            for position, item in enumerate(value):
                yield from self.mistakes(item, options[0]["items"], (*place, position))

    def _object_mistakes(self, value: Mapping[Any, Any], schema: Schema, place: Place) -> Iterator[Mistake]:
        """Find what is wrong with an object: with its class, and with the keys that depend on the class."""
        name, title = value.get("class"), schema["title"]
        if "class" not in value:
            yield Mistake(place, f"is a mapping without 'class'; a {title} is written {{class: NAME, ...}}")
            return
        if not isinstance(name, str):
            yield Mistake((*place, "class"), f"is {describe(name)}: must be the name of a {title}")
            return
        classes = {each["if"]["properties"]["class"]["const"]: each["then"] for each in schema["allOf"]}
        described = self._resolved(classes.get(name, {}))
        if name not in classes:
            options = schema["properties"]["class"].get("anyOf", [schema["properties"]["class"]])
            # The last option is an import path; the settings of such a class are left to check-models.
            yield from self.mistakes(name, options[-1 if "." in name else 0], (*place, "class"))
        elif "not" in described:
            yield Mistake((*place, "class"), f"'{name}' {described['errorMessage']}")
        else:
            yield from self._setting_mistakes(name, value, described, place)

    def _setting_mistakes(
        self, name: str, value: Mapping[Any, Any], described: Schema, place: Place
    ) -> Iterator[Mistake]:
        settings, complete = described["properties"], True
        for key, item in value.items():
            if key in settings:
                yield from self.mistakes(item, settings[key], (*place, key))
            else:
                known = [each for each, setting in settings.items() if setting is not True and "not" not in setting]
                yield Mistake((*place, key), unknown_name(key, known, f"setting of {name}:"))
                complete = False
        if complete:  # an unknown setting may be the missing one, misspelt
            for key in described.get("required", ()):
                if key not in value:
                    yield Mistake((*place, key), f"missing; {name} needs it")

    def _resolved(self, schema: Schema | bool) -> Schema:
        if isinstance(schema, bool):
            return {}  # true: any value
        return self._resolved(self._definitions[schema["$ref"].rpartition("/")[2]]) if "$ref" in schema else schema


def _allows(schema: Schema, value: Any) -> bool:
    """Tell whether a schema without alternatives allows a value; of an object, only that it is one."""
    if "not" in schema:
        return False
    is_bool = isinstance(value, bool)  # True equals 1, and is an int
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return any(value == each and is_bool == isinstance(each, bool) for each in values)
    if "type" in schema:
        kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        if not any(isinstance(value, TYPES[kind][0]) and is_bool <= (kind == "boolean") for kind in kinds):
            return False
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return False
    limits = LIMITS if isinstance(value, int | float) else {}
    return all(within(value, schema[limit]) for limit, (_, within) in limits.items() if limit in schema)


def _refusal(value: Any, schema: Schema, options: Sequence[Schema]) -> str:
    """Return the message about a value that none of the options of a schema allows."""
    if "title" in schema and isinstance(value, str):
        names = [name for option in options for name in option.get("enum", ()) if name is not None]
        return unknown_name(value, names, schema["title"])
    words: list[str] = []
    for option in options:
        if "errorMessage" in option:
            return f"is {describe(value)}: {option['errorMessage']}"
        if "title" in schema and "enum" in option:
            words += [f"the name of a {schema['title']}", *(["null"] if None in option["enum"] else [])]
        elif "enum" in option or "const" in option:
            words += [describe(each) for each in option.get("enum", [option.get("const")])]
        else:
            limits = [f"{text} {option[limit]}" for limit, (text, _) in LIMITS.items() if limit in option]
            words.append(f"{TYPES[option['type']][1]} {' and '.join(limits)}".strip())
    return f"is {describe(value)}: must be {' or '.join([', '.join(words[:-1]), words[-1]] if words[1:] else words)}"
