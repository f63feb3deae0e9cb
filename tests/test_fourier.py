"""Convolution in the Fourier domain, compared with Keras's."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.shared.models.fourier_conv2d import FourierConv2D, fourier_convolution, plain

SHAPES = [  # n, height, width, channels, kernel height, kernel width, filters
    (3, 24, 24, 5, 9, 9, 7),
    (2, 11, 13, 3, 4, 5, 2),
    (2, 7, 8, 1, 3, 8, 4),
    (1, 6, 5, 2, 6, 5, 3),
    (4, 9, 9, 2, 1, 1, 2),
]


def value_and_gradients(convolve, images, kernel, upstream):
    with tf.GradientTape() as tape:
        tape.watch([images, kernel])
        value = convolve(images, kernel)
        loss = tf.reduce_sum(value * upstream)
    return [value, *tape.gradient(loss, [images, kernel])]


@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients_equal_those_of_keras(shape: tuple[int, ...]) -> None:
    n, height, width, channels, kernel_height, kernel_width, filters = shape
    random = np.random.default_rng(0)
    images = tf.constant(random.normal(size=(n, height, width, channels)).astype(np.float32))
    kernel = tf.constant(random.normal(size=(kernel_height, kernel_width, channels, filters)).astype(np.float32))
    upstream = tf.constant(
        random.normal(size=(n, height - kernel_height + 1, width - kernel_width + 1, filters)).astype(np.float32)
    )
    expected = value_and_gradients(lambda a, b: keras.ops.conv(a, b, padding="valid"), images, kernel, upstream)
    found = value_and_gradients(fourier_convolution, images, kernel, upstream)
    for one, other in zip(expected, found, strict=True):
        assert other.shape == one.shape
        assert np.abs(one - other).max() < 1e-5 * np.abs(one).max()


@pytest.mark.parametrize(
    "settings",
    [{"strides": 2}, {"padding": "same"}, {"dilation_rate": 2}, {"groups": 2}, {"data_format": "channels_first"}],
)
def test_unsupported_settings_are_refused(settings: dict) -> None:
    with pytest.raises(ValueError, match="strides, dilation_rate and groups of 1, padding 'valid'"):
        FourierConv2D(4, 3, **settings)


def test_the_plain_model_has_only_keras_layers_and_predicts_the_same() -> None:
    keras.utils.set_random_seed(3)
    image = keras.Input((12, 12, 1), name="image")
    first = FourierConv2D(4, 5, activation="relu", name="first", kernel_regularizer=keras.regularizers.L1(1e-3))(image)
    both = keras.layers.Add()([first, keras.layers.Conv2D(4, 5)(image)])
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(both)))
    copy = plain(model)
    assert not any(isinstance(layer, FourierConv2D) for layer in copy.layers)
    assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]
    assert copy.get_layer("first").kernel_regularizer.get_config() == {"l1": pytest.approx(1e-3)}
    images = np.random.default_rng(0).random((5, 12, 12, 1), np.float32)
    np.testing.assert_allclose(copy(images), model(images), rtol=1e-4, atol=1e-5)
    assert plain(copy) is copy, "nothing to replace"


def test_training_in_the_fourier_domain_is_reproducible_and_close_to_direct_convolution() -> None:
    random = np.random.default_rng(0)
    images, labels = random.random((64, 12, 12, 1), np.float32), random.integers(0, 3, 64)

    def trained(convolution: type[keras.layers.Conv2D]) -> list[np.ndarray]:
        keras.utils.set_random_seed(1)
        layers = [convolution(4, 7, activation="relu"), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")]
        model = keras.Sequential([keras.Input((12, 12, 1)), *layers])
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(images, labels, batch_size=16, epochs=2, verbose=0)
        return model.get_weights()

    once, again, direct = trained(FourierConv2D), trained(FourierConv2D), trained(keras.layers.Conv2D)
    for one, two, three in zip(once, again, direct, strict=True):
        assert np.array_equal(one, two)
        np.testing.assert_allclose(one, three, atol=1e-4)
