"""Section `pictures`: how the weights are drawn."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from stages.params.reading import Settings, section

Count = Annotated[int, Field(ge=1, le=100)]


class WeightMap(Settings):
    """How one layer's (or linear baseline's) weights are drawn.

    Attributes
    ----------
    rows, columns : int or None
        Grid of maps; None chooses one that fits.
    range : float or None
        The weight that is drawn in full colour; None takes the largest.
    """

    rows: Count | None = None
    columns: Count | None = None
    range: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _whole_grid(self) -> Self:
        if (self.rows is None) != (self.columns is None):
            raise ValueError("'rows' and 'columns' go together: give both or neither")
        return self


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
    return section("pictures", Pictures)
