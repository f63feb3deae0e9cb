"""Reads params.yaml and turns what is wrong with it into sentences with file, line, key and value."""

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarbool import ScalarBoolean

from stages.program.console import UserError

PARAMS = Path("params.yaml")

Key = str | int
Place = tuple[Key, ...]  # the keys from the top of params.yaml down to what is meant
Section = TypeVar("Section", bound=BaseModel)


class Mistake(NamedTuple):
    """What is wrong with params.yaml, found where its text is not at hand.

    Attributes
    ----------
    place : Place
        What is named as its place.
    text : str
        What is wrong, and what is allowed.
    key : str, int or None
        A key below the place, where that is what is wrong: its line is the one to look at.
    """

    place: Place
    text: str
    key: Key | None = None


class DeclarationError(UserError):
    """Mistakes in params.yaml by their places; `lines_named` adds the lines.

    Parameters
    ----------
    mistakes : iterable of Mistake
        One or more.
    """

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(f"{PARAMS}: {dotted(place)}: {text}" for place, text, _ in self.mistakes))


def misdeclared(place: Place, text: str, key: Key | None = None) -> DeclarationError:
    """Make the exception of one mistake."""
    return DeclarationError([Mistake(place, text, key)])


@contextmanager
def lines_named(content: CommentedMap) -> Iterator[None]:
    """Let what is raised within name the lines of params.yaml.

    Parameters
    ----------
    content : CommentedMap
        The file, as `read` returns it.

    Raises
    ------
    UserError
        In place of `DeclarationError`.
    """
    try:
        yield
    except DeclarationError as error:
        lines = [
            at(content, place if key is None else (*place, key), text, parent=place)
            for place, text, key in error.mistakes
        ]
        raise UserError("\n".join(lines)) from None


class Settings(BaseModel):
    """A mapping of params.yaml whose keys are all known and whose values are never converted.

    Raises
    ------
    pydantic.ValidationError
        A key that the class does not name (with the nearest that it does), or a value of a wrong type.
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
                    raise misplaced((key,), unknown(key, allowed))
        return data


def misplaced(below: tuple[object, ...], text: str) -> PydanticCustomError:
    """Make the error for a validator to raise whose mistake is a key below what it validates.

    Parameters
    ----------
    below : tuple
        The keys from the validated mapping down to the one whose line is to be named.
    text : str
        What is wrong; it names the last key itself.
    """
    return PydanticCustomError("misplaced", "{text}", {"text": text, "below": below})


def unknown(name: object, allowed: Iterable[str], kind: str = "key") -> str:
    """Say that a name is not known, which known one is nearest, and which there are."""
    known = sorted(allowed)
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ";"
    # A list of fifty class names helps nobody who is one letter off.
    listing = f" allowed: {', '.join(known)}" if len(known) <= 12 or not near else ""
    return f"unknown {kind} '{name}'{hint}{listing}"


def read(path: Path = PARAMS) -> CommentedMap:
    """Read a YAML 1.2 file, as DVC does, keeping the line of each key.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    UserError
        There is no such file, it is no YAML, a key stands twice in one mapping, or it is no mapping.
    """
    try:
        content = YAML(typ="rt", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing; bring it back with 'git checkout {path}'") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except DuplicateKeyError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        key = str(error.problem).split('"')[1] if '"' in str(error.problem) else "a key"
        raise UserError(
            f"{path}, line {line}: '{printable(key)}' stands twice in one mapping; keep one of them"
        ) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        raise UserError(f"{path}, line {line}: not valid YAML: {error.problem or error.context}") from None
    except (YAMLError, UnicodeDecodeError, ValueError) as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, CommentedMap):
        raise UserError(f"{path} must be a mapping of sections, and is {describe(content)}")
    return content


def section(name: str, model: type[Section], content: CommentedMap | None = None) -> Section:
    """Check one section of params.yaml and return it.

    Parameters
    ----------
    name : str
        The section's key.
    model : type
        The class that describes it.
    content : CommentedMap, optional
        What `read` returned; read anew if not given.

    Raises
    ------
    UserError
        One line a mistake.
    """
    whole = read() if content is None else content
    if name not in whole:
        raise UserError(f"{PARAMS}: the section '{name}' is missing")
    try:
        return model.model_validate(plain(whole[name]))
    except ValidationError as error:
        raise UserError("\n".join(sentence(whole, (name,), details) for details in error.errors())) from None


def sentence(content: CommentedMap, prefix: Place, details: ErrorDetails) -> str:
    """Turn one pydantic error into a sentence.

    Parameters
    ----------
    content : CommentedMap
        The whole file, for line numbers.
    prefix : tuple of str or int
        Where in the file the checked part stands.
    details : ErrorDetails
        An item of `ValidationError.errors()`.
    """
    path = (*prefix, *details["loc"])
    context = details.get("ctx", {})
    if details["type"] == "misplaced":
        below = context["below"]
        return at(content, (*path, *below), details["msg"], parent=(*path, *below[:-1]))
    if details["type"] == "missing":
        return at(content, path[:-1], f"'{path[-1]}' is missing")
    if details["type"] == "invalid_key" or path[-1] == "[key]":
        path = path[:-1] if path[-1] == "[key]" else path
        return at(content, path, f"the key {describe(path[-1])} is no text; keys must be text", parent=path[:-1])
    if details["type"] == "value_error" and isinstance(details["input"], Mapping):
        return at(content, path, str(context["error"]))
    # pydantic's own words: "Input should be a valid integer", "List should have at least 2 items after validation".
    allowed = re.sub(r"^\w+ should ", "must ", details["msg"].removeprefix("Value error, "))
    allowed = allowed.replace(" after validation", "").replace("a valid dictionary", "a mapping")
    if details["type"] == "string_pattern_mismatch":
        allowed = f"must match {context['pattern']}"
    return at(content, path, f"is {describe(details['input'])}: {allowed}")


def at(content: CommentedMap, path: Place, text: str, parent: Place | None = None) -> str:
    """Put file, line and key before a text; `parent` is the key to name where the last one is the mistake."""
    said = f"{dotted(path if parent is None else parent)}: {text}"
    return f"{PARAMS}, line {line_of(content, path)}: {printable(said)}"


def printable(text: str) -> str:
    """Write out characters that would break the line or move the cursor: U+0085 as \\x85."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def dotted(place: Place) -> str:
    """Write a place as DVC does: keys with dots between them."""
    return ".".join(str(key) for key in place) or "the file"


def line_of(content: Any, path: Place) -> int:
    """Return the line (from 1) of the deepest key of `path` that the file holds."""
    line = 0
    for key in path:
        try:
            if isinstance(content, CommentedMap):
                line = content.lc.key(key)[0]
            elif isinstance(content, CommentedSeq):
                line = content.lc.item(key)[0]
            content = content[key]
        except (KeyError, IndexError, TypeError):
            break
    return line + 1


def describe(value: object) -> str:
    """Name a value as a person would find it in the file: text in quotes, null, true, a mapping, a list."""
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


def plain(value: Any) -> Any:
    """Copy what ruamel.yaml read into plain dict, list, str, bool, int and float."""
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, ScalarBoolean):
        # What `true` with an anchor becomes: a subclass of int.
        return bool(value)
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            # ruamel.yaml keeps how 0x10, 1e-6 or "x" was written in subclasses of these.
            return kind(value)
    return value if value is None else str(value)


def check_names(names: Iterable[object], what: str) -> None:
    """Refuse a name of a model, layer or class that DVC or a file name cannot carry.

    Parameters
    ----------
    names : iterable
        Keys of a mapping in params.yaml.
    what : str
        What they name, for the message.

    Raises
    ------
    ValueError
        A name that is no text, holds anything but ASCII letters, digits, hyphens and underscores, or begins with a
        hyphen, which a command line takes for an option.
    """
    for name in names:
        text = str(name)
        allowed = text.isascii() and text.replace("-", "").replace("_", "").isalnum()
        if not isinstance(name, str) or not allowed or text.isdigit() or text.startswith("-"):
            raise misplaced(
                (name,),
                f"the name {describe(name)} of a {what} cannot be used; write letters, digits, hyphens and "
                "underscores, at least one of them no digit, and no hyphen in front",
            )
