"""Builds a net only if the memory to train it is available."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import psutil
import tensorflow as tf

from stages.shared.models.build_net import build, make_optimizer
from stages.shared.models.keras_objects import reason
from stages.shared.params.mistakes import declaration_error
from stages.shared.params.nets_section import Net

FLOAT32 = 4  # bytes; weights and optimiser slots are float32 in mixed precision too


def build_within_memory(name: str, net: Net, *, rows: int, height: int, width: int, classes: int) -> keras.Model:
    """Build the declared net for so many training images; the other arguments are those of `build`.

    Raises
    ------
    DeclarationError
        As in `build`, or training takes more memory than is available; nothing of that size has been allocated.
    """
    try:
        with keras.StatelessScope(initialize_variables=False):  # the weights have shapes, but no values yet
            model = build(name, net, height, width, classes)
        batch = min(net.batch_size, rows)
        weights, output = least_memory(model, make_optimizer(net.optimizer, 1, ("nets", name, "optimizer")), batch)
        available = psutil.virtual_memory().available + psutil.swap_memory().free
        if weights + output > available:
            fits_single_images = weights + output // batch <= available
            remedy = "lower batch_size" if fits_single_images else "make its layers smaller"
            needed = f"weights and optimiser {_gb(weights)}, largest layer output for {batch:,} images {_gb(output)}"
            text = f"training takes at least {_gb(weights + output)} of memory ({needed}), but {_gb(available)} are"
            raise declaration_error(("nets", name), f"{text} available; {remedy}, or free memory")
        with _initialized(name, net, model), keras.StatelessScope():  # leaving it gives the weights their values
            pass
    except Exception:
        keras.utils.clear_session(free_memory=False)  # else Keras would still give these weights their values
        raise
    return model


@contextmanager
def _initialized(name: str, net: Net, model: keras.Model) -> Iterator[None]:
    """Name the initialiser that cannot give a weight its values."""
    try:
        yield
    except Exception as error:  # of many types
        for layer, declared in net.layers.items():
            for key in declared.settings:
                weight = getattr(model.get_layer(layer), key.removesuffix("_initializer"), None)
                if key.endswith("_initializer") and isinstance(weight, keras.Variable):
                    try:
                        getattr(model.get_layer(layer), key)(weight.shape)
                    except Exception as why:
                        text = f"cannot be used for weights of the shape {tuple(weight.shape)}: {reason(why)}"
                        raise declaration_error(("nets", name, "layers", layer, key), text) from None
        raise declaration_error(("nets", name), f"the weights cannot get their first values: {reason(error)}") from None


def least_memory(model: keras.Model, optimizer: keras.optimizers.Optimizer, batch: int) -> tuple[int, int]:
    """Return bytes of the weights with their optimiser slots, and of the largest layer output for a batch."""
    small = keras.Variable(keras.ops.zeros((5, 7)))
    optimizer.build([small])
    slots = sum(tuple(variable.shape) == tuple(small.shape) for variable in optimizer.variables)
    return FLOAT32 * (1 + slots) * model.count_params(), batch * max(_bytes(layer.output) for layer in model.layers)


def _bytes(output: keras.KerasTensor) -> int:
    return math.prod(side or 1 for side in output.shape[1:]) * tf.as_dtype(output.dtype).size


def _gb(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"
