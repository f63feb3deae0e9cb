"""Reads params.yaml, with the line number of every key."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarbool import ScalarBoolean

from stages.shared.errors import UserError, one_line

PARAMS = Path("params.yaml")

Key = str | int
Place = tuple[Key, ...]  # the keys from the top of params.yaml down to a value


def read(path: Path = PARAMS) -> CommentedMap:
    """Read a YAML 1.2 file, as DVC does, keeping the line of each key.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    UserError
        The file is missing or unreadable, is not valid YAML, has a duplicate key, or is not a mapping.
    """
    try:
        content = YAML().load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{path} is missing; restore it with 'git checkout HEAD -- {path}' or, if it was never committed, "
            "from the archive that the project came from"
        ) from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        raise UserError(f"{path}, line {line}: not valid YAML: {one_line(error.problem or error.context)}") from None
    except (YAMLError, UnicodeDecodeError, ValueError) as error:
        raise UserError(f"{path}: not valid YAML: {one_line(error)}") from None
    if not isinstance(content, CommentedMap):
        raise UserError(f"{path} must be a mapping of sections")
    return content


def plain(value: Any) -> Any:
    """Convert a value that ruamel.yaml has read to dict, list, str, bool, int, float and None."""
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, ScalarBoolean):
        # `true` with an anchor, which is a subclass of int.
        return bool(value)
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            # Subclasses of these keep the notation of 0x10, 1e-6 or "x".
            return kind(value)
    return value if value is None else str(value)


def line_of(content: Any, place: Place) -> int:
    """Return the line (from 1) of the deepest key of `place` that the file has."""
    line = 0
    for key in place:
        try:
            if isinstance(content, CommentedMap):
                line = content.lc.key(key)[0]
            elif isinstance(content, CommentedSeq):
                line = content.lc.item(key)[0]
            content = content[key]
        except (KeyError, IndexError, TypeError):
            break
    return line + 1
