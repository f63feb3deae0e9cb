"""Recipes that train the notebook's nets to its accuracy in less time; `make recipes` runs them as an experiment.

`make recipes` trains the declared nets by these recipes, on the rows and with the seed that params.yaml sets, in a
folder of its own. `dvc exp show` lists the outcome as the experiment "recipes".
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stages.shared.errors import UserError
from stages.shared.params import nets_section
from stages.shared.params.nets_section import Net
from stages.shared.process import console
from stages.shared.process.run import run
from tools.programs import DVC, environment
from tools.repository import check_history, check_repository, git

RECIPES = Path("benchmarks/recipes.yaml")
NAME = "recipes"


def recipes() -> dict[str, dict[str, Any]]:
    """Return the recipes: net -> the settings that differ from params.yaml."""
    content: dict[str, dict[str, Any]] = YAML(typ="safe").load(RECIPES)
    # All epochs are trained, and the last weights are kept.
    return {name: {**settings, "early_stopping": None} for name, settings in content.items()}


def recipe(name: str) -> Net:
    """Return a net of params.yaml with the settings of its recipe, or with its own if it has none.

    Raises
    ------
    UserError
        params.yaml declares no such net.
    """
    declared = nets_section.load_one(name).model_dump(by_alias=True, exclude_unset=True)
    return Net.model_validate({**declared, **recipes().get(name, {"early_stopping": None})})


def described(name: str) -> str:
    """Return the recipe of a net as a line of text."""
    net = recipe(name)
    rate = net.optimizer.settings.get("learning_rate")
    if isinstance(rate, dict):
        rate = f"{rate['initial_learning_rate']:g} by {rate['class']} to 0"
    decay = net.optimizer.settings.get("weight_decay")
    decay = f", weight decay {decay:g}" if decay else ""
    threads = f", {net.threads} thread" if net.threads else ""
    return (
        f"{net.optimizer.class_}, learning rate {rate or 'as Keras has it'}{decay}, "
        f"{net.epochs} epochs, batch size {net.batch_size}{threads}"
    )


def overrides(name: str) -> list[str]:
    """Return the recipe of a net as settings for `dvc exp run --set-param`."""
    declared = nets_section.load_one(name).model_fields_set
    # DVC would merge the recipe's optimizer into the declared one.
    removed = [f"~nets.{name}.optimizer"] if "optimizer" in declared else []
    # A mapping is written without quotes: {class: Adam}.
    values = {key: json.dumps(value).replace('"', "") for key, value in recipes()[name].items()}
    return [*removed, *(f"++nets.{name}.{key}={value}" for key, value in values.items())]


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


def main() -> None:
    """Train every declared net that has a recipe."""
    names = [name for name in recipes() if name in nets_section.load()]
    if not names:
        raise UserError(f"params.yaml declares none of the nets with a recipe: {', '.join(recipes())}")
    run_experiment(NAME, [setting for name in names for setting in overrides(name)])


if __name__ == "__main__":
    run("recipes", main)
