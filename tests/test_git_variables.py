"""Git's variables for hooks, aliases and `rebase -x`: no program of this project changes the repository they name."""

import json
import os
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from stages.shared.process.git_variables import LOCAL
from tests.fixtures.small_project import PARAMS, ROOT
from tools.programs import environment

Files = dict[str, str]


def files(folder: Path) -> Files:
    return {str(path): sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def commit(folder: Path) -> None:
    for command in ("init --quiet", "add --all", "commit --quiet --message commit"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)


@pytest.fixture
def outer(tmp_path: Path) -> Path:
    """A user's repository, with metrics of another model."""
    folder = tmp_path / "outer"
    (folder / "reports" / "metrics").mkdir(parents=True)
    (folder / "reports" / "metrics" / "other.json").write_text(json.dumps({"test_accuracy": 0.5}))
    commit(folder)
    return folder


def run(outer: Path, folder: Path, *command: str) -> str:
    """Run a command with every variable set that git sets for its hooks, and others; the output of a success."""
    git = outer / ".git"
    variables = dict.fromkeys(LOCAL, "1") | {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(git / "objects"),
        "GIT_AUTHOR_DATE": "@0 +0000",
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
        "GIT_COMMON_DIR": str(git),
        "GIT_CONFIG": str(git / "config"),
        "GIT_CONFIG_KEY_0": "core.worktree",
        "GIT_CONFIG_VALUE_0": str(outer),
        "GIT_CONFIG_PARAMETERS": f"'core.worktree'='{outer}'",
        "GIT_DIR": str(git),
        "GIT_EDITOR": ":",
        "GIT_GRAFT_FILE": str(git / "grafts"),
        "GIT_INDEX_FILE": str(git / "index"),
        "GIT_OBJECT_DIRECTORY": str(git / "objects"),
        "GIT_PREFIX": "",
        "GIT_REPLACE_REF_BASE": "refs/other/",
        "GIT_SHALLOW_FILE": str(git / "shallow"),
        "GIT_WORK_TREE": str(outer),
    }
    before = files(outer)
    paths = {"PYTHONPATH": str(ROOT), "COVERAGE_FILE": os.devnull}
    ran = subprocess.run(
        command, cwd=folder, env={**environment(), **variables, **paths}, capture_output=True, text=True, check=False
    )
    assert files(outer) == before, ran.stdout + ran.stderr
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_list_is_complete() -> None:
    listed = subprocess.run(["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True, check=True)
    assert set(listed.stdout.split()) <= set(LOCAL)


def test_tests_leave_the_repository_of_a_hook_alone(outer: Path) -> None:
    test = "tests/test_params.py::test_a_mistyped_setting_that_dvc_accepts_is_refused"
    assert "1 passed" in run(outer, ROOT, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test)


PROGRAMS = {
    "campaigns": """\
from tests.fixtures.small_project import prepare
def main():
    prepare(Path("project"))
""",
    "benchmarks": """\
from benchmarks.pipeline import run_command
def main():
    Path("project").mkdir()
    for command in ("init -q", "commit -q --allow-empty -m a", "clone -q . ../clone"):
        run_command(["git", *command.split()], Path("project"))
""",
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_campaigns_and_benchmarks_leave_the_repository_of_a_hook_alone(
    program: str, outer: Path, tmp_path: Path
) -> None:
    start = "from pathlib import Path\nfrom stages.shared.process.run import run\n"
    run(outer, tmp_path, sys.executable, "-c", f"{start}{PROGRAMS[program]}run('{program}', main)")
    assert (tmp_path / "project" / ".git" / "HEAD").is_file()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of DVC with one stage, which copies params.yaml, and committed metrics."""
    folder = tmp_path / "project"
    (folder / "reports" / "metrics").mkdir(parents=True)
    (folder / ".dvc").mkdir()
    (folder / ".dvc" / "config").touch()
    (folder / "reports" / "metrics" / "softmax.json").write_text(json.dumps({"test_accuracy": 0.75}))
    shutil.copy(PARAMS, folder / "params.yaml")
    (folder / "dvc.yaml").write_text("stages: {keep: {cmd: cp params.yaml kept, params: [nets], outs: [kept]}}\n")
    (folder / ".gitignore").write_text("/kept\n/.dvc/tmp\n/.dvc/cache\n")
    commit(folder)
    return folder


def test_tools_work_on_the_repository_of_their_folder(outer: Path, project: Path) -> None:
    assert "1 models agree" in run(outer, project, sys.executable, "-m", "tools.agreement")
    run(outer, project, sys.executable, "-m", "tests.fixtures.experiment")
    shown = run(outer, project, sys.executable, "-m", "tools.experiments")
    assert re.search(r"^  small +split\.rows=1500$", shown, re.MULTILINE), shown


def test_tests_commit_under_a_users_hooks_and_signatures(tmp_path: Path) -> None:
    (tmp_path / "commit-msg").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "commit-msg").chmod(0o755)
    (tmp_path / ".gitconfig").write_text(
        f"[core]\nhooksPath = {tmp_path}\n[commit]\ngpgSign = true\n[gpg]\nprogram = false\n"
    )
    test = "tests/test_git_variables.py::test_campaigns_and_benchmarks_leave_the_repository_of_a_hook_alone"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
    variables = {**os.environ, "HOME": str(tmp_path)}
    ran = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert "2 passed" in ran.stdout, ran.stdout
