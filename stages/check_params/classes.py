"""Checks the classes of models and layers in params.yaml, and their settings, by creating them."""

from collections.abc import Mapping

from stages.shared.models import build_classifier
from stages.shared.models.build_net import make_layer, make_optimizer
from stages.shared.params.declared import Declared
from stages.shared.params.mistakes import DeclarationError, Mistake
from stages.shared.params.nets_section import Net

# Only the data determine the real numbers.
CLASSES = 10
STEPS = 1000


def check_classes(baselines: Mapping[str, Declared], nets: Mapping[str, Net], seed: int) -> None:
    """Create every declared classifier, layer and optimiser once.

    Parameters
    ----------
    baselines, nets : mapping
        Name -> declaration.
    seed : int
        Random seed of the models; it does not affect the result.

    Raises
    ------
    DeclarationError
        All unknown classes and settings, and values that the libraries refuse.
    """
    mistakes: list[Mistake] = []
    for name, baseline in baselines.items():
        try:
            build_classifier.build(baseline.class_, baseline.settings, seed, ("baselines", name))
        except DeclarationError as error:
            mistakes += error.mistakes
    for name, net in nets.items():
        try:
            make_optimizer(net.optimizer, STEPS, ("nets", name, "optimizer"))
        except DeclarationError as error:
            mistakes += error.mistakes
        for layer, declared in net.layers.items():
            try:
                make_layer(layer, declared, CLASSES, net.precision, ("nets", name, "layers", layer))
            except DeclarationError as error:
                mistakes += error.mistakes
    if mistakes:
        raise DeclarationError(*mistakes)
