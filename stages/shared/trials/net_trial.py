"""Builds a net and its optimiser, and tries what takes a computation."""

import math
from collections.abc import Iterator, Mapping

import keras

from stages.shared.models.build_net import make_optimizer
from stages.shared.models.drawable_weights import net_weights
from stages.shared.models.keras_objects import reason
from stages.shared.models.memory_estimate import build_within_memory
from stages.shared.params.mistakes import Mistake, declaration_error
from stages.shared.params.nets_section import Net
from stages.shared.params.pictures_section import WeightMap
from stages.shared.params.yaml_file import Place
from stages.shared.trials.pictures import picture_mistakes
from stages.shared.trials.trial_step import check_training


def net_mistakes(
    name: str, net: Net, pictures: Mapping[str, WeightMap], rows: int, image_size: tuple[int, int], classes: int
) -> Iterator[Mistake]:
    """Find what keeps a declared net from being trained, saved or drawn; arguments as of `check_models`."""
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


def check_step(optimizer: keras.optimizers.Optimizer, where: Place) -> None:
    """Refuse an optimiser that cannot make a step with its settings; it is not changed.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
        Some of its settings are first used in a step.
    where : Place
        Place of the declaration in params.yaml.

    Raises
    ------
    DeclarationError
        The step fails.
    """
    weights = keras.Variable([[0.5, -0.5]])
    try:
        type(optimizer).from_config(optimizer.get_config()).apply([keras.ops.ones((1, 2))], [weights])
    except Exception as error:  # errors of Keras, TensorFlow and NumPy, of many types
        text = f"{type(optimizer).__name__} cannot use its settings: {reason(error)}"
        raise declaration_error(where, text) from None


def check_rate(optimizer: keras.optimizers.Optimizer, schedule: str, steps: int, where: Place) -> None:
    """Refuse a learning-rate schedule that is 0 or negative for the last tenth of training.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
        With a schedule; it is not changed.
    schedule : str
        Class of the schedule.
    steps : int
        Number of training steps.
    where : Place
        Place of the schedule in params.yaml.

    Raises
    ------
    DeclarationError
        The learning rate is not greater than 0 at the step after which a tenth remains.
    """
    # Not the last step: a cosine of many steps is rounded to 0 there.
    step, before = steps * 9 // 10, int(optimizer.iterations)
    optimizer.iterations.assign(step)
    rate = float(optimizer.learning_rate)
    optimizer.iterations.assign(before)
    if not rate > 0:
        text = f"{schedule} makes the learning rate {rate:g} after {step:,} of {steps:,} steps"
        raise declaration_error(where, f"{text}; it must be greater than 0; 'steps' stands for the number of steps")


def check_probabilities(model: keras.Model, where: Place) -> None:
    """Refuse a net whose output is not a probability distribution over the classes.

    Parameters
    ----------
    model : keras.Model
        An untrained net; it is applied to a blank and a grey image.
    where : Place
        Place of the declaration in params.yaml.

    Raises
    ------
    DeclarationError
        An output is negative, NaN, or does not add up to 1, or the computation fails.
    """
    height, width = model.input_shape[1:3]
    blank_and_grey = keras.ops.stack([keras.ops.zeros((height, width, 1)), keras.ops.full((height, width, 1), 0.5)])
    try:
        output = keras.ops.convert_to_numpy(model(blank_and_grey, training=False)).astype("float64")
    except Exception as error:  # as in `check_step`
        raise declaration_error(where, f"this net cannot compute an output: {reason(error)}") from None
    # `not`, because every comparison with NaN is false.
    if not ((output >= 0).all() and abs(output.sum(axis=1) - 1).max() <= 1e-2):
        raise declaration_error(
            (*where, "layers", model.output_names[0], "activation"),
            "the last layer must return probabilities, which add up to 1: write 'activation: softmax'",
        )
