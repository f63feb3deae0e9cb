"""Models of many kinds, made and saved the same way in any process: `python saved_models.py` writes to ./models."""

import os
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from synthetic import digits, pixels
from threadpoolctl import threadpool_limits

from stages.building import estimators

TREE = {"class": "DecisionTreeClassifier", "max_depth": 3}
BAYES = {"class": "GaussianNB"}
LINEAR = {"class": "LogisticRegression"}
PAIRS = [["tree", TREE], ["bayes", BAYES]]

# Every classifier of scikit-learn that learns classes from a vector of labels, and every kind of model file.
CLASSIFIERS: dict[str, dict[str, Any]] = {
    "ada-boost": {"class": "AdaBoostClassifier", "estimator": TREE, "n_estimators": 2},
    "bagging": {"class": "BaggingClassifier", "estimator": LINEAR, "n_estimators": 2, "max_features": 0.5},
    "bernoulli-nb": {"class": "BernoulliNB", "binarize": 0.5},
    "calibrated": {"class": "CalibratedClassifierCV", "estimator": LINEAR, "cv": 2},
    "calibrated-isotonic": {"class": "CalibratedClassifierCV", "estimator": LINEAR, "cv": 2, "method": "isotonic"},
    "calibrated-temperature": {
        "class": "CalibratedClassifierCV",
        "estimator": LINEAR,
        "cv": 2,
        "method": "temperature",
    },
    "categorical-nb": {"class": "CategoricalNB"},
    "complement-nb": {"class": "ComplementNB"},
    "decision-tree": TREE,
    "dummy": {"class": "DummyClassifier", "strategy": "stratified"},
    "extra-tree": {"class": "ExtraTreeClassifier"},
    "extra-trees": {"class": "ExtraTreesClassifier", "n_estimators": 2},
    "fixed-threshold": {"class": "FixedThresholdClassifier", "estimator": LINEAR, "threshold": 0.3},
    "gaussian-nb": BAYES,
    "gaussian-process": {"class": "GaussianProcessClassifier"},
    "gradient-boosting": {"class": "GradientBoostingClassifier", "n_estimators": 2},
    "hist-gradient-boosting": {"class": "HistGradientBoostingClassifier", "max_iter": 2, "min_samples_leaf": 5},
    "knn": {"class": "KNeighborsClassifier", "n_neighbors": 3, "metric": "manhattan"},
    "label-propagation": {"class": "LabelPropagation", "kernel": "knn"},
    "label-spreading": {"class": "LabelSpreading", "kernel": "knn"},
    "lda": {"class": "LinearDiscriminantAnalysis", "solver": "lsqr", "shrinkage": "auto"},
    "linear-svc": {"class": "LinearSVC"},
    "logistic-regression": {**LINEAR, "class_weight": {0: 2.0, 1: 1.0, 2: 1.0}},
    "logistic-regression-cv": {
        "class": "LogisticRegressionCV",
        "Cs": 2,
        "cv": 2,
        "l1_ratios": [0.0],
        "scoring": "neg_log_loss",
        "use_legacy_attributes": False,
    },
    "mlp-adam": {"class": "MLPClassifier", "hidden_layer_sizes": [9, 8], "learning_rate_init": 0.02, "max_iter": 40},
    "mlp-sgd": {"class": "MLPClassifier", "solver": "sgd", "learning_rate_init": 0.1, "max_iter": 40},
    "multinomial-nb": {"class": "MultinomialNB"},
    "nearest-centroid": {"class": "NearestCentroid"},
    "nu-svc": {"class": "NuSVC", "nu": 0.2},
    "one-vs-one": {"class": "OneVsOneClassifier", "estimator": LINEAR},
    "one-vs-rest": {"class": "OneVsRestClassifier", "estimator": TREE},
    "output-code": {"class": "OutputCodeClassifier", "estimator": TREE},
    "perceptron": {"class": "Perceptron"},
    "qda": {"class": "QuadraticDiscriminantAnalysis", "solver": "eigen", "shrinkage": 0.5},
    "radius": {"class": "RadiusNeighborsClassifier", "radius": 1.5},
    "random-forest": {"class": "RandomForestClassifier", "n_estimators": 2},
    "ridge": {"class": "RidgeClassifier"},
    "ridge-cv": {"class": "RidgeClassifierCV", "alphas": [0.1, 1.0]},
    "self-training": {"class": "SelfTrainingClassifier", "estimator": BAYES},
    "sgd": {"class": "SGDClassifier", "loss": "log_loss", "early_stopping": True},
    "stacking": {"class": "StackingClassifier", "estimators": PAIRS, "cv": 2, "passthrough": True},
    "svc": {"class": "SVC"},
    "svc-poly": {"class": "SVC", "kernel": "poly", "degree": 2},
    "voting": {"class": "VotingClassifier", "estimators": PAIRS, "voting": "soft"},
    "voting-hard": {"class": "VotingClassifier", "estimators": PAIRS},
}
OF_TWO_CLASSES = {"fixed-threshold"}
NETS = ("chain", "skip", "shared")


def rows(name: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return images as rows of pixels and their classes, for one of the classifiers."""
    images, labels = digits(60, size=6, classes=2 if name in OF_TWO_CLASSES else 3)
    return pixels(images).reshape(len(images), -1), labels


def fitted(name: str) -> ClassifierMixin:
    """Return one of the classifiers, fitted."""
    declared = CLASSIFIERS[name]
    settings = {key: value for key, value in declared.items() if key != "class"}
    # One thread: on a busy machine, threads that wait for each other take most of the time.
    with warnings.catch_warnings(), threadpool_limits(1):
        # Few rows, few iterations.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "y contains no unlabeled samples", UserWarning)
        return estimators.build(declared["class"], settings, 42, ("here",)).fit(*rows(name))


def trained(name: str) -> Any:
    """Return one of the nets, trained for a step with an optimiser that keeps a state."""
    import keras

    keras.utils.set_random_seed(42)
    image = keras.Input((6, 6, 1), name="image")
    flat = keras.layers.Flatten(name="flat")(image)
    # One object in several layers is what Keras numbers by its address in memory.
    shared = keras.regularizers.L2(0.01)
    dense = keras.layers.Dense(4, activation="relu", kernel_regularizer=shared, name="dense")
    last = keras.layers.Dense(3, activation="softmax", kernel_regularizer=shared, name="last")
    if name == "chain":
        output = last(dense(flat))
    elif name == "skip":
        output = last(keras.layers.Concatenate(name="both")([dense(flat), flat]))
    else:
        narrow = keras.layers.Dense(4, name="narrow")(flat)
        twice = [dense(keras.layers.Dense(36, name="wide")(narrow)), dense(flat)]
        # Named: Keras numbers the layers without a name by how many the process has made before.
        output = last(keras.layers.Add(name="sum")(twice))
    model = keras.Model(image, output, name="as-trained")
    # For one step a compiled graph is not worth its making.
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", run_eagerly=True)
    images, labels = digits(60, size=6, classes=3)
    model.fit(pixels(images)[..., np.newaxis], labels, epochs=1, batch_size=60, verbose=0)
    return model


def main() -> dict[str, Any]:
    """Make and save all of them; return them by name."""
    from stages.store.baselines import save_baseline
    from stages.store.nets import save_net

    classifiers = {name: fitted(name) for name in CLASSIFIERS}
    nets = {name: trained(name) for name in NETS}
    for name, model in classifiers.items():
        save_baseline(name, model)
    for name, model in nets.items():
        save_net(name, model)
    return {**classifiers, **nets}


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
