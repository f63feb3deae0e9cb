"""Base of the sections of params.yaml: strict mappings, names of models and layers, reading a section."""

import re
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator
from ruamel.yaml.comments import CommentedMap

from stages.shared.errors import UserError, unknown_name
from stages.shared.params.mistakes import DeclarationError, Mistake, describe, error_below, from_pydantic, line_numbers
from stages.shared.params.yaml_file import plain, read

Section = TypeVar("Section", bound=BaseModel)
Model = TypeVar("Model")

LONGEST_NAME = 64  # characters; a picture has the names of a model and a layer, and file systems allow 255 bytes
# Keras allows no underscore at the beginning, and a command line no hyphen.
NAME = rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,{LONGEST_NAME - 1}}}"
# The picture of all learning curves, and devices of Windows.
RESERVED = ("all-nets", "aux", "con", "nul", "prn", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)))


class Settings(BaseModel):
    """A mapping of params.yaml with a fixed set of keys, whose values are never converted.

    Raises
    ------
    pydantic.ValidationError
        An unknown key, or a value of a wrong type.
    """

    model_config = ConfigDict(
        strict=True, extra="forbid", allow_inf_nan=False, frozen=True, use_attribute_docstrings=True
    )

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise ValueError("must be a mapping of settings")
        if cls.model_config.get("extra") == "forbid":
            allowed = [field.alias or name for name, field in cls.model_fields.items()]
            for key in data:
                if key not in allowed:
                    raise error_below((key,), unknown_name(key, allowed))
        return data


def load_section(name: str, model: type[Section]) -> Section:
    """Read params.yaml and return one section of it.

    Parameters
    ----------
    name : str
        The section's key.
    model : type
        The pydantic model that describes it.

    Raises
    ------
    UserError
        The section is missing or has mistakes; one line per mistake.
    """
    content = read()
    with line_numbers(content):
        return check_section(name, model, content)


def check_section(name: str, model: type[Section], content: CommentedMap) -> Section:
    """Check one section of params.yaml and return it.

    Parameters
    ----------
    name, model : str, type
        As in `load_section`.
    content : CommentedMap
        The whole file, as `yaml_file.read` returns it.

    Raises
    ------
    DeclarationError
        The section is missing, or its mistakes.
    """
    if name not in content:
        raise DeclarationError(Mistake((name,), "the section is missing"))
    try:
        return model.model_validate(plain(content[name]))
    except ValidationError as error:
        raise DeclarationError(*(from_pydantic((name,), details) for details in error.errors())) from None


def names_of(kind: str, reserved: Collection[str] = ()) -> BeforeValidator:
    """Return the validator of a mapping whose keys name models or layers.

    Files are made of these names, so it refuses those that DVC, Keras or a file system cannot hold: what is not a
    string, does not match `NAME`, consists of digits, is reserved, or differs from another one only in case.

    Parameters
    ----------
    kind : str
        What the keys name, for messages.
    reserved : collection of str
        Names that are refused in any case, in lower case.
    """

    def check(value: Any) -> Any:
        earlier: dict[str, str] = {}
        for name in value if isinstance(value, dict) else ():
            text = str(name)
            refused = f"{describe(name)} cannot be the name of a {kind}"
            if not isinstance(name, str) or not re.fullmatch(NAME, text) or text.isdigit():
                allowed = f"at most {LONGEST_NAME} letters, digits, hyphens and underscores, a letter or digit first"
                raise error_below((name,), f"{refused}; allowed are {allowed}, and not digits alone")
            if text.lower() in reserved:
                raise error_below((name,), f"{refused}: files of this name belong to the pipeline or to Windows")
            if (other := earlier.setdefault(text.lower(), text)) != text:
                raise error_below((name,), differ_in_case(text, other))
        return value

    return BeforeValidator(check)


def differ_in_case(name: str, other: str) -> str:
    """Return the message about a name that differs from another one only in case."""
    return (
        f"'{name}' and '{other}' differ only in upper and lower case, and many disks would keep their files as one; "
        "rename one of them"
    )


def one_of(models: Mapping[str, Model], name: str, kind: str) -> Model:
    """Return the model of this name; raises UserError if params.yaml does not declare it."""
    if name not in models:
        raise UserError(f"params.yaml declares no {kind} '{name}'; it declares {', '.join(models) or 'none'}")
    return models[name]
