"""Whether the declared models fit the images and classes at hand."""

import math
from collections.abc import Mapping, Set

from stages.building import estimators
from stages.building.nets import build, check_probabilities, check_step, make_optimizer
from stages.building.weights import net_weights
from stages.check_models import trial
from stages.params.declared import Declared
from stages.params.nets import Net
from stages.params.pictures import MAPS_AT_MOST, WeightMap
from stages.params.reading import DeclarationError, Mistake, Place

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
    DeclarationError
        All layers that do not fit the images, outputs that do not fit the classes, classifiers that could not be
        saved, and pictures that would show less than was asked.
    """
    mistakes: list[Mistake] = []
    for name, baseline in baselines.items():
        try:
            model = estimators.build(baseline.class_, baseline.settings, seed, ("baselines", name))
        except DeclarationError as error:
            mistakes += error.mistakes
            continue
        fitted = trial.fitted(model, classes)
        if fitted is None:
            continue
        if reason := trial.why_not_saved(fitted):
            mistakes.append(Mistake(("baselines", name), reason))
        mistakes += _unlike(name, pictures, trial.maps(fitted, classes), set())
    for name, net in nets.items():
        where: Place = ("nets", name)
        try:
            made = build(name, net, *image_size, classes)
            check_probabilities(made, where)
            # As if an epoch were a step.
            check_step(make_optimizer(net.optimizer, net.epochs, (*where, "optimizer")), (*where, "optimizer"))
        except DeclarationError as error:
            mistakes += error.mistakes
        else:
            weights = net_weights(made, *image_size)
            maps = {layer: len(each.maps) for layer, each in weights.items() if each.maps is not None}
            mistakes += _unlike(name, pictures, maps, weights.keys() - maps)
    if mistakes:
        raise DeclarationError(mistakes)


def _unlike(name: str, pictures: Pictures, maps: Mapping[str, int], matrices: Set[str]) -> list[Mistake]:
    """Find the pictures of a model that would not be drawn as declared.

    Parameters
    ----------
    name : str
        The model.
    pictures : mapping
        Model -> layer -> how to draw its weights.
    maps : mapping
        Layer -> number of maps of the pixels' weights.
    matrices : set of str
        Layers whose weights are drawn as one matrix.
    """
    mistakes = []
    for layer, how in pictures.get(name, {}).items():
        place: Place = ("pictures", "weights", name, layer)
        if layer in matrices:
            if how.columns is not None:
                said = "its weights are drawn as one matrix, not as maps of pixels; leave out all but 'range'"
                mistakes.append(Mistake(place, said, "columns"))
        elif layer not in maps:
            drawn = ", ".join([*maps, *sorted(matrices)]) or "none"
            mistakes.append(Mistake(place, f"there are no weights to draw here; of {name} are drawn: {drawn}"))
        elif (grid := how.grid(maps[layer])) and math.prod(grid) < min(maps[layer], MAPS_AT_MOST):
            said = (
                f"a grid of {grid[0]} x {grid[1]} has {math.prod(grid)} cells, and there are {maps[layer]} maps; "
                "leave 'rows' out, and there are as many as are needed"
            )
            mistakes.append(Mistake(place, said, "rows"))
    return mistakes
