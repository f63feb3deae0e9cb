"""The notebook's own cells, with which the pipeline is compared."""

import time
from typing import Any

import numpy as np

from benchmarks.data import Data
from benchmarks.timing import timed

LONGEST_FIT = 300.0  # seconds; a longer training is extrapolated from its first epochs
TIMED_EPOCHS = 2


# Net -> epochs and batch size.
NETS = {
    "softmax": (30, 512),
    "mlp-48": (50, 256),
    "mlp-128-64": (42, 256),
    "cnn-15x15": (20, 256),
    "deep-cnn": (20, 256),
}

# Test accuracy of each cell, run once to its end: TensorFlow 2.21, Keras 3.15, scikit-learn 1.9. The nets must reach
# it, and it stands in for cells that are not run to their end. The notebook has no cell for SVC.
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
    """Return the scikit-learn classifier of a cell."""
    from sklearn.linear_model import SGDClassifier
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC, LinearSVC

    return {
        "linear-svc": LinearSVC(C=1, max_iter=1000),
        "sgd": SGDClassifier(alpha=1e-4, max_iter=5000, n_jobs=-1),
        "knn": KNeighborsClassifier(n_neighbors=10, metric="manhattan"),
        "svc-rbf": SVC(C=5, gamma="scale"),  # imported in the notebook, but not run
    }[name]


def net(name: str) -> Any:
    """Return the Keras net of a cell, not compiled, for images (n, 28, 28, 1)."""
    import keras
    from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D
    from keras.regularizers import L1

    def softmax(**settings: Any) -> Any:
        return Dense(10, activation="softmax", **settings)

    layers = {
        "softmax": [Flatten(), softmax(kernel_initializer="zeros", kernel_regularizer=L1(1e-6))],
        "mlp-48": [
            Flatten(),
            Dense(48, activation="sigmoid", kernel_regularizer=L1(1e-5)),
            softmax(kernel_regularizer=L1(1e-4)),
        ],
        "mlp-128-64": [Flatten(), Dense(128, activation="sigmoid"), Dense(64, activation="sigmoid"), softmax()],
        "cnn-15x15": [Conv2D(64, (15, 15), activation="relu"), MaxPooling2D((2, 2)), Flatten(), softmax()],
        "deep-cnn": [
            Conv2D(32, (5, 5), activation="relu"),
            Conv2D(64, (9, 9), activation="relu"),
            MaxPooling2D((4, 4)),
            Flatten(),
            Dense(64, activation="sigmoid"),
            softmax(),
        ],
    }
    return keras.Sequential([keras.Input((28, 28, 1)), *layers[name]])


def run(name: str, data: Data) -> dict[str, Any]:
    """Train a model and predict with it as the notebook's cells do.

    Parameters
    ----------
    name : str
        A model of `REACHED`.
    data : Data
        Images are converted to the notebook's float64 before anything is timed.

    Returns
    -------
    dict
        As in `ours.run`, and whole: whether training was complete. If not, fit_seconds is extrapolated, and the
        codes are meaningless.
    """
    train, test = (images.astype(np.float64) for images in (data.train_images, data.test_images))
    if name in NETS:
        return _run_net(name, train[..., np.newaxis], test[..., np.newaxis], data)
    model = classifier(name)
    rows, queries = train.reshape(len(train), -1), test.reshape(len(test), -1)
    _, fit_seconds = timed(lambda: model.fit(rows, data.train_labels))
    codes, predict_seconds = timed(lambda: model.predict(queries))
    return {"fit_seconds": fit_seconds, "predict_seconds": predict_seconds, "codes": codes, "whole": True}


def _run_net(name: str, train: Any, test: Any, data: Data) -> dict[str, Any]:
    epochs, batch_size = NETS[name]
    start = time.perf_counter()
    model = net(name)
    model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    validation = (test, data.test_labels)  # as in the notebook
    settings = {"batch_size": batch_size, "verbose": 0, "validation_data": validation}
    model.fit(train, data.train_labels, epochs=TIMED_EPOCHS, **settings)
    seconds = (time.perf_counter() - start) / TIMED_EPOCHS * epochs
    whole = seconds <= LONGEST_FIT
    if whole:
        model.fit(train, data.train_labels, epochs=epochs - TIMED_EPOCHS, **settings)
        seconds = time.perf_counter() - start
    scores, predict_seconds = timed(lambda: model.predict(test, verbose=0))
    codes = scores.argmax(axis=1)
    return {"fit_seconds": seconds, "predict_seconds": predict_seconds, "codes": codes, "whole": whole}
