"""Section `pictures`: how the weights are drawn."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from stages.shared.params.settings import Settings, load_section

MAPS_AT_MOST = 128  # of one layer that are drawn, the first; more would be too small to see

Count = Annotated[int, Field(ge=1, le=100)]


class WeightMap(Settings):
    """How one layer's (or linear baseline's) weights are drawn.

    Attributes
    ----------
    columns : int or None
        Maps side by side; None chooses a grid that fits.
    rows : int or None
        Rows of maps; None takes as many as are needed.
    range : float or None
        The weight that is drawn in full colour; None takes the largest.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"rows": {"type": "integer"}}, "required": ["rows"]},
            "then": {"properties": {"columns": {"type": "integer"}}, "required": ["columns"]},
        }
    )

    columns: Count | None = None
    rows: Count | None = None
    range: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _columns_first(self) -> Self:
        if self.rows is not None and self.columns is None:
            raise ValueError("'rows' goes with 'columns': give both, 'columns' alone or neither")
        return self

    def grid(self, maps: int) -> tuple[int, int] | None:
        """Return rows and columns for a layer of so many maps; None leaves them to the drawing."""
        if self.columns is None:
            return None
        return self.rows or -(-min(maps, MAPS_AT_MOST) // self.columns), self.columns


class Pictures(Settings):
    """The section.

    Attributes
    ----------
    weights : dict of str to dict of str to WeightMap
        Model -> layer -> how to draw it; the layer of a linear baseline is "coefficients". What is not named
        is drawn with the defaults.
    """

    weights: dict[str, dict[str, WeightMap]]


def load() -> Pictures:
    """Read and check the section; raises UserError."""
    return load_section("pictures", Pictures)
