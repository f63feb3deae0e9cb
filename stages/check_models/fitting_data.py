"""Checks the declared models against the images and classes of the data set."""

from collections.abc import Mapping

from stages.shared.params.declared import Declared
from stages.shared.params.mistakes import DeclarationError, Mistake
from stages.shared.params.nets_section import Net
from stages.shared.params.pictures_section import WeightMap


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
    """Build models, try them, and check the declared pictures of their weights.

    scikit-learn is imported only for baselines, TensorFlow only for nets: either takes seconds.

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
    if baselines:
        from stages.check_models.trial_fit import baseline_mistakes
    for name, baseline in baselines.items():
        try:
            mistakes += baseline_mistakes(name, baseline, pictures.get(name, {}), classes, seed)
        except DeclarationError as error:
            mistakes += error.mistakes
    if nets:
        from stages.check_models.net_checks import net_mistakes
    for name, net in nets.items():
        try:
            mistakes += net_mistakes(name, net, pictures.get(name, {}), rows, image_size, classes)
        except DeclarationError as error:
            mistakes += error.mistakes
    if mistakes:
        raise DeclarationError(*mistakes)
