"""Section `pictures`: how weights are drawn."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from stages.shared.params.mistakes import error_below
from stages.shared.params.settings import Settings, load_section

MAPS_AT_MOST = 128  # per layer, the first ones; more would be too small to see

Count = Annotated[int, Field(ge=1, le=100)]


class WeightMap(Settings):
    """How the weights of one layer, or of a linear baseline, are drawn."""

    columns: Count | None = None
    """Number of maps side by side; null chooses a grid that fits."""

    rows: Count | None = None
    """Number of rows of maps; null draws as many as needed."""

    range: Annotated[float, Field(gt=0)] | None = None
    """The absolute weight drawn in full colour; null is the largest."""

    @model_validator(mode="after")
    def _rows_need_columns(self) -> Self:
        if self.rows is not None and self.columns is None:
            raise error_below(("rows",), "needs 'columns': declare both, 'columns' alone or neither")
        return self

    def grid(self, maps: int) -> tuple[int, int] | None:
        """Return rows and columns for this number of maps; None if the grid is not declared."""
        if self.columns is None:
            return None
        return self.rows or -(-min(maps, MAPS_AT_MOST) // self.columns), self.columns


class Pictures(Settings):
    """How weights are drawn."""

    weights: dict[str, dict[str, WeightMap]]
    """Model -> layer -> how to draw it, for layers not drawn by the defaults; the layer of a linear baseline is
    "coefficients"."""


def load() -> Pictures:
    """Read and check the section; raises UserError."""
    return load_section("pictures", Pictures)
