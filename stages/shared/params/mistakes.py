"""Mistakes in params.yaml: messages with line, place and value."""

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pydantic_core import ErrorDetails, PydanticCustomError
from ruamel.yaml.comments import CommentedMap

from stages.shared.errors import UserError, one_line
from stages.shared.params.yaml_file import PARAMS, Place, line_of


class Mistake(NamedTuple):
    """A mistake in params.yaml.

    Attributes
    ----------
    place : Place
        The keys that lead to it.
    text : str
        What is wrong, and what is allowed.
    """

    place: Place
    text: str


class DeclarationError(UserError):
    """One or more mistakes in params.yaml; `line_numbers` adds their lines.

    Parameters
    ----------
    *mistakes : Mistake
        In the order in which to report them.
    """

    def __init__(self, *mistakes: Mistake) -> None:
        self.mistakes = mistakes
        super().__init__("\n".join(_message(mistake) for mistake in mistakes))


def declaration_error(place: Place, text: str) -> DeclarationError:
    """Return the exception for a single mistake."""
    return DeclarationError(Mistake(place, text))


@contextmanager
def line_numbers(content: CommentedMap, file: Path = PARAMS) -> Iterator[None]:
    """Add the lines of params.yaml to a `DeclarationError` raised in the block.

    Parameters
    ----------
    content : CommentedMap
        The file, as `yaml_file.read` returns it.
    file : Path
        Its path, if it is another one.

    Raises
    ------
    UserError
        In place of `DeclarationError`, one line per mistake.
    """
    try:
        yield
    except DeclarationError as error:
        lines = [_message(each, f"{file}, line {line_of(content, each.place)}") for each in error.mistakes]
        raise UserError("\n".join(lines)) from None


def error_below(below: Place, text: str) -> PydanticCustomError:
    """Return the error for a pydantic validator to raise about a key below the value that it validates.

    Parameters
    ----------
    below : tuple
        The keys from the validated value down to the mistake; empty for the value itself.
    text : str
        What is wrong, and what is allowed.
    """
    return PydanticCustomError("below", "{text}", {"text": text, "below": below})


def from_pydantic(prefix: Place, details: ErrorDetails) -> Mistake:
    """Convert a pydantic error to a mistake.

    Parameters
    ----------
    prefix : Place
        The place of the validated value in the file.
    details : ErrorDetails
        An item of `ValidationError.errors()`.
    """
    place, context = (*prefix, *details["loc"]), details.get("ctx", {})
    if details["type"] == "below":
        return Mistake((*place, *context["below"]), details["msg"])
    if details["type"] == "missing":
        return Mistake(place, "missing")
    if details["type"] == "invalid_key" or place[-1] == "[key]":
        return Mistake(place[:-1] if place[-1] == "[key]" else place, "the key must be a string")
    # pydantic's messages: "Input should be a valid integer", "List should have at least 2 items after validation".
    allowed = re.sub(r"^\w+ should ", "must ", details["msg"].removeprefix("Value error, "))
    allowed = allowed.replace(" after validation", "").replace("a valid dictionary", "a mapping ({} if empty)")
    if details["type"] == "string_pattern_mismatch":
        allowed = f"must match {context['pattern']}"
    return Mistake(place, f"is {describe(details['input'])}: {allowed}")


def dotted(place: Place) -> str:
    """Return a place as DVC writes it, with dots between the keys."""
    return ".".join(key if isinstance(key, str) else describe(key) for key in place)


def describe(value: object) -> str:
    """Return a value as the file writes it: strings in quotes, null, true, "a mapping", "a list"."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{value}'" if len(value) <= 60 else f"'{value[:57]}...'"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, float) and math.isnan(value):
        return "not a number (.nan)"
    return str(value)


def _message(mistake: Mistake, where: str = str(PARAMS)) -> str:
    return f"{where}: {one_line(dotted(mistake.place))}: {one_line(mistake.text)}"
