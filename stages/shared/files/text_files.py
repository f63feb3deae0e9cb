"""Text and JSON files."""

import json
from pathlib import Path
from typing import Any

from stages.shared.files.whole_files import reading, replacing

DECIMALS = 6  # enough for one digit of 70,000; more would only make diffs noisy


def save_text(path: Path, text: str) -> None:
    """Write UTF-8 text."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def save_json(path: Path, content: Any, *, decimals: int | None = DECIMALS) -> None:
    """Write JSON with keys in the given order.

    Parameters
    ----------
    path : Path
        The file to write.
    content : Any
        What JSON can hold; NaN is refused.
    decimals : int or None
        Number of decimal places to round floats to; None to keep them exact.
    """
    if decimals is not None:
        content = _rounded(content, decimals)
    save_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def load_json(path: Path, *keys: str) -> Any:
    """Read JSON.

    Parameters
    ----------
    path : Path
        The file.
    *keys : str
        Keys that the content must have.

    Raises
    ------
    UserError
        The file is missing or damaged, or lacks a key.
    """
    with reading(path):
        content = json.loads(path.read_text(encoding="utf-8"))
        for key in keys:
            content[key]
        return content


def _rounded(value: Any, decimals: int) -> Any:
    if isinstance(value, float):
        return round(value, decimals)
    if isinstance(value, dict):
        return {key: _rounded(item, decimals) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item, decimals) for item in value]
    return value
