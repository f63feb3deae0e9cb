"""The steps of docs/make-it-yours.md, followed on a small data set with the files of Fashion-MNIST."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.fixtures.idx_files import Digits, gzipped, write
from tests.fixtures.pages import block, follow, require_environment
from tests.fixtures.small_project import ROOT, Project
from tests.fixtures.synthetic import digits

pytestmark = pytest.mark.slow

PAGE = "docs/make-it-yours.md"
ROWS, TRAIN_ROWS = 500, 400


def kept() -> set[str]:
    """Return the models that are not to be deleted."""
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    [sentence] = re.findall(r"Delete the models .*?all but (.*?)\.\n", text, re.DOTALL)
    return set(re.findall(r"`([\w-]+)`", sentence))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Every file of this repository, and a data set."""
    require_environment()
    folder = tmp_path / "project"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    for path in folder.glob("requirements*.txt"):
        os.utime(path, (0, 0))  # older than the environment
    images, labels = digits(ROWS)
    write(folder / "data" / "fashion", gzipped(Digits(images, labels, TRAIN_ROWS).files()))
    project = Project(folder)
    project.succeed("git", "init", "--quiet", "--initial-branch", "main")
    project.succeed("git", "add", "--all", ":!data/fashion")
    project.succeed("git", "commit", "--quiet", "--message", "The project as it was cloned")
    return project


def test_the_page_makes_the_project_ones_own(project: Project) -> None:
    def set_params(params: dict[str, Any]) -> None:
        params |= YAML(typ="safe").load(block(PAGE, "params"))
        for models in (params["baselines"], params["nets"], params["pictures"]["weights"]):
            for name in set(models) - kept():
                del models[name]

    follow(project, PAGE, "data")
    project.edit(set_params)
    pipeline = re.sub(r"(      - data/mnist/.*\n){4}", block(PAGE, "deps"), project.read("dvc.yaml"))
    for name in re.findall(r"^  ([\w-]+):\n    path:", pipeline, re.MULTILINE):
        if name not in kept():
            pipeline = re.sub(rf"^  {name}:\n(    .*\n)+", "", pipeline, flags=re.MULTILINE)
    (project.folder / "dvc.yaml").write_text(pipeline)
    follow(project, PAGE, "run")

    leaderboard = project.read("README.md").partition("<!-- leaderboard -->")[2].partition("<!-- /leaderboard -->")[0]
    assert set(re.findall(r"^\| \**([\w-]+)\** \|", leaderboard, re.MULTILINE)) == {"model", *kept()}
    for kind in ("metrics", "classification", "confusion"):
        assert {path.stem for path in (project.folder / "reports" / kind).iterdir()} == kept()
    assert "Ankle boot" in project.read("reports/classification/mlp-48.txt")
    assert "Ankle boot" in project.read("reports/index.html")

    follow(project, PAGE, "commit")
    assert project.succeed("git", "status", "--porcelain").output == ""
    assert "up to date" in project.succeed("dvc", "status", "dvc.yaml").output
    assert "data/fashion/" not in project.succeed("git", "ls-files").output
    project.succeed("python", "-m", "tools.readme", "--check")
    # Its tests do not expect the notebook's models, and a changed file runs the pipeline again.
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "tests/test_notebook.py"]
    skipped = subprocess.run(command, cwd=project.folder, env=environment, capture_output=True, text=True, check=True)
    assert "params.yaml is not the notebook's" in skipped.stdout and " passed" not in skipped.stdout
    labels = project.folder / "data" / "fashion" / "t10k-labels-idx1-ubyte.gz"
    labels.unlink()
    labels.write_bytes(b"other labels")
    assert "fetch" in project.succeed("dvc", "status").output
