"""The whole pipeline on few digits and few epochs, as a DVC experiment in a folder of its own.

The workspace stays as it is; `dvc exp show` lists the outcome as the experiment "quick".
"""

import subprocess
import sys

from stages.check_params.structure import check_structure
from stages.shared.params.yaml_file import read
from stages.shared.process import console
from stages.shared.process.run import run

ROWS = 4000
EPOCHS = 2
NAME = "quick"


def command(nets: dict[str, int]) -> list[str]:
    """Return the DVC command that runs the small experiment.

    Parameters
    ----------
    nets : dict of str to int
        Name -> epochs of the declared nets.
    """
    settings = [f"split.rows={ROWS}", *(f"nets.{name}.epochs={min(EPOCHS, epochs)}" for name, epochs in nets.items())]
    options = [part for setting in settings for part in ("--set-param", setting)]
    return ["dvc", "exp", "run", "--temp", "--force", "--name", NAME, *options]


def main() -> None:
    """Run the experiment, and show what it reached."""
    declared = check_structure(read())
    subprocess.run(["dvc", "exp", "remove", NAME], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    ran = subprocess.run(command({name: net.epochs for name, net in declared.nets.items()}), check=False)
    if ran.returncode:
        sys.exit(ran.returncode)
    console.say(f"quick: done; 'dvc exp show' lists it as {NAME}, 'dvc exp apply {NAME}' takes it into the workspace")


if __name__ == "__main__":
    run("quick", main)
