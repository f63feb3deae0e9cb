"""What the sections of params.yaml share: strict mappings, names of models and layers, reading a section."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from ruamel.yaml.comments import CommentedMap

from stages.shared.errors import unknown_name
from stages.shared.params.mistakes import (
    DeclarationError,
    declaration_error,
    describe,
    error_below,
    from_pydantic,
    line_numbers,
)
from stages.shared.params.yaml_file import plain, read

Section = TypeVar("Section", bound=BaseModel)


class Settings(BaseModel):
    """A mapping of params.yaml with a fixed set of keys, whose values are never converted.

    Raises
    ------
    pydantic.ValidationError
        An unknown key, or a value of a wrong type.
    """

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise PydanticCustomError("not_a_mapping", "must be a mapping of settings")
        if cls.model_config.get("extra") == "forbid":
            allowed = [field.alias or name for name, field in cls.model_fields.items()]
            for key in data:
                if key not in allowed:
                    raise error_below((key,), unknown_name(key, allowed))
        return data


def load_section(name: str, model: type[Section]) -> Section:
    """Read params.yaml and check one section of it.

    Parameters
    ----------
    name : str
        The section's key.
    model : type
        The pydantic model that describes it.

    Raises
    ------
    UserError
        One line per mistake.
    """
    content = read()
    with line_numbers(content):
        return check_section(name, model, content)


def check_section(name: str, model: type[Section], content: CommentedMap) -> Section:
    """Check one section of params.yaml and return it.

    Parameters
    ----------
    name : str
        The section's key.
    model : type
        The pydantic model that describes it.
    content : CommentedMap
        The whole file, as `yaml_file.read` returns it.

    Raises
    ------
    DeclarationError
        The section is missing, or its mistakes.
    """
    if name not in content:
        raise declaration_error((name,), "the section is missing")
    try:
        return model.model_validate(plain(content[name]))
    except ValidationError as error:
        raise DeclarationError(*(from_pydantic((name,), details) for details in error.errors())) from None


def check_names(names: Iterable[object], what: str) -> None:
    """Refuse a name of a model or layer that DVC or a file name cannot hold.

    Parameters
    ----------
    names : iterable
        Keys of a mapping in params.yaml.
    what : str
        What they name, for the message.

    Raises
    ------
    PydanticCustomError
        A name that is not a string, has characters other than ASCII letters, digits, hyphens and underscores, consists
        of digits, or begins with a hyphen, which a command line takes for an option.
    """
    for name in names:
        text = str(name)
        allowed = text.isascii() and text.replace("-", "").replace("_", "").isalnum()
        if not isinstance(name, str) or not allowed or text.isdigit() or text.startswith("-"):
            raise error_below(
                (name,),  # type: ignore[arg-type]
                f"{describe(name)} cannot be the name of a {what}; allowed are letters, digits, hyphens and "
                "underscores, not digits alone, and no hyphen at the beginning",
            )
