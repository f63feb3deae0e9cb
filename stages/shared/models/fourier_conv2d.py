"""Convolution with large kernels as products in the Fourier domain: the same maths with less arithmetic."""

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray


class FourierConv2D(keras.layers.Conv2D):
    """Keras's Conv2D, computed in the Fourier domain.

    Takes Conv2D's arguments and has its weights, so that a Conv2D can take them over. Worth it for large kernels
    and many channels alone: a 9x9 kernel over 24x24 pixels needs a seventh of the multiplications.

    Raises
    ------
    ValueError
        For what is not computed this way: strides, dilation or groups other than 1, padding other than "valid",
        channels first.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        check_supported(self)

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Convolve, as Conv2D's method of this name does, before bias and activation; always in float32."""
        # Sums of many large and small values, which cancel: the 8 bits of bfloat16 would leave little of them.
        convolved = fourier_convolution(ops.cast(inputs, "float32"), ops.cast(kernel, "float32"))
        return ops.cast(convolved, self.compute_dtype)


def check_supported(layer: keras.layers.Conv2D) -> None:
    """Refuse a layer that cannot be computed in the Fourier domain.

    Raises
    ------
    ValueError
        A layer with other strides, dilation, groups, padding or order of channels.
    """
    ones = layer.strides == (1, 1) and layer.dilation_rate == (1, 1) and layer.groups == 1
    if not ones or layer.padding != "valid" or layer.data_format != "channels_last":
        raise ValueError(
            "a convolution in the Fourier domain takes only strides, dilation_rate and groups of 1, "
            "padding 'valid' and data_format 'channels_last'"
        )


def plain(model: keras.Model) -> keras.Model:
    """Return a model of Keras's own layers with the same weights; the model itself where it has no others.

    Parameters
    ----------
    model : keras.Model
        It is not changed.
    """
    if not any(isinstance(layer, FourierConv2D) for layer in model.layers):
        return model

    def own(layer: keras.layers.Layer) -> keras.layers.Layer:
        cls = keras.layers.Conv2D if isinstance(layer, FourierConv2D) else type(layer)
        return cls.from_config(layer.get_config())

    image = keras.Input(model.input_shape[1:], name=model.inputs[0].name)
    copy = keras.models.clone_model(model, input_tensors=image, clone_function=own)
    copy.set_weights(model.get_weights())
    return copy


def fourier_convolution(images: Any, kernel: Any) -> Any:
    """Correlate images with a kernel at every place where it fits.

    Every transform is a real matrix product, over a batch of matrices that holds rows and channels of all images, so
    that the time goes into few large products and their gradients are products again.

    Parameters
    ----------
    images : tensor of float32, shape (n, height, width, channels)
        Height and width are known when the graph is built.
    kernel : tensor of float32, shape (kernel_height, kernel_width, channels, filters)
        Not larger than the images.

    Returns
    -------
    tensor of float32, shape (n, height - kernel_height + 1, width - kernel_width + 1, filters)
        `keras.ops.conv` of the two with padding "valid", but for rounding.

    References
    ----------
    M. Mathieu, M. Henaff and Y. LeCun, "Fast training of convolutional networks through FFTs", ICLR 2014.
    """
    height, width, channels = images.shape[1:]
    kernel_height, kernel_width, _, filters = kernel.shape
    n = ops.shape(images)[0]
    frequencies = width // 2 + 1  # of a real signal; the others are their conjugates
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
    # Only the rows and columns that the kernel fits are transformed back; the others have wrapped around.
    product = ops.matmul(inverse_complex_dft(height, rows), product)
    product = ops.matmul(inverse_real_dft(width, columns), ops.reshape(product, (2 * frequencies, -1)))
    return ops.transpose(ops.reshape(product, (columns, rows, n, filters)), (2, 1, 0, 3))


def real_dft(size: int, given: int) -> NDArray[np.float32]:
    """Return the matrix of the DFT of a real signal of which the first `given` of `size` values are not zero.

    Returns
    -------
    ndarray of float32, shape (2 * (size // 2 + 1), given)
        For each frequency a row for the real and one for the imaginary part.
    """
    angles = _angles(size, np.arange(size // 2 + 1), np.arange(given))
    return np.stack([np.cos(angles), -np.sin(angles)], axis=1).reshape(-1, given).astype(np.float32)


def complex_dft(size: int, given: int) -> NDArray[np.float32]:
    """Return the matrix of the DFT of a complex signal, which takes and gives all real, then all imaginary parts.

    Returns
    -------
    ndarray of float32, shape (2 * size, 2 * given)
    """
    return _block(-_angles(size, np.arange(size), np.arange(given)))


def inverse_complex_dft(size: int, wanted: int) -> NDArray[np.float32]:
    """Return the matrix from a spectrum to the first `wanted` values: float32, (2 * wanted, 2 * size)."""
    return _block(_angles(size, np.arange(wanted), np.arange(size))) / np.float32(size)


def inverse_real_dft(size: int, wanted: int) -> NDArray[np.float32]:
    """Return the matrix from the spectrum of a real signal, as `real_dft` gives it, to its first `wanted` values.

    Returns
    -------
    ndarray of float32, shape (wanted, 2 * (size // 2 + 1))
    """
    frequencies = np.arange(size // 2 + 1)
    angles = _angles(size, np.arange(wanted), frequencies)
    # Every frequency stands for its conjugate too, save those that are their own.
    weight = np.where((frequencies == 0) | (2 * frequencies == size), 1.0, 2.0) / size
    return np.stack([weight * np.cos(angles), -weight * np.sin(angles)], axis=2).reshape(wanted, -1).astype(np.float32)


def _angles(size: int, one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    # Products taken modulo the size, which keeps the angles small and their sines exact.
    return 2 * np.pi * (np.outer(one, other) % size) / size


def _block(angles: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.block([[np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]]).astype(np.float32)
