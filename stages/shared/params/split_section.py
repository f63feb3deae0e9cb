"""Section `split`: which rows train, validate and test."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from stages.shared.params.settings import Settings, load_section

OFFICIAL = "official"


def _share_or_official(value: Any) -> Any:
    if value == OFFICIAL or (isinstance(value, float) and 0 < value < 1):
        return value
    raise ValueError(f"must be a share above 0 and below 1, or '{OFFICIAL}'")


SHARE_OR_OFFICIAL = {"anyOf": [{"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, {"const": OFFICIAL}]}


class Split(Settings):
    """The section.

    Attributes
    ----------
    rows : int or None
        Size of a stratified subset of the whole data set; None takes all rows.
    test : float or "official"
        Share of the rows kept for testing, or the data set's own test rows.
    validation : float
        Share of the remaining rows that decides epochs and choices; 0 leaves all of them to training.
    random_state : int
        Seed of the division; 42 is the notebook's.
    class_names : list of str or None
        Names in the order of the sorted labels, in place of the labels themselves.
    """

    rows: Annotated[int, Field(ge=10)] | None = None
    test: Annotated[Any, BeforeValidator(_share_or_official), WithJsonSchema(SHARE_OR_OFFICIAL)]
    validation: Annotated[float, Field(ge=0, lt=1)]
    random_state: Annotated[int, Field(ge=0, lt=2**32)]
    class_names: Annotated[list[str], Field(min_length=2)] | None = None


def load() -> Split:
    """Read and check the section; raises UserError."""
    return load_section("split", Split)
