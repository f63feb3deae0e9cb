"""How a net is compiled for training, and which of its layers returns values that are not finite."""

from typing import Any

import keras
import tensorflow as tf


def compile_net(model: keras.Model, optimizer: keras.optimizers.Optimizer, steps_at_once: int = 1) -> None:
    """Compile a net for class codes; `steps_at_once` training steps are run between two returns to Python."""
    model.compile(
        optimizer=optimizer,
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=steps_at_once,
    )


def not_finite_layer(model: keras.Model, images: Any, draws: int = 1) -> keras.layers.Layer | None:
    """Return the first layer that returns NaN or infinity in training although its weights are finite, or None.

    Parameters
    ----------
    model : keras.Model
    images : array of float32, shape (n, height, width, 1)
        0-1.
    draws : int
        How often a layer is tried that draws random numbers.
    """
    for layer in model.layers[1:]:
        if not all(_finite(weight) for weight in layer.weights):
            return None
        part = keras.Model(model.inputs[0], layer.output)
        output = tf.function(lambda part=part: part(images, training=True), autograph=False)
        random = any(isinstance(each, keras.random.SeedGenerator) for each in vars(layer).values())
        if not all(_finite(output()) for _ in range(draws if random else 1)):
            return layer
    return None


def _finite(values: Any) -> bool:
    return bool(keras.ops.all(keras.ops.isfinite(keras.ops.cast(values, "float32"))))
