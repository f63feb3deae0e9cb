"""Recipes that bring the notebook's nets to its accuracy in little time."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stages.shared.params import nets_section
from stages.shared.params.nets_section import Net

RECIPES = Path("benchmarks/recipes.yaml")


def recipes() -> dict[str, dict[str, Any]]:
    """Read the recipes: net -> what is different from params.yaml."""
    content: dict[str, dict[str, Any]] = YAML(typ="safe").load(RECIPES)
    return content


def recipe(name: str) -> Net:
    """Return a net of params.yaml as it is trained against the clock: the same layers, all epochs.

    Parameters
    ----------
    name : str
        The net's name.

    Raises
    ------
    UserError
        params.yaml declares no such net.
    """
    declared = nets_section.load_one(name).model_dump(by_alias=True, exclude_unset=True)
    return Net.model_validate({**declared, **recipes().get(name, {}), "early_stopping": None})


def described(name: str) -> str:
    """Say how a net is trained against the clock, for the table."""
    net = recipe(name)
    rate = net.optimizer.settings.get("learning_rate")
    if isinstance(rate, dict):
        rate = f"{rate['initial_learning_rate']:g} by {rate['class']} to 0"
    decay = net.optimizer.settings.get("weight_decay")
    decay = f", weight decay {decay:g}" if decay else ""
    threads = f", {net.threads} thread" if net.threads else ""
    return (
        f"{net.optimizer.class_}, learning rate {rate or 'as Keras has it'}{decay}, "
        f"{net.epochs} epochs of {net.batch_size} rows a step{threads}"
    )
