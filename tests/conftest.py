"""What several test files share."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import gto  # noqa: F401  DVC imports it late, and it closes whatever handlers logging has: before TensorFlow's
import pytest

from tests.fixtures.small_project import Project, make

# Before any test file imports TensorFlow, which reads them once: errors alone, and the kernels that the stages use.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# What was started in the background ignores Ctrl-C, and so would the processes that tests send it to.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that run pipelines: what takes longest is not to wait for the rest."""
    items.sort(key=lambda item: not {"finished", "compared"} & set(getattr(item, "fixturenames", ())))


@pytest.fixture(autouse=True)
def unmutated_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under `make mutation`, leave a mutant to the test's own process: mutmut fails in others that it did not start."""
    monkeypatch.delenv("MUTANT_UNDER_TEST", raising=False)


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


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small project that has run once; tests that change it take a copy."""
    return make(tmp_path_factory.mktemp("finished") / "project")
