"""Tries declared models on the shapes of the data: what would keep them from being trained, saved or drawn."""

import logging
from collections.abc import Collection, Mapping

from ruamel.yaml.comments import CommentedMap

from stages.shared.files.datasets import load_classes, load_image_size, load_labels
from stages.shared.models.tensorflow_startup import start_tensorflow
from stages.shared.params import baselines_section, nets_section, pictures_section, training_section
from stages.shared.params.declared import Declared
from stages.shared.params.mistakes import DeclarationError, Mistake, line_numbers
from stages.shared.params.nets_section import Net
from stages.shared.params.pictures_section import WeightMap
from stages.shared.params.settings import check_section


def try_models(content: CommentedMap, names: Collection[str]) -> None:
    """Try some of the declared models.

    Parameters
    ----------
    content : CommentedMap
        The whole params.yaml, as `yaml_file.read` returns it.
    names : collection of str
        Names of models.

    Raises
    ------
    UserError
        All mistakes in them, one line per mistake.
    """
    with line_numbers(content):
        baselines = check_section("baselines", baselines_section.Baselines, content).root
        nets = check_section("nets", nets_section.Nets, content).root
        pictures = check_section("pictures", pictures_section.Pictures, content).weights
        seed = check_section("training", training_section.Training, content).seed
        tried = {name: net for name, net in nets.items() if name in names}
        if tried:
            start_tensorflow()
            logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it would warn that each net is traced anew
        check_models(
            {name: baseline for name, baseline in baselines.items() if name in names},
            tried,
            pictures,
            rows=len(load_labels("train")),
            image_size=load_image_size(),
            classes=len(load_classes()),
            seed=seed,
        )


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
        from stages.shared.trials.baseline_trial import baseline_mistakes
    for name, baseline in baselines.items():
        try:
            mistakes += baseline_mistakes(name, baseline, pictures.get(name, {}), classes, seed)
        except DeclarationError as error:
            mistakes += error.mistakes
    if nets:
        from stages.shared.trials.net_trial import net_mistakes
    for name, net in nets.items():
        try:
            mistakes += net_mistakes(name, net, pictures.get(name, {}), rows, image_size, classes)
        except DeclarationError as error:
            mistakes += error.mistakes
    if mistakes:
        raise DeclarationError(*mistakes)
