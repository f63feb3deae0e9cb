"""Small copies of the project to run DVC in: the real dvc.yaml and stages, synthetic digits, few models."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from ruamel.yaml import YAML

from reliability.idx_files import Digits, gzipped

ROOT = Path(__file__).resolve().parents[1]
SIDE = 12  # pixels
CLASSES = 4
TRAIN_ROWS, TEST_ROWS = 480, 120

BASELINES: dict[str, dict[str, Any]] = {
    "linear": {"class": "LinearSVC", "C": 0.1},
    "neighbours": {"class": "KNeighborsClassifier", "n_neighbors": 5, "metric": "manhattan"},
}
NETS: dict[str, dict[str, Any]] = {
    "dense": {
        "layers": {
            "flatten": {"class": "Flatten"},
            "hidden": {"class": "Dense", "units": 8, "activation": "relu"},
            "output": {"class": "Dense", "units": "classes", "activation": "softmax"},
        },
        "optimizer": {"class": "Adam", "learning_rate": 0.02},
        "epochs": 3,
        "batch_size": 32,
        "early_stopping": {"patience": 2},
    },
    "convolution": {
        "layers": {
            "filters": {"class": "Conv2D", "filters": 6, "kernel_size": [5, 5], "activation": "relu"},
            "pooling": {"class": "MaxPooling2D", "pool_size": [2, 2]},
            "flatten": {"class": "Flatten"},
            "output": {"class": "Dense", "units": "classes", "activation": "softmax"},
        },
        "optimizer": {"class": "Adam", "learning_rate": 0.02},
        "epochs": 2,
        "batch_size": 64,
    },
}


class Ran(NamedTuple):
    """What a command did: its exit code, all it printed, and the stages it ran."""

    code: int
    output: str
    stages: list[str]


class Project:
    """A copy of the project in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def lock(self) -> str:
        """The text of dvc.lock."""
        return (self.folder / "dvc.lock").read_text()

    def read(self, name: str) -> str:
        """Return the text of a file."""
        return (self.folder / name).read_text()

    def start(
        self, *command: str, output: int | IO[str] = subprocess.PIPE, apart: bool = False
    ) -> subprocess.Popen[str]:
        """Start a command in the project's folder; `apart`: in a session and process group of its own."""
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=apart,
        )

    def run(self, *command: str) -> Ran:
        """Run a command in the project's folder."""
        with self.start(*command) as process:
            output, _ = process.communicate()
        return Ran(process.returncode, output, stages_run(output))

    def succeed(self, *command: str) -> Ran:
        """Run a command that must succeed."""
        ran = self.run(*command)
        assert ran.code == 0, ran.output
        return ran

    def repro(self, *arguments: str) -> list[str]:
        """Run `dvc repro`, which must succeed, and return the stages that ran."""
        return self.succeed("dvc", "repro", *arguments).stages

    def commit(self) -> None:
        """Commit all that git does not ignore."""
        self.succeed("git", "add", "--all")
        self.succeed("git", "commit", "--quiet", "--message", "a step")

    def edit(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Let a function change the parsed params.yaml in place."""
        path = self.folder / "params.yaml"
        yaml = YAML()
        params = yaml.load(path.read_text())
        change(params)
        with path.open("w") as file:
            yaml.dump(params, file)

    def copy(self, folder: Path) -> "Project":
        """Copy everything, the cache too."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder)


def stages_run(output: str) -> list[str]:
    """Return the stages that DVC's output says it ran."""
    return re.findall(r"Running stage '([^']+)'", output)


def small(params: dict[str, Any]) -> None:
    """Declare four small models of two kinds in place of the default ones."""
    params["baselines"], params["nets"] = BASELINES, NETS
    params["pictures"]["weights"] = {"dense": {"hidden": {"columns": 4, "range": 1.0}}}


def smallest(params: dict[str, Any]) -> None:
    """Declare one small model of either kind: every stage has something to do, and no more than that."""
    small(params)
    params["baselines"], params["nets"] = {"linear": BASELINES["linear"]}, {"dense": NETS["dense"]}


def make(folder: Path, change: Callable[[dict[str, Any]], object] = small, side: int = SIDE) -> Project:
    """Make a small project as `prepare` does, run it once, and commit what that makes."""
    project = prepare(folder, change, side)
    project.repro()
    project.commit()
    return project


def prepare(folder: Path, change: Callable[[dict[str, Any]], object] = small, side: int = SIDE) -> Project:
    """Make a small project that has not run yet, and commit it.

    Parameters
    ----------
    folder : Path
        To make.
    change : callable
        Changes the default params.yaml, parsed, in place.
    side : int
        Height and width of the synthetic digits in pixels.
    """
    folder.mkdir()
    for name in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "stages", folder / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".dvc").mkdir()
    for name in ("config", ".gitignore"):
        shutil.copy(ROOT / ".dvc" / name, folder / ".dvc")
    (folder / "reports" / "history").mkdir(parents=True)
    (folder / "reports" / "history" / ".gitkeep").touch()
    shutil.copy(ROOT / "params.yaml", folder)
    write_digits(folder / "data" / "mnist", compressed=True, side=side)

    project = Project(folder)
    project.edit(lambda params: params.update(fetch={"source": "data/mnist"}))
    project.edit(change)
    project.succeed("git", "init", "--quiet", "--initial-branch", "main")
    for key, value in (("user.name", "A tester"), ("user.email", "tester@example.org")):
        project.succeed("git", "config", key, value)
    project.commit()
    return project


def write_digits(folder: Path, *, compressed: bool, side: int = SIDE) -> None:
    """Write the four IDX files of a data set whose classes are bright bars at different heights, with noise."""
    random = np.random.default_rng(7)
    labels = random.integers(0, CLASSES, TRAIN_ROWS + TEST_ROWS).astype(np.uint8)
    images = random.integers(0, 120, (len(labels), side, side)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[3 * label : 3 * label + 3, 2:10] += 45
    files = Digits(images, labels, TRAIN_ROWS).files()
    folder.mkdir(parents=True)
    for name, content in (gzipped(files) if compressed else files).items():
        (folder / name).write_bytes(content)
