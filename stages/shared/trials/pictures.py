"""Checks the declared pictures of weights against the models."""

import math
from collections.abc import Iterator, Mapping, Set

from stages.shared.params.mistakes import Mistake
from stages.shared.params.pictures_section import MAPS_AT_MOST, WeightMap
from stages.shared.params.yaml_file import Place


def picture_mistakes(
    name: str, pictures: Mapping[str, WeightMap], maps: Mapping[str, int], matrices: Set[str]
) -> Iterator[Mistake]:
    """Find the pictures of one model that would not be drawn as declared.

    Parameters
    ----------
    name : str
        The model's name.
    pictures : mapping of str to WeightMap
        Layer -> how its weights are drawn.
    maps : mapping of str to int
        Layer -> number of weight maps, for layers that are drawn as maps of the pixels.
    matrices : set of str
        Layers that are drawn as one matrix.

    Yields
    ------
    Mistake
        One per layer that has no drawn weights, maps that do not fit the grid, or a grid for a matrix.
    """
    for layer, how in pictures.items():
        place: Place = ("pictures", "weights", name, layer)
        if layer in matrices:
            if how.columns is not None:
                text = "these weights are drawn as one matrix, not as maps of the pixels; keep only 'range'"
                yield Mistake((*place, "columns"), text)
        elif layer not in maps:
            drawn = ", ".join([*maps, *sorted(matrices)]) or "none"
            yield Mistake(place, f"this layer has no weights that are drawn; drawn layers of {name}: {drawn}")
        elif (grid := how.grid(maps[layer])) and math.prod(grid) < min(maps[layer], MAPS_AT_MOST):
            text = (
                f"a grid of {grid[0]} x {grid[1]} has {math.prod(grid)} cells for {maps[layer]} maps; "
                "leave out 'rows' to get as many as are needed"
            )
            yield Mistake((*place, "rows"), text)
