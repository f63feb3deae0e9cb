"""Metrics, tables and text for people and for DVC to compare."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from stages.shared.errors import UserError
from stages.shared.files.whole_files import DAMAGE, replacing, require_file

DECIMALS = 6  # enough for one digit of 70,000; more would only make diffs noisy


def save_json(path: Path, content: Any) -> None:
    """Write JSON with floats rounded to 6 places, keys in the order given."""
    with replacing(path) as temporary:
        temporary.write_text(
            json.dumps(_rounded(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
        )


def load_json(path: Path) -> Any:
    """Read JSON.

    Raises
    ------
    UserError
        The file is missing or damaged.
    """
    require_file(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except DAMAGE as error:
        raise _damaged(path, error) from error


def save_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, floats rounded to 6 places."""
    with replacing(path) as temporary:
        table.round(DECIMALS).to_csv(temporary, index=False, lineterminator="\n")


def load_table(path: Path) -> pd.DataFrame:
    """Read a CSV table whose text columns (class names such as "NA" or "01") stay text; raises UserError."""
    require_file(path)
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except DAMAGE as error:
        raise _damaged(path, error) from error


def save_text(path: Path, text: str) -> None:
    """Write UTF-8 text."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(f"{path} is damaged ({' '.join(str(error).split())}); run 'dvc repro', which makes it again")


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DECIMALS)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
