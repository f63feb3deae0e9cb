"""Section `baselines`: scikit-learn classifiers, each declared by its class and its settings."""

from typing import Annotated

from pydantic import RootModel

from stages.shared.params.declared import Declared
from stages.shared.params.settings import RESERVED, load_section, names_of, one_of


class Baselines(RootModel[Annotated[dict[str, Declared], names_of("baseline", RESERVED)]]):
    """Name -> scikit-learn classifier, in the file's order."""


def load() -> dict[str, Declared]:
    """Read and check the section; raises UserError."""
    return load_section("baselines", Baselines).root


def load_one(name: str) -> Declared:
    """Read and check the section and return one baseline; raises UserError."""
    return one_of(load(), name, "baseline")
