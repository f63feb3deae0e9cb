"""Whether the declared models fit the images and classes at hand."""

import math
from collections.abc import Mapping

import keras

from stages.building import estimators
from stages.building.nets import build, check_probabilities, make_optimizer
from stages.console import UserError
from stages.params.declared import Declared
from stages.params.nets import Net
from stages.params.pictures import MAPS_AT_MOST, WeightMap

Pictures = Mapping[str, Mapping[str, WeightMap]]


def check_models(
    baselines: Mapping[str, Declared],
    nets: Mapping[str, Net],
    pictures: Pictures,
    *,
    image_size: tuple[int, int],
    classes: int,
    seed: int,
) -> None:
    """Make every declared model once, untrained, and count the pictures of its weights.

    Parameters
    ----------
    baselines, nets : mapping
        What params.yaml declares.
    pictures : mapping
        Model -> layer -> how to draw its weights.
    image_size : tuple of int
        Height and width of the images, in pixels.
    classes : int
        Number of classes.
    seed : int
        Of the models' random numbers; it makes no difference here.

    Raises
    ------
    UserError
        All layers that do not fit the images, outputs that do not fit the classes, and grids too small for
        the weights, one a line.
    """
    mistakes = []
    for name, baseline in baselines.items():
        try:
            estimators.build(baseline.class_, baseline.settings, seed, f"params.yaml: baselines.{name}")
        except UserError as error:
            mistakes.append(str(error))
        # A linear classifier of two classes has one row of weights.
        maps = {layer: classes if classes > 2 else 1 for layer in pictures.get(name, {})}
        mistakes += _too_small(name, pictures, maps)
    for name, net in nets.items():
        where = f"params.yaml: nets.{name}"
        try:
            model = build(name, net, *image_size, classes)
            check_probabilities(model, where)
            make_optimizer(net.optimizer, net.epochs, f"{where}.optimizer")  # as if an epoch were a step
        except UserError as error:
            mistakes.append(str(error))
        else:
            mistakes += _too_small(name, pictures, _kernels(model))
    if mistakes:
        raise UserError("\n".join(mistakes))


def _kernels(model: keras.Model) -> dict[str, int]:
    """Layer -> number of its units or filters, for layers with weights that can be drawn."""
    return {layer.name: int(layer.kernel.shape[-1]) for layer in model.layers if hasattr(layer, "kernel")}


def _too_small(name: str, pictures: Pictures, maps: Mapping[str, int]) -> list[str]:
    mistakes = []
    for layer, how in pictures.get(name, {}).items():
        place = f"params.yaml: pictures.weights.{name}.{layer}"
        if layer not in maps:
            mistakes.append(f"{place}: this layer has no weights to draw; those of {name} that have: {', '.join(maps)}")
        elif (grid := how.grid(maps[layer])) and math.prod(grid) < min(maps[layer], MAPS_AT_MOST):
            mistakes.append(
                f"{place}: a grid of {grid[0]} x {grid[1]} has {math.prod(grid)} cells, and there are {maps[layer]} "
                "maps; leave 'rows' out, and there are as many as are needed"
            )
    return mistakes
