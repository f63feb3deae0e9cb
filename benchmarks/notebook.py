"""The notebook's own cells: what the pipeline is compared with."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import Data
from benchmarks.timing import Measured, stopwatch

# Longer ones are not run to their end: some epochs are timed, and the rest is reckoned.
LONGEST = 300.0  # seconds
TIMED_EPOCHS = 2


class Fitting(NamedTuple):
    """How a cell trains its net."""

    layers: Callable[[Any], list[Any]]
    epochs: int
    batch_size: int
    channel: bool  # whether the images have an axis for it


def _softmax(keras: Any) -> list[Any]:
    layers, l1 = keras.layers, keras.regularizers.L1
    return [
        layers.Flatten(),
        layers.Dense(10, activation="softmax", kernel_initializer="zeros", kernel_regularizer=l1(1e-6)),
    ]


def _mlp_48(keras: Any) -> list[Any]:
    layers, l1 = keras.layers, keras.regularizers.L1
    return [
        layers.Flatten(),
        layers.Dense(48, activation="sigmoid", kernel_regularizer=l1(1e-5)),
        layers.Dense(10, activation="softmax", kernel_regularizer=l1(1e-4)),
    ]


def _mlp_128_64(keras: Any) -> list[Any]:
    layers = keras.layers
    return [
        layers.Flatten(),
        layers.Dense(128, activation="sigmoid"),
        layers.Dense(64, activation="sigmoid"),
        layers.Dense(10, activation="softmax"),
    ]


def _cnn_15x15(keras: Any) -> list[Any]:
    layers = keras.layers
    return [
        layers.Conv2D(64, (15, 15), activation="relu"),
        layers.MaxPooling2D((2, 2)),
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    ]


def _deep_cnn(keras: Any) -> list[Any]:
    layers = keras.layers
    return [
        layers.Conv2D(32, (5, 5), activation="relu"),
        layers.Conv2D(64, (9, 9), activation="relu"),
        layers.MaxPooling2D((4, 4)),
        layers.Flatten(),
        layers.Dense(64, activation="sigmoid"),
        layers.Dense(10, activation="softmax"),
    ]


NETS = {
    "softmax": Fitting(_softmax, 30, 512, False),
    "mlp-48": Fitting(_mlp_48, 50, 256, False),
    "mlp-128-64": Fitting(_mlp_128_64, 42, 256, False),
    "cnn-15x15": Fitting(_cnn_15x15, 20, 256, True),
    "deep-cnn": Fitting(_deep_cnn, 20, 256, True),
}

# Test accuracy of the cells, each run once to its end: TensorFlow 2.21, Keras 3.15, scikit-learn 1.9. It is what our
# nets have to reach, and stands in for cells that are not run to their end. The notebook has no cell for SVC.
REACHED = {
    "linear-svc": 0.91379,
    "sgd": 0.91429,
    "knn": 0.96014,
    "svc-rbf": 0.98329,
    "softmax": 0.92136,
    "mlp-48": 0.96979,
    "mlp-128-64": 0.97850,
    "cnn-15x15": 0.98914,
    "deep-cnn": 0.99186,
}


def classifier(name: str) -> Any:
    """Make the cell's scikit-learn classifier."""
    from sklearn.linear_model import SGDClassifier
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC, LinearSVC

    return {
        "linear-svc": lambda: LinearSVC(C=1, max_iter=1000),
        "sgd": lambda: SGDClassifier(alpha=1e-4, max_iter=5000, n_jobs=-1),
        "knn": lambda: KNeighborsClassifier(n_neighbors=10, metric="manhattan"),
        "svc-rbf": lambda: SVC(C=5, gamma="scale"),  # imported there, and praised, but not run
    }[name]()


def run(name: str, data: Data) -> Measured:
    """Train a model and let it predict as the notebook's cells do.

    Parameters
    ----------
    name : str
        A model of `REACHED`.
    data : Data
        Its images are turned into the notebook's float64 before anything is timed.
    """
    images = data.train_images.astype(np.float64), data.test_images.astype(np.float64)
    if name in NETS:
        return _net(NETS[name], images, data)
    rows = [part.reshape(len(part), -1) for part in images]
    model = classifier(name)
    with stopwatch() as fit:
        model.fit(rows[0], data.train_labels)
    with stopwatch() as predict:
        codes = model.predict(rows[1])
    return Measured(fit.seconds, predict.seconds, codes)


def _net(how: Fitting, images: tuple[NDArray[np.float64], NDArray[np.float64]], data: Data) -> Measured:
    import keras

    train, test = (part[..., np.newaxis] for part in images) if how.channel else images
    begun = time.perf_counter()
    model = keras.Sequential([keras.Input(train.shape[1:]), *how.layers(keras)])
    model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])

    def fit(epochs: int) -> None:
        model.fit(
            train,
            data.train_labels,
            epochs=epochs,
            batch_size=how.batch_size,
            verbose=0,
            validation_data=(test, data.test_labels),  # as the notebook does
        )

    fit(TIMED_EPOCHS)
    seconds = time.perf_counter() - begun
    reckoned = seconds / TIMED_EPOCHS * how.epochs
    whole = reckoned <= LONGEST
    if whole:
        fit(how.epochs - TIMED_EPOCHS)
        seconds = time.perf_counter() - begun
    with stopwatch() as predict:
        codes = model.predict(test, verbose=0).argmax(axis=1)
    return Measured(seconds if whole else reckoned, predict.seconds, codes, whole)
