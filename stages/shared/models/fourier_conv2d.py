"""Convolution in the Fourier domain, which takes fewer multiplications for large kernels."""

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray


class FourierConv2D(keras.layers.Conv2D):
    """A Conv2D that is computed in the Fourier domain.

    It has the arguments and weights of Conv2D, and is faster only for large kernels and many channels: a 9x9 kernel on
    24x24 pixels takes a seventh of the multiplications. Raises ValueError as `check_supported`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        check_supported(self)

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Convolve in float32, as Conv2D does before bias and activation."""
        # Large values cancel in these sums; the 8 bits of bfloat16 would leave little of the result.
        convolved = fourier_convolution(ops.cast(inputs, "float32"), ops.cast(kernel, "float32"))
        return ops.cast(convolved, self.compute_dtype)


def check_supported(layer: keras.layers.Conv2D) -> None:
    """Refuse a layer that cannot be computed in the Fourier domain.

    Raises
    ------
    ValueError
        Strides, dilation or groups other than 1, padding other than "valid", or channels first.
    """
    ones = layer.strides == (1, 1) and layer.dilation_rate == (1, 1) and layer.groups == 1
    if not ones or layer.padding != "valid" or layer.data_format != "channels_last":
        raise ValueError(
            "a convolution in the Fourier domain takes only strides, dilation_rate and groups of 1, "
            "padding 'valid' and data_format 'channels_last'"
        )


def plain(model: keras.Model) -> keras.Model:
    """Return a copy of a model with Conv2D in place of FourierConv2D, or the model itself if it has none.

    Parameters
    ----------
    model : keras.Model
        It is not changed; the copy has the same weights.
    """
    if not any(isinstance(layer, FourierConv2D) for layer in model.layers):
        return model

    def replacement(layer: keras.layers.Layer) -> keras.layers.Layer:
        cls = keras.layers.Conv2D if isinstance(layer, FourierConv2D) else type(layer)
        return cls.from_config(layer.get_config())

    image = keras.Input(model.input_shape[1:], name=model.inputs[0].name)
    copy = keras.models.clone_model(model, input_tensors=image, clone_function=replacement)
    copy.set_weights(model.get_weights())
    return copy


def fourier_convolution(images: Any, kernel: Any) -> Any:
    """Correlate images with a kernel, as `keras.ops.conv` with padding "valid".

    The transforms are real matrix products over rows and channels of all images, so that the time goes into few large
    products, whose gradients are products too.

    Parameters
    ----------
    images : tensor of float32, shape (n, height, width, channels)
        Height and width are known when the graph is built.
    kernel : tensor of float32, shape (kernel_height, kernel_width, channels, filters)
        Not larger than the images.

    Returns
    -------
    tensor of float32, shape (n, height - kernel_height + 1, width - kernel_width + 1, filters)
        Equal to the result of `keras.ops.conv` up to rounding.

    References
    ----------
    M. Mathieu, M. Henaff and Y. LeCun, "Fast training of convolutional networks through FFTs", ICLR 2014.
    """
    height, width, channels = images.shape[1:]
    kernel_height, kernel_width, _, filters = kernel.shape
    n = ops.shape(images)[0]
    frequencies = width // 2 + 1  # of a real signal; the others are the conjugates of these
    rows, columns = height - kernel_height + 1, width - kernel_width + 1

    across, down = real_dft(width, width), complex_dft(height, height)
    spectrum = ops.reshape(ops.transpose(images, (2, 1, 0, 3)), (width, -1))
    spectrum = ops.reshape(ops.matmul(across, spectrum), (frequencies, 2 * height, -1))
    spectrum = ops.reshape(ops.matmul(down, spectrum), (frequencies, 2, height, n, channels))
    spectrum = ops.reshape(ops.transpose(spectrum, (0, 2, 3, 1, 4)), (frequencies * height, n, 2 * channels))

    across, down = real_dft(width, kernel_width), complex_dft(height, kernel_height)
    taps = ops.reshape(ops.transpose(kernel, (1, 0, 2, 3)), (kernel_width, -1))
    taps = ops.reshape(ops.matmul(across, taps), (frequencies, 2 * kernel_height, -1))
    taps = ops.reshape(ops.matmul(down, taps), (frequencies, 2 * height, channels, filters))
    real, imaginary = ops.split(taps, 2, axis=1)
    # (a + bi) times the conjugate of (c + di), as a real 2x2 block; the conjugate makes it a correlation.
    block = ops.concatenate(
        [ops.concatenate([real, -imaginary], axis=-1), ops.concatenate([imaginary, real], axis=-1)], axis=-2
    )
    block = ops.reshape(block, (frequencies * height, 2 * channels, 2 * filters))

    product = ops.reshape(ops.matmul(spectrum, block), (frequencies, height, n, 2, filters))
    product = ops.reshape(ops.transpose(product, (0, 3, 1, 2, 4)), (frequencies, 2 * height, -1))
    # The rows and columns beyond these are wrapped around, and not transformed back.
    product = ops.matmul(inverse_complex_dft(height, rows), product)
    product = ops.matmul(inverse_real_dft(width, columns), ops.reshape(product, (2 * frequencies, -1)))
    return ops.transpose(ops.reshape(product, (columns, rows, n, filters)), (2, 1, 0, 3))


def real_dft(size: int, length: int) -> NDArray[np.float32]:
    """Return the matrix of the DFT of `size` real values, of which those after the first `length` are zero.

    Returns
    -------
    ndarray of float32, shape (2 * (size // 2 + 1), length)
        Two rows per frequency, for the real and the imaginary part.
    """
    angles = _angles(size, np.arange(size // 2 + 1), np.arange(length))
    return np.stack([np.cos(angles), -np.sin(angles)], axis=1).reshape(-1, length).astype(np.float32)


def complex_dft(size: int, length: int) -> NDArray[np.float32]:
    """Return the matrix of the DFT of complex values, as `real_dft`; all real parts precede all imaginary parts.

    Returns
    -------
    ndarray of float32, shape (2 * size, 2 * length)
    """
    return _block(-_angles(size, np.arange(size), np.arange(length)))


def inverse_complex_dft(size: int, length: int) -> NDArray[np.float32]:
    """Return the matrix of the inverse DFT to the first `length` values: float32, (2 * length, 2 * size)."""
    return _block(_angles(size, np.arange(length), np.arange(size))) / np.float32(size)


def inverse_real_dft(size: int, length: int) -> NDArray[np.float32]:
    """Return the matrix of the inverse of `real_dft` to the first `length` values.

    Returns
    -------
    ndarray of float32, shape (length, 2 * (size // 2 + 1))
    """
    frequencies = np.arange(size // 2 + 1)
    angles = _angles(size, np.arange(length), frequencies)
    # Each frequency stands for its conjugate too, except those that are their own conjugates.
    weight = np.where((frequencies == 0) | (2 * frequencies == size), 1.0, 2.0) / size
    return np.stack([weight * np.cos(angles), -weight * np.sin(angles)], axis=2).reshape(length, -1).astype(np.float32)


def _angles(size: int, one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    # Products modulo the size keep the angles small and their sines exact.
    return 2 * np.pi * (np.outer(one, other) % size) / size


def _block(angles: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.block([[np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]]).astype(np.float32)
