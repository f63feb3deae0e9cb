"""Trains a net for one step, saves and loads it, to see whether training would succeed."""

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from stages.shared.files.keras_models import load_net_file, write_net
from stages.shared.models.build_net import build
from stages.shared.models.fourier_conv2d import plain
from stages.shared.models.keras_objects import reason
from stages.shared.models.training_step import compile_net, not_finite_layer
from stages.shared.params.mistakes import DeclarationError, declaration_error
from stages.shared.params.nets_section import FULL_PRECISION, IMAGE, Net
from stages.shared.params.yaml_file import Place

ROWS = 4  # images of the step
# Of the values that a net's first layer with weights gets; those of MNIST's images have a mean of 0.13 and a standard
# deviation of 0.31, and 1/255 of them, or 255 times as much, costs half the accuracy.
LEAST_DEVIATION, LARGEST = 0.02, 10.0
RESCALING = keras.layers.Rescaling, keras.layers.Normalization, keras.layers.Pipeline


def check_training(name: str, net: Net, model: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
    """Refuse a net that cannot be trained or saved.

    Parameters
    ----------
    name, net : str, Net
        The net's name and declaration.
    model : keras.Model
        The untrained net; one step trains it.
    optimizer : keras.optimizers.Optimizer
        Not used before.

    Raises
    ------
    DeclarationError
        No layer has trainable weights, the images are rescaled although they are 0-1, the step fails or its result is
        not finite, or the saved net cannot be loaded or predicts something else.
    """
    where: Place = ("nets", name)
    if not model.trainable_variables:
        raise declaration_error((*where, "layers"), "no layer has weights that can be trained")
    height, width, _ = model.input_shape[1:]
    images, labels = _examples(height, width, model.output_shape[-1], min(ROWS, max(2, net.batch_size)))
    _check_scale(net, model, images, where)
    _check_independence(model, images, where)
    compile_net(model, optimizer)
    try:
        # With all variables made before, the step is traced once. The number of images is open, as in training.
        optimizer.build(model.trainable_variables)
        model.compute_metrics(images, labels, model(images, training=False))
        signature = [(tf.TensorSpec((None, *model.input_shape[1:])), tf.TensorSpec((None,), tf.int64))]
        step = tf.function(model.train_step, signature, autograph=False, jit_compile=model.jit_compile)
        loss = step((images, labels))["loss"]
    except (MemoryError, tf.errors.ResourceExhaustedError):
        raise declaration_error(where, "out of memory in the first training step; make its layers smaller") from None
    except Exception as error:  # errors of Keras, TensorFlow and NumPy, of many types
        raise _failed_step(net, model, images, where, error) from None
    if not all(np.isfinite(values).all() for values in (loss, model(images, training=False), *model.get_weights())):
        raise _not_finite(net, build(name, net, height, width, model.output_shape[-1]), images, where)
    _check_saved(net, model, images, where)


def _examples(height: int, width: int, classes: int, rows: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Return images of noise, half of whose pixels are black, and labels."""
    rng = np.random.default_rng(0)
    images = rng.random((rows, height, width, 1)) * (rng.random((rows, height, width, 1)) < 0.5)
    return tf.constant(images, tf.float32), tf.range(rows, dtype=tf.int64) % classes


def _check_scale(net: Net, model: keras.Model, images: tf.Tensor, where: Place) -> None:
    """Refuse layers that take the images for grey values of 0-255, or for whole numbers."""
    unweighted, previous = {IMAGE}, IMAGE  # tensors that no trained weight has changed
    for name, declared in net.layers.items():
        layer, place = model.get_layer(name), (*where, "layers", name)
        weighted = bool(layer.trainable_variables)
        if unweighted.issuperset(declared.input_names or [previous]):
            if not weighted:
                unweighted.add(name)
            if not weighted or isinstance(layer, keras.layers.Embedding):
                part = keras.Model(model.inputs[0], layer.output)
                tensors = [part(each, training=False) for each in (images, images * 0)]
                values, of_blank = (keras.ops.convert_to_numpy(each).astype(np.float32) for each in tensors)
                scaled = values.std() < LEAST_DEVIATION or max(values.std(), abs(values.mean())) > LARGEST
                if isinstance(layer, RESCALING) and scaled:
                    text = f"makes the images, which are 0-1 already, {values.min():.3g} to {values.max():.3g}"
                    raise declaration_error(place, f"{declared.class_} {text}; leave it out")
                if np.array_equal(values, of_blank):
                    text = "does not suit images of 0-1: it returns the same for every image"
                    raise declaration_error(place, f"{declared.class_} {text}")
        previous = name


def _check_independence(model: keras.Model, images: tf.Tensor, where: Place) -> None:
    """Refuse a net whose prediction for an image depends on the other images of the batch."""
    changed = tf.concat([images[:1], 1 - images[1:]], axis=0)

    def depends(part: keras.Model) -> bool:
        before, after = (keras.ops.cast(part(each, training=False), "float32")[0] for each in (images, changed))
        return not np.allclose(before, after, atol=1e-5)

    if depends(model):
        for layer in model.layers[1:]:
            if depends(keras.Model(model.inputs[0], layer.output)):
                text = "depends on the other images of the batch; leave the first axis, of the images, alone"
                raise declaration_error((*where, "layers", layer.name), f"what {type(layer).__name__} returns {text}")


def _failed_step(net: Net, model: keras.Model, images: tf.Tensor, where: Place, error: Exception) -> DeclarationError:
    """Return the error that names the layer, or the setting of a layer, without which the step would not fail."""
    layers: Place = (*where, "layers")
    for layer in model.layers[1:]:
        declared = net.layers[layer.name]
        for weight in layer.trainable_variables:
            for function in (getattr(weight, kind, None) for kind in ("regularizer", "constraint")):
                if function is not None and (why := _failure(lambda: function(weight))):  # noqa: B023 - called here
                    keys = [key for key in declared.settings if getattr(layer, key, None) is function]
                    text = f"{type(function).__name__} cannot be used for {declared.class_}: {why}"
                    return declaration_error((*layers, layer.name, *keys[:1]), text)
        part = keras.Model(model.inputs[0], layer.output)
        signature = [tf.TensorSpec((None, *model.input_shape[1:]))]
        forward = tf.function(lambda tensor: part(tensor, training=True), signature, autograph=False)  # noqa: B023
        if why := _failure(lambda: forward(images)):  # noqa: B023
            text = f"{declared.class_} cannot be used in training: {why}"
            return declaration_error((*layers, layer.name, "class"), text)
    return declaration_error(where, f"the first training step fails: {reason(error)}")


def _failure(function: Callable[[], Any]) -> str:
    try:
        function()
    except Exception as error:  # as in `check_training`
        return reason(error)
    return ""


def _not_finite(net: Net, untrained: keras.Model, images: tf.Tensor, where: Place) -> DeclarationError:
    layer = not_finite_layer(untrained, images)
    if layer is None:
        text = "after one training step, the loss, the weights or the output are not finite; lower the learning rate"
        return declaration_error((*where, "optimizer"), text)
    text = f"{type(layer).__name__} returns values that are not finite, computed in {layer.compute_dtype}"
    remedy = "" if layer.compute_dtype == FULL_PRECISION else f"; write 'dtype: {FULL_PRECISION}'"
    return declaration_error((*where, "layers", layer.name), text + remedy)


def _check_saved(net: Net, model: keras.Model, images: tf.Tensor, where: Place) -> None:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder) / "net.keras"
        try:
            trained = plain(model)
            write_net(path, model.name, trained)
            saved = load_net_file(path)
        except Exception as error:
            for layer in model.layers[1:]:
                if why := _failure(lambda: type(layer).from_config(layer.get_config())):  # noqa: B023 - called here
                    text = f"{type(layer).__name__} cannot be loaded after it was saved: {why}"
                    raise declaration_error((*where, "layers", layer.name, "class"), text) from None
            raise declaration_error(where, f"this net cannot be loaded after it was saved: {reason(error)}") from None
    before, after = (keras.ops.convert_to_numpy(each(images, training=False)) for each in (trained, saved))
    if not np.allclose(before, after, atol=1e-4):  # sums of another order
        raise declaration_error(where, "the saved net and the trained net predict differently")
