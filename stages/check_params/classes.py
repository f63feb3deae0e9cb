"""Classes and their settings in params.yaml, as scikit-learn and Keras know them."""

from collections.abc import Mapping

from stages.shared.models import build_classifier
from stages.shared.models.build_net import make_layer, make_optimizer
from stages.shared.params.declared import Declared
from stages.shared.params.mistakes import DeclarationError, Mistake
from stages.shared.params.nets_section import Net
from stages.shared.params.yaml_file import Place

# Only the data can tell the real ones.
ANY_NUMBER_OF_CLASSES = 10
ANY_NUMBER_OF_STEPS = 1000


def check_classes(baselines: Mapping[str, Declared], nets: Mapping[str, Net], seed: int) -> None:
    """Make every declared classifier, layer and optimiser once.

    Raises
    ------
    DeclarationError
        All classes that there are not and settings that they do not take.
    """
    mistakes: list[Mistake] = []
    for name, baseline in baselines.items():
        try:
            build_classifier.build(baseline.class_, baseline.settings, seed, ("baselines", name))
        except DeclarationError as error:
            mistakes += error.mistakes
    for name, net in nets.items():
        where: Place = ("nets", name)
        try:
            make_optimizer(net.optimizer, ANY_NUMBER_OF_STEPS, (*where, "optimizer"))
        except DeclarationError as error:
            mistakes += error.mistakes
        for layer, declared in net.layers.items():
            try:
                make_layer(layer, declared, ANY_NUMBER_OF_CLASSES, net.precision, (*where, "layers", layer))
            except DeclarationError as error:
                mistakes += error.mistakes
    if mistakes:
        raise DeclarationError(*mistakes)
