"""Classes and their settings in params.yaml, as scikit-learn and Keras know them."""

from collections.abc import Mapping

from stages.building import estimators
from stages.building.nets import make_layer, make_optimizer
from stages.console import UserError
from stages.params.declared import Declared
from stages.params.nets import Net

# Only the data can tell the real ones.
ANY_NUMBER_OF_CLASSES = 10
ANY_NUMBER_OF_STEPS = 1000


def check_classes(baselines: Mapping[str, Declared], nets: Mapping[str, Net], seed: int) -> None:
    """Make every declared classifier, layer and optimiser once.

    Raises
    ------
    UserError
        All classes that there are not and settings that they do not take, one a line.
    """
    mistakes = []
    for name, baseline in baselines.items():
        try:
            estimators.build(baseline.class_, baseline.settings, seed, f"params.yaml: baselines.{name}")
        except UserError as error:
            mistakes.append(str(error))
    for name, net in nets.items():
        where = f"params.yaml: nets.{name}"
        try:
            make_optimizer(net.optimizer, ANY_NUMBER_OF_STEPS, f"{where}.optimizer")
        except UserError as error:
            mistakes.append(str(error))
        for layer, declared in net.layers.items():
            try:
                make_layer(layer, declared, ANY_NUMBER_OF_CLASSES, net.precision, f"{where}.layers.{layer}")
            except UserError as error:
                mistakes.append(str(error))
    if mistakes:
        raise UserError("\n".join(mistakes))
