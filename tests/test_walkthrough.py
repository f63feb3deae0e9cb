"""The commands of the README's walkthrough, run on a small data set."""

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.notebook import notebook_only
from tests.fixtures.pages import follow, require_environment
from tests.fixtures.small_project import ROOT, make

pytestmark = [pytest.mark.slow, notebook_only]

EXAMPLES = ["chalk.jpg", "marker.png", "pencil.jpg"]


def few_models(params: dict[str, Any]) -> None:
    """Keep three of the default models, with fewer epochs."""
    params["baselines"] = {"sgd": params["baselines"]["sgd"]}
    params["nets"] = {name: {**params["nets"][name], "epochs": 2} for name in ("softmax", "mlp-48")}
    params["pictures"]["weights"] = {name: params["pictures"]["weights"][name] for name in ("sgd", "mlp-48")}


def test_the_walkthrough_of_the_readme_works(tmp_path: Path) -> None:
    require_environment()
    project = make(tmp_path / "project", few_models, side=28)
    shutil.copytree(ROOT / "tools", project.folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "data" / "examples", project.folder / "data" / "examples")
    for name in ("Makefile", "requirements.txt", "requirements-remotes.txt", "requirements-boosting.txt"):
        shutil.copy(ROOT / name, project.folder)
        os.utime(project.folder / name, (0, 0))  # older than the environment
    project.commit()

    site = {"DVC_SITE_CACHE_DIR": str(tmp_path / "site-cache")}
    printed = follow(project, "README.md", "walkthrough", **site)
    # The experiments are listed with their accuracies and settings.
    assert re.search(r"^  units-64( +\*?[01]\.\d{4}){3}$", printed, re.MULTILINE), printed
    assert re.search(r"^  relu +nets\.mlp-48\.layers\.hidden\.activation=relu$", printed, re.MULTILINE), printed
    assert (project.folder / "dvc_plots" / "index.html").is_file()
    # The best one is committed completely.
    assert "units: 64" in project.read("params.yaml")
    assert project.succeed("git", "status", "--porcelain").output == ""
    assert "up to date" in project.succeed("dvc", "status", "dvc.yaml").output
    assert project.succeed("git", "log", "--format=%s").output.splitlines()[:2] == [
        "mlp-48: 64 hidden units",
        "A place for models",
    ]
    assert "storage" in project.read(".dvc/config"), "the experiment has not taken the remote back"
    # Its model is registered, fetched in another folder, and predicts.
    assert "v1.0.0" in printed
    assert (tmp_path / "elsewhere" / "mlp-48.keras").read_bytes() == (
        project.folder / "models" / "nets" / "mlp-48.keras"
    ).read_bytes()
    assert f"\n{785 * 64 + 65 * 4}\n" in printed
    assert [line.split()[0] for line in printed.splitlines() if line.startswith("data/examples/")] == [
        f"data/examples/{name}" for name in EXAMPLES
    ]

    follow(project, "README.md", "undo", **site)
    assert "units: 48" in project.read("params.yaml")
    assert project.succeed("git", "tag").output == ""
    assert project.succeed("git", "remote").output == ""
    assert project.succeed("git", "status", "--porcelain").output == ""
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("project", "site-cache")] == []
    assert "up to date" in project.succeed("dvc", "status", "dvc.yaml").output
