"""Section `split`: the training, validation and test sets."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from stages.shared.params.settings import Settings, load_section

OFFICIAL = "official"


def _share_or_official(value: Any) -> Any:
    # pydantic would report both types of a union.
    if value == OFFICIAL or (isinstance(value, float) and 0 < value < 1):
        return value
    raise ValueError(f"must be a share above 0 and below 1, or '{OFFICIAL}'")


SHARE_OR_OFFICIAL = {"anyOf": [{"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, {"const": OFFICIAL}]}


class Split(Settings):
    """The training, validation and test sets."""

    rows: Annotated[int, Field(ge=10)] | None = None
    """Size of a stratified subset of the data set; null takes all rows."""

    test: Annotated[Any, BeforeValidator(_share_or_official), WithJsonSchema(SHARE_OR_OFFICIAL)]
    """Share of the rows used for testing, or "official", the data set's own test rows."""

    validation: Annotated[float, Field(ge=0, lt=1)]
    """Share of the remaining rows used for validation, which decides epochs and choices; 0 trains on all of them."""

    random_state: Annotated[int, Field(ge=0, lt=2**32)]
    """Seed of the split; the notebook's is 42."""

    class_names: Annotated[list[str], Field(min_length=2)] | None = None
    """Names in the order of the sorted labels; null takes the labels."""


def load() -> Split:
    """Read and check the section; raises UserError."""
    return load_section("split", Split)
