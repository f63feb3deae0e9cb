"""Whether the declared models fit the images and classes at hand."""

import math
from collections.abc import Mapping, Set

from stages.check_models import trial_fit
from stages.shared.models import build_classifier
from stages.shared.models.build_net import build, check_probabilities, check_step, make_optimizer
from stages.shared.models.drawable_weights import net_weights
from stages.shared.params.declared import Declared
from stages.shared.params.mistakes import DeclarationError, Mistake
from stages.shared.params.nets_section import Net
from stages.shared.params.pictures_section import MAPS_AT_MOST, WeightMap
from stages.shared.params.yaml_file import Place

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
            model = build_classifier.build(baseline.class_, baseline.settings, seed, ("baselines", name))
        except DeclarationError as error:
            mistakes += error.mistakes
            continue
        fitted = trial_fit.fitted(model, classes)
        if fitted is None:
            continue
        if reason := trial_fit.why_not_saved(fitted):
            mistakes.append(Mistake(("baselines", name), reason))
        mistakes += picture_mistakes(name, pictures, trial_fit.maps(fitted, classes), set())
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
            mistakes += picture_mistakes(name, pictures, maps, weights.keys() - maps)
    if mistakes:
        raise DeclarationError(*mistakes)


def picture_mistakes(name: str, pictures: Pictures, maps: Mapping[str, int], matrices: Set[str]) -> list[Mistake]:
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
                mistakes.append(Mistake((*place, "columns"), said))
        elif layer not in maps:
            drawn = ", ".join([*maps, *sorted(matrices)]) or "none"
            mistakes.append(Mistake(place, f"there are no weights to draw here; of {name} are drawn: {drawn}"))
        elif (grid := how.grid(maps[layer])) and math.prod(grid) < min(maps[layer], MAPS_AT_MOST):
            said = (
                f"a grid of {grid[0]} x {grid[1]} has {math.prod(grid)} cells, and there are {maps[layer]} maps; "
                "leave 'rows' out, and there are as many as are needed"
            )
            mistakes.append(Mistake((*place, "rows"), said))
    return mistakes
