"""Builds a net only if the memory to train it is available."""

import keras
import psutil

from stages.shared.files.keras_models import allocated_after, largest_output
from stages.shared.models.build_net import build, make_optimizer
from stages.shared.models.keras_objects import reason
from stages.shared.params.mistakes import DeclarationError, declaration_error
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
        with allocated_after(lambda: build(name, net, height, width, classes)) as model:
            batch = min(net.batch_size, rows)
            weights, output = least_memory(model, make_optimizer(net.optimizer, 1, ("nets", name, "optimizer")), batch)
            available = psutil.virtual_memory().available + psutil.swap_memory().free
            if weights + output > available:
                fits_single_images = weights + output // batch <= available
                remedy = "lower batch_size" if fits_single_images else "make its layers smaller"
                parts = f"weights and optimiser {_gb(weights)}, largest layer output for {batch:,} images {_gb(output)}"
                text = f"training takes at least {_gb(weights + output)} of memory ({parts}), but {_gb(available)} are"
                raise declaration_error(("nets", name), f"{text} available; {remedy}, or free memory")
    except DeclarationError:
        raise
    except Exception as error:  # of initialisers, of many types
        raise _wrong_initializer(name, net, model, error) from None
    return model


def _wrong_initializer(name: str, net: Net, model: keras.Model, error: Exception) -> DeclarationError:
    """Return the error that names the initialiser that cannot give a weight its values."""
    for layer, declared in net.layers.items():
        for key in declared.settings:
            weight = getattr(model.get_layer(layer), key.removesuffix("_initializer"), None)
            if key.endswith("_initializer") and isinstance(weight, keras.Variable):
                try:
                    getattr(model.get_layer(layer), key)(weight.shape)
                except Exception as why:
                    text = f"cannot be used for weights of the shape {tuple(weight.shape)}: {reason(why)}"
                    return declaration_error(("nets", name, "layers", layer, key), text)
    return declaration_error(("nets", name), f"the weights cannot get their first values: {reason(error)}")


def least_memory(model: keras.Model, optimizer: keras.optimizers.Optimizer, batch: int) -> tuple[int, int]:
    """Return bytes of the weights with their optimiser slots, and of the largest layer output for a batch."""
    small = keras.Variable(keras.ops.zeros((5, 7)))
    optimizer.build([small])
    slots = sum(tuple(variable.shape) == tuple(small.shape) for variable in optimizer.variables)
    return FLOAT32 * (1 + slots) * model.count_params(), batch * largest_output(model)


def _gb(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"
