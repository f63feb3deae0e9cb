"""Runs the whole pipeline on few images, as the DVC experiment "quick", outside the workspace.

Its accuracies are lower than those of the whole data, but rank the models much as those do: batches are small, so that
the few images make enough steps. Batch normalisation needs some hundreds, until its averages have left their start.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np

from stages.shared.errors import UserError
from stages.shared.files import paths
from stages.shared.files.text_files import save_text
from stages.shared.params import nets_section, split_section
from stages.shared.params.nets_section import Net
from stages.shared.process import console
from stages.shared.process.run import run
from tools.compare import content, resolve
from tools.programs import DVC, environment
from tools.repository import check_history, check_repository, git

ROWS = 1500
EPOCHS = 6
BATCH_SIZE = 16
NAME = "quick"
PAGES = Path(".dvc/tmp")  # not in Git


def settings(rows: int, nets: dict[str, Net]) -> list[str]:
    """Return the settings of the small experiment, as `KEY=VALUE`.

    Parameters
    ----------
    rows : int
        Of the whole run.
    nets : dict of str to Net
        The declared nets.
    """
    smaller = [f"split.rows={min(ROWS, rows)}"]
    for name, net in nets.items():
        smaller += [f"nets.{name}.epochs={min(EPOCHS, net.epochs)}"]
        smaller += [f"nets.{name}.batch_size={min(BATCH_SIZE, net.batch_size)}"]
    return smaller


def rows_fetched() -> int:
    """Return the number of images of the data set; `ROWS` if it has not been fetched yet."""
    return len(np.load(paths.RAW_IMAGES, mmap_mode="r")) if paths.RAW_IMAGES.is_file() else ROWS


def command(name: str, changes: list[str]) -> list[str]:
    """Return the DVC command that runs the pipeline with changed settings in a temporary folder."""
    options = [part for change in changes for part in ("--set-param", change)]
    return [*DVC, "exp", "run", "--temp", "--name", name, *options]


def run_experiment(name: str, changes: list[str]) -> None:
    """Run an experiment in place of an earlier one of the same name; exits with DVC's code if it fails.

    Raises
    ------
    UserError
        The repository lacks what DVC needs to keep an experiment, or DVC kept none.
    """
    check_repository()
    check_history()
    remove = [*DVC, "exp", "remove", name]
    subprocess.run(remove, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    done = subprocess.run(command(name, changes), env=environment(), check=False)
    if done.returncode:
        sys.exit(done.returncode)
    head = git("rev-parse", "HEAD").strip()
    experiment = f"refs/exps/{head[:2]}/{head[2:]}/{name}"
    if not git("for-each-ref", experiment):
        raise UserError(f"{name}: DVC has run the stages and kept no experiment; its messages above may say why")
    console.say(f"{name}: 'make experiments' lists it, 'dvc exp apply {name}' copies its results to the workspace")
    if page := content(resolve(experiment), paths.PAGE.as_posix()):
        file = PAGES / f"{name}.html"
        save_text(file, page)
        console.say(f"{name}: its page: open {file}")


def main() -> None:
    """Run the small experiment."""
    run_experiment(NAME, settings(split_section.load().rows or rows_fetched(), nets_section.load()))


if __name__ == "__main__":
    run("quick", main)
