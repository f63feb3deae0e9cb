"""Checks the declared models against the images and classes of the data set."""

import math
from collections.abc import Iterator, Mapping, Set

from stages.check_models import trial_fit
from stages.check_models.net_checks import check_probabilities, check_rate, check_step
from stages.check_models.trial_step import check_training
from stages.shared.errors import one_line
from stages.shared.models import build_classifier
from stages.shared.models.build_net import make_optimizer
from stages.shared.models.classifier_packages import PACKAGES, package_of
from stages.shared.models.drawable_weights import net_weights
from stages.shared.models.memory_estimate import build_within_memory
from stages.shared.params.declared import Declared
from stages.shared.params.mistakes import DeclarationError, Mistake, declaration_error
from stages.shared.params.nets_section import Net
from stages.shared.params.pictures_section import MAPS_AT_MOST, WeightMap
from stages.shared.params.yaml_file import Place


def check_models(
    baselines: Mapping[str, Declared],
    nets: Mapping[str, Net],
    pictures: Mapping[str, Mapping[str, WeightMap]],
    *,
    rows: int,
    image_size: tuple[int, int],
    classes: int,
    seed: int,
) -> None:
    """Build every declared model, try it, and check the declared pictures of its weights.

    Parameters
    ----------
    baselines : mapping of str to Declared
        Name -> classifier.
    nets : mapping of str to Net
        Name -> net.
    pictures : mapping of str to mapping of str to WeightMap
        Model -> layer -> how its weights are drawn.
    rows : int
        Number of training images.
    image_size : tuple of int
        Height and width of the images in pixels.
    classes : int
        Number of classes.
    seed : int
        Random seed of the models; it does not affect the result.

    Raises
    ------
    DeclarationError
        All mistakes: layers that do not fit the images, outputs that do not fit the classes, nets that are too large
        for the memory, models that cannot be trained or saved, pictures that would not be drawn as declared.
    """
    mistakes: list[Mistake] = []
    for name, baseline in baselines.items():
        try:
            mistakes += _baseline_mistakes(name, baseline, pictures.get(name, {}), classes, seed)
        except DeclarationError as error:
            mistakes += error.mistakes
    for name, net in nets.items():
        try:
            mistakes += _net_mistakes(name, net, pictures.get(name, {}), rows, image_size, classes)
        except DeclarationError as error:
            mistakes += error.mistakes
    if mistakes:
        raise DeclarationError(*mistakes)


def _baseline_mistakes(
    name: str, declared: Declared, pictures: Mapping[str, WeightMap], classes: int, seed: int
) -> Iterator[Mistake]:
    model = build_classifier.build(declared.class_, declared.settings, seed, ("baselines", name))
    try:
        fitted = trial_fit.fitted(model, classes)
    except Exception as error:
        # scikit-learn has checked the settings, so that the data may be the reason; other packages check them only now.
        if package_of(type(model)) in PACKAGES:
            yield Mistake(("baselines", name), f"{declared.class_} cannot be fitted: {one_line(error)}")
        return
    if reason := trial_fit.why_not_saved(fitted):
        yield Mistake(("baselines", name), reason)
    yield from picture_mistakes(name, pictures, trial_fit.map_counts(fitted, classes), set())


def _net_mistakes(
    name: str, net: Net, pictures: Mapping[str, WeightMap], rows: int, image_size: tuple[int, int], classes: int
) -> Iterator[Mistake]:
    height, width = image_size
    model = build_within_memory(name, net, rows=rows, height=height, width=width, classes=classes)
    check_probabilities(model, ("nets", name))
    where: Place = ("nets", name, "optimizer")
    steps = net.epochs * math.ceil(rows / net.batch_size)
    optimizer = make_optimizer(net.optimizer, steps, where)
    check_step(optimizer, where)
    rate = net.optimizer.settings.get("learning_rate")
    if isinstance(rate, Mapping):
        check_rate(optimizer, rate["class"], steps, (*where, "learning_rate"))
    accumulated = optimizer.gradient_accumulation_steps or 1
    if accumulated > steps:
        text = f"is {accumulated}: training has only {steps} steps, so no weight would ever change"
        raise declaration_error((*where, "gradient_accumulation_steps"), text)
    weights = net_weights(model, height, width)
    maps = {layer: len(drawn.maps) for layer, drawn in weights.items() if drawn.maps is not None}
    yield from picture_mistakes(name, pictures, maps, weights.keys() - maps)
    check_training(name, net, model, optimizer)


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
