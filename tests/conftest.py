"""Fixtures and settings that all tests share."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import gto  # noqa: F401  before TensorFlow: DVC imports it late, and it closes the handlers that logging has by then
import pytest

from stages.shared.process.environment import prepare_environment
from tests.fixtures.small_project import PARAMS, ROOT, Project, commit_as_a_tester, make

# Before libraries are imported: the environment of the stages, without TensorFlow's warnings.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
prepare_environment()

# Those of a git hook make git work on this repository in every folder; others name authors, trace, or set templates.
# With PYTHONSAFEPATH, processes that tests start would not find the stages in their folder.
for variable in [name for name in os.environ if name.startswith("GIT_") or name == "PYTHONSAFEPATH"]:
    del os.environ[variable]
commit_as_a_tester()

# A shell starts background jobs with Ctrl-C ignored, and the processes that tests interrupt would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests that run pipelines first, so that no worker is left with a long one at the end."""
    items.sort(key=lambda item: not {"finished", "compared"} & set(getattr(item, "fixturenames", ())))


@pytest.fixture(autouse=True)
def unmutated_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep mutants of `make mutation` to the test's own process: mutmut fails in processes that it did not start."""
    monkeypatch.delenv("MUTANT_UNDER_TEST", raising=False)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder with the notebook's params.yaml and the schema."""
    for file in (PARAMS, ROOT / "params.schema.json"):
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def edited_params(workspace: Path) -> Callable[..., str]:
    """Return a function that edits the workspace's params.yaml, `edited_params((old, new), ...)`, and returns it."""

    def edit(*edits: tuple[str, str]) -> str:
        path = workspace / "params.yaml"
        text = path.read_text()
        for old, new in edits:
            assert old in text, f"params.yaml does not contain {old!r}"
            text = text.replace(old, new, 1)
        path.write_text(text)
        return text

    return edit


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small project that has run once; a test that changes it works on a copy."""
    return make(tmp_path_factory.mktemp("finished") / "project")
