"""What several test files share."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

# Before any test file imports TensorFlow, which reads it once: errors alone.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with the default params.yaml."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def edited_params(workspace: Path) -> Callable[..., str]:
    """Change the workspace's params.yaml: `edited_params((old, new), ...)`; returns its new text."""

    def edit(*edits: tuple[str, str]) -> str:
        path = workspace / "params.yaml"
        text = path.read_text()
        for old, new in edits:
            assert old in text, f"params.yaml holds no {old!r} any more"
            text = text.replace(old, new, 1)
        path.write_text(text)
        return text

    return edit
