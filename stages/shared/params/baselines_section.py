"""Section `baselines`: scikit-learn classifiers, each a class and its settings in scikit-learn's own words."""

from typing import Any

from pydantic import RootModel, field_validator

from stages.shared.errors import UserError
from stages.shared.params.declared import Declared
from stages.shared.params.settings import check_names, load_section


class Baselines(RootModel[dict[str, Declared]]):
    """The section: name -> classifier, in the file's order."""

    @field_validator("root", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("must be a mapping of name -> classifier ('{}' for none)")
        check_names(value, "baseline")
        return value


def load() -> dict[str, Declared]:
    """Read and check the section; raises UserError."""
    return load_section("baselines", Baselines).root


def load_one(name: str) -> Declared:
    """Read and check the section and return one baseline; raises UserError."""
    declared = load()
    if name not in declared:
        raise UserError(f"params.yaml declares no baseline '{name}'; it declares {', '.join(declared) or 'none'}")
    return declared[name]
