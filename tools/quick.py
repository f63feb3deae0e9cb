"""Runs the whole pipeline with few images and few epochs, as the DVC experiment "quick", outside the workspace."""

import subprocess
import sys

from stages.shared.errors import UserError
from stages.shared.params import nets_section
from stages.shared.process import console
from stages.shared.process.run import run
from tools.programs import DVC, environment
from tools.repository import check_history, check_repository, git

ROWS = 4000
EPOCHS = 2
NAME = "quick"


def settings(nets: dict[str, int]) -> list[str]:
    """Return the settings of the small experiment, as `KEY=VALUE`.

    Parameters
    ----------
    nets : dict of str to int
        Name -> epochs of the declared nets.
    """
    return [f"split.rows={ROWS}", *(f"nets.{name}.epochs={min(EPOCHS, epochs)}" for name, epochs in nets.items())]


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
    if not any(ref.endswith(f"/{name}") for ref in git("for-each-ref", "--format=%(refname)", "refs/exps").split()):
        raise UserError(f"{name}: DVC has run the stages and kept no experiment; its messages above may say why")
    console.say(f"{name}: done; 'dvc exp show' lists it, 'dvc exp apply {name}' copies its results to the workspace")


def main() -> None:
    """Run the small experiment."""
    run_experiment(NAME, settings({name: net.epochs for name, net in nets_section.load().items()}))


if __name__ == "__main__":
    run("quick", main)
