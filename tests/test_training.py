"""Training of nets and classifiers, the two stages, and every model of the default params.yaml."""

import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from stages.normalise_and_split.__main__ import main as split_main
from stages.shared.errors import UserError
from stages.shared.files import datasets, paths
from stages.shared.files.keras_models import load_net, save_net
from stages.shared.files.predictions import load_facts, load_predictions
from stages.shared.files.skops_models import load_baseline
from stages.shared.files.tables import load_history
from stages.shared.models import build_classifier
from stages.shared.models.build_net import build, make_optimizer
from stages.shared.params import baselines_section, nets_section
from stages.shared.params.nets_section import Net
from stages.shared.params.settings import check_section
from stages.shared.params.yaml_file import read
from stages.train_baselines.__main__ import main as baselines_main
from stages.train_baselines.fitting import fit
from stages.train_baselines.predicting import parameter_count, predictions, score_kind
from stages.train_nets.__main__ import main as nets_main
from stages.train_nets.training import STEPS_AT_ONCE, batches, best_epoch, probabilities, summary, train
from tests.fixtures.small_project import PARAMS
from tests.fixtures.synthetic import digits, pixels

Images = NDArray[np.float32]
Codes = NDArray[np.int64]
Set = tuple[Images, Codes]

NETS = check_section("nets", nets_section.Nets, read(PARAMS)).root
BASELINES = check_section("baselines", baselines_section.Baselines, read(PARAMS)).root

PLACE = ("nets", "tiny", "optimizer")
TINY = Net.model_validate(
    {
        "layers": {
            "flatten": {"class": "Flatten"},
            "hidden": {"class": "Dense", "units": 12, "activation": "relu"},
            "output": {"class": "Dense", "units": "classes", "activation": "softmax"},
        },
        "optimizer": {"class": "Adam", "learning_rate": 0.02},
        "epochs": 5,
        "batch_size": 32,
    }
)


def images_of(n: int, seed: int) -> Set:
    """Return read-only images of 8 x 8 pixels in 4 classes: functions must not change their arguments."""
    images, labels = digits(n, size=8, classes=4, seed=seed)
    values = pixels(images)
    for array in (values, labels):
        array.setflags(write=False)
    return values, labels


@pytest.fixture(scope="module")
def small() -> Set:
    return images_of(300, seed=0)


@pytest.fixture(scope="module")
def unseen() -> Set:
    return images_of(80, seed=1)


@pytest.fixture(scope="module")
def contrary(unseen: Set) -> Set:
    """Labels that contradict the training set: the better a net learns, the higher its validation loss."""
    return unseen[0], (unseen[1] + 1) % 4


def trained(learning: Set, validation: Set | None = None, **settings: Any) -> tuple[keras.Model, pd.DataFrame]:
    """Build and train the tiny net."""
    keras.utils.set_random_seed(42)
    model = build("tiny", TINY, 8, 8, 4)
    arguments: dict[str, Any] = {"epochs": 5, "batch_size": 32, "patience": None, "name": "tiny", **settings}
    optimizer = arguments.pop("optimizer", None) or make_optimizer(TINY.optimizer, 100, PLACE)
    return model, train(model, optimizer, *learning, validation, **arguments)


def loss_of(model: keras.Model, images: Images, labels: Codes) -> float:
    """Return the cross-entropy of a net's probabilities."""
    right = probabilities(model, images)[np.arange(len(labels)), labels].astype(float)
    return float(-np.log(right).mean())


# Nets


@pytest.fixture(scope="module")
def five_epochs(small: Set, unseen: Set) -> tuple[keras.Model, pd.DataFrame]:
    return trained(small, unseen)


def test_a_net_learns_and_its_history_is_right(five_epochs: tuple[keras.Model, pd.DataFrame], unseen: Set) -> None:
    model, history = five_epochs
    assert history.columns.tolist() == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5]
    assert history["loss"].iloc[-1] < 0.5 * history["loss"].iloc[0]
    codes = probabilities(model, unseen[0]).argmax(axis=1)
    assert history["val_accuracy"].iloc[-1] == pytest.approx(np.mean(codes == unseen[1]))
    assert history["val_accuracy"].iloc[-1] > 0.9
    assert history["val_loss"].iloc[-1] == pytest.approx(loss_of(model, *unseen), rel=1e-4)


def test_the_same_seed_gives_the_same_weights_and_console_output(
    five_epochs: tuple[keras.Model, pd.DataFrame], small: Set, unseen: Set, capsys: pytest.CaptureFixture[str]
) -> None:
    model, history = five_epochs
    capsys.readouterr()
    again, history_again = trained(small, unseen)
    pd.testing.assert_frame_equal(history, history_again, check_exact=True)
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    # After ten seconds, a busy machine also prints the number of steps.
    lines = [line for line in capsys.readouterr().out.splitlines() if "epoch" in line]
    for line, row in zip(lines, history.itertuples(), strict=True):
        assert line == (
            f"tiny: epoch {row.epoch} of 5: accuracy {row.accuracy:.4f}, loss {row.loss:.4f}; "
            f"validation: accuracy {row.val_accuracy:.4f}, loss {row.val_loss:.4f}"
        )


def test_another_seed_gives_other_weights() -> None:
    weights = []
    for seed in (42, 43, 42):
        keras.utils.set_random_seed(seed)
        weights.append(build("tiny", TINY, 8, 8, 4).get_weights()[0])
    assert np.array_equal(weights[0], weights[2]) and not np.array_equal(weights[0], weights[1])


def test_without_a_validation_set_all_epochs_are_trained(small: Set, capsys: pytest.CaptureFixture[str]) -> None:
    _, history = trained(small, None, epochs=2, patience=1)
    assert history.columns.tolist() == ["epoch", "accuracy", "loss"]
    assert history["epoch"].tolist() == [1, 2] and best_epoch(history, 1) == 2
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("tiny: epoch 1 of 2: ") and last.startswith("tiny: epoch 2 of 2: ")
    assert "validation" not in first + last


def test_early_stopping_goes_back_to_the_weights_of_the_best_epoch(
    small: Set, unseen: Set, contrary: Set, capsys: pytest.CaptureFixture[str]
) -> None:
    model, history = trained(small, contrary, epochs=9, patience=2)
    assert "tiny: epoch 1 of at most 9: " in capsys.readouterr().out
    best = best_epoch(history, 2)
    assert best == 1 + history["val_loss"].to_numpy().argmin()
    assert len(history) == best + 2 < 9
    assert loss_of(model, *contrary) == pytest.approx(history["val_loss"].min(), rel=1e-4)
    # Training for only so many epochs with the same seed gives the same net.
    short, _ = trained(small, contrary, epochs=best)
    np.testing.assert_array_equal(probabilities(model, unseen[0]), probabilities(short, unseen[0]))


def test_the_best_epoch_is_kept_if_training_is_not_stopped(small: Set, contrary: Set) -> None:
    model, history = trained(small, contrary, epochs=4, patience=9)
    assert len(history) == 4 > best_epoch(history, 9)
    assert loss_of(model, *contrary) == pytest.approx(history["val_loss"].min(), rel=1e-4)
    assert history["val_loss"].iloc[-1] > 1.1 * history["val_loss"].min()


@pytest.mark.parametrize(
    ("losses", "patience", "best"),
    [([3.0, 1.0, 2.0], 5, 2), ([3.0, 1.0, 1.0], 5, 2), ([3.0, 1.0, 2.0], None, 3), (None, 5, 3)],
)
def test_the_epoch_whose_weights_are_kept(losses: list[float] | None, patience: int | None, best: int) -> None:
    history = pd.DataFrame({"epoch": [1, 2, 3], "loss": [3.0, 2.0, 1.0]})
    if losses is not None:
        history["val_loss"] = losses
    assert best_epoch(history, patience) == best


def error_of(*sets: Any, **settings: Any) -> str:
    """Return the message with which the training of the tiny net stops."""
    with pytest.raises(UserError) as caught:
        trained(*sets, **settings)
    return str(caught.value)


@pytest.mark.parametrize(("batch_size", "steps"), [(150, "2 of 2"), (10, "16 of 30")])
def test_a_training_loss_that_is_not_finite_names_net_epoch_and_steps(small: Set, batch_size: int, steps: str) -> None:
    # The sums overflow in the second step; Python is back only after 16 steps or at the end of the epoch.
    message = error_of(small, batch_size=batch_size, optimizer=keras.optimizers.SGD(1e36))
    assert message.startswith(f"tiny: epoch 1: the training loss after step {steps} is not finite; ")
    assert "learning rate" in message


def test_a_training_loss_that_is_not_finite_in_a_later_epoch_names_it(small: Set) -> None:
    # 30 steps per epoch; the rate is moderate until the 40th step.
    class Leap(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> Any:
            return keras.ops.where(step < 39, 0.01, 1e36)

    assert "tiny: epoch 2: " in error_of(small, batch_size=10, optimizer=keras.optimizers.SGD(Leap()))


def test_training_stops_within_the_epoch_whose_loss_is_not_finite(small: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []

    @contextmanager
    def progress(what: str, total: int, unit: str, at_most: bool) -> Iterator[Callable[[int], None]]:
        yield counted.append

    monkeypatch.setattr("stages.train_nets.training.progress", progress)
    with pytest.raises(UserError):
        trained(small, None, batch_size=1, optimizer=keras.optimizers.SGD(1e36))
    assert sum(counted) == STEPS_AT_ONCE


def test_a_validation_loss_that_is_not_finite_stops_training(small: Set, unseen: Set) -> None:
    # With one step per epoch, no training loss follows it.
    message = error_of(small, unseen, batch_size=300, optimizer=keras.optimizers.SGD(1e36))
    assert message.startswith("tiny: epoch 1: the validation loss is not finite; ")


def test_weights_that_are_not_finite_are_not_kept(small: Set) -> None:
    # A single step of infinite length: the loss before it is finite, and none is measured after it.
    message = error_of(small, epochs=1, batch_size=300, optimizer=keras.optimizers.SGD(float("inf")))
    assert message.startswith("tiny: epoch 1: the weights are not finite; ")


def test_a_layer_that_returns_nan_is_named_in_place_of_the_learning_rate(small: Set) -> None:
    # In bfloat16, one of 128 random numbers is exactly 0, which this layer divides by.
    settings = TINY.model_dump(by_alias=True)
    elastic = {"class": "RandomElasticTransform", "dtype": "bfloat16"}
    declared = Net.model_validate(settings | {"layers": {"elastic": elastic, **settings["layers"]}})
    model = build("tiny", declared, 8, 8, 4)
    with pytest.raises(
        UserError, match=r"^tiny: epoch \d+: .* not finite; layer 'elastic' \(RandomElasticTransform\).*bfloat16"
    ):
        train(
            model,
            make_optimizer(TINY.optimizer, 9, PLACE),
            *small,
            None,
            epochs=99,
            batch_size=5,
            patience=None,
            name="tiny",
        )


def test_out_of_memory_in_a_step_names_the_net_and_a_remedy(small: Set) -> None:
    layers = {"up": {"class": "UpSampling2D", "size": 10**6}, "mean": {"class": "GlobalAveragePooling2D"}}
    output = {"class": "Dense", "units": "classes", "activation": "softmax"}
    huge = Net.model_validate({"layers": {**layers, "output": output}, "epochs": 1, "batch_size": 32})
    model = build("huge", huge, 8, 8, 4)
    with pytest.raises(UserError) as caught:
        optimizer = make_optimizer(huge.optimizer, 10, PLACE)
        train(model, optimizer, *small, None, epochs=1, batch_size=32, patience=None, name="huge")
    message = str(caught.value)
    assert message.startswith("huge: out of memory: ") and "batch_size" in message and "\n" not in message


@pytest.mark.parametrize("n", [80, 0])
def test_each_row_of_probabilities_sums_to_one(
    five_epochs: tuple[keras.Model, pd.DataFrame], unseen: Set, n: int
) -> None:
    scores = probabilities(five_epochs[0], unseen[0][:n])
    assert (scores.dtype, scores.shape) == (np.float32, (n, 4))
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)


def epochs_of(seed: int | None, number: int = 2) -> list[list[list[int]]]:
    """Return for each epoch the batches of 4 rows, out of 10."""
    images = np.arange(10, dtype=np.float32)[:, None, None] * np.ones((1, 2, 3), np.float32)
    data = batches(images, np.arange(10), 4, seed=seed)
    epochs = []
    for _ in range(number):
        rows = []
        for pictures, labels in data:
            assert pictures.shape == (len(labels), 2, 3, 1) and pictures.dtype == "float32" and labels.dtype == "int64"
            assert pictures.numpy()[:, 0, 0, 0].astype(int).tolist() == labels.numpy().tolist()
            rows.append(labels.numpy().tolist())
        epochs.append(rows)
    return epochs


def test_batches_without_a_seed_keep_the_order() -> None:
    assert epochs_of(None) == 2 * [[[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]]


def test_batches_with_a_seed_have_every_row_once_in_another_order_each_epoch() -> None:
    first, second = epochs_of(1)
    for epoch in (first, second):
        assert [len(batch) for batch in epoch] == [4, 4, 2]
        assert sorted(row for batch in epoch for row in batch) == list(range(10))
    assert first != second
    assert epochs_of(1) == [first, second] != epochs_of(2)


def test_batches_for_prediction_have_no_labels() -> None:
    (only,) = batches(np.ones((3, 2, 2), np.float32), None, 5)
    assert [part.shape for part in only] == [(3, 2, 2, 1)]


def test_autotuning_is_off() -> None:
    assert not batches(np.ones((3, 2, 2), np.float32), None, 5).options().autotune.enabled


@pytest.mark.parametrize("rows", [300, 320])
def test_progress_counts_every_step_once(small: Set, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []

    @contextmanager
    def progress(what: str, total: int, unit: str, at_most: bool) -> Iterator[Callable[[int], None]]:
        counted.append(-total)
        yield counted.append

    monkeypatch.setattr("stages.train_nets.training.progress", progress)
    learning = tuple(np.concatenate([part, part])[:rows] for part in small)
    trained(learning, epochs=3, batch_size=10)
    # More steps per epoch than are done at once, and not a multiple of them.
    assert counted[0] == -3 * rows // 10 and sum(counted) == 0
    assert min(counted[1:]) >= 1 and max(counted[1:]) <= STEPS_AT_ONCE


def test_a_net_in_mixed_precision_is_trained_saved_and_loaded(
    small: Set, unseen: Set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    keras.utils.set_random_seed(42)
    model = build("tiny", TINY.model_copy(update={"precision": "mixed_bfloat16"}), 8, 8, 4)
    optimizer = make_optimizer(TINY.optimizer, 100, PLACE)
    train(model, optimizer, *small, None, epochs=5, batch_size=32, patience=None, name="tiny")
    save_net("tiny", model)
    scores = probabilities(load_net("tiny"), unseen[0])
    assert scores.dtype == np.float32 and np.array_equal(scores, probabilities(model, unseen[0]))
    assert np.mean(scores.argmax(axis=1) == unseen[1]) > 0.9


def test_the_summary_does_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build("tiny", TINY, 8, 8, 4)
    texts = set()
    for columns in ("20", "80", "300"):
        monkeypatch.setenv("COLUMNS", columns)
        texts.add(summary(model))
    monkeypatch.delenv("COLUMNS")
    (text,) = {*texts, summary(model)}
    assert "hidden (Dense)" in text and "(None, 12)" in text and "Total params: 832" in text
    assert text.startswith('Model: "tiny"\n') and text.endswith("\n")


@pytest.mark.parametrize("name", NETS)
def test_every_default_net_trains_and_predicts(name: str) -> None:
    images, labels = digits(64)
    declared = NETS[name]
    keras.utils.set_random_seed(42)
    model = build(name, declared, 28, 28, 10)
    history = train(
        model,
        make_optimizer(declared.optimizer, 100, PLACE),
        pixels(images),
        labels,
        (pixels(images[:10]), labels[:10]),
        epochs=1,
        batch_size=32,
        patience=2,
        name=name,
    )
    assert history.columns.tolist() == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"] and len(history) == 1
    scores = probabilities(model, pixels(images[:10]))
    assert scores.shape == (10, 10)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)


# Classifiers


WHERE = ("baselines", "x")


def rows(images: NDArray[np.uint8]) -> Images:
    return pixels(images).reshape(len(images), -1)


def made(name: str, **settings: Any) -> ClassifierMixin:
    return build_classifier.build(name, settings, 42, WHERE)


@pytest.fixture(scope="module")
def matrix() -> Set:
    """200 images of 28 x 28 pixels in 10 classes, as rows."""
    images, labels = digits(200)
    return rows(images), labels


@pytest.mark.parametrize("name", BASELINES)
def test_every_default_baseline_fits_and_predicts(name: str, matrix: Set) -> None:
    declared = BASELINES[name]
    fitted = fit(made(declared.class_, **declared.settings), *matrix, threads=1, where=WHERE)
    # What is saved is scikit-learn's own class, however it was fitted.
    assert type(fitted).__module__.startswith("sklearn.") and type(fitted).__name__ == declared.class_
    assert declared.settings.items() <= fitted.get_params().items()
    images, labels = digits(50, seed=1)
    predicted = predictions(fitted, rows(images), 10)
    assert (predicted.codes.dtype, predicted.scores.dtype, predicted.scores.shape) == (np.int64, np.float32, (50, 10))
    assert predicted.kind == ("probability" if name == "knn" else "decision")
    np.testing.assert_array_equal(predicted.codes, fitted.predict(rows(images)))
    assert np.mean(predicted.codes == labels) > 0.9
    assert parameter_count(fitted) == {"linear-svc": 7_850, "sgd": 7_850}.get(name)


@pytest.mark.parametrize("name", ["RandomForestClassifier", "SGDClassifier", "KNeighborsClassifier", "SVC"])
def test_fitting_does_not_change_the_declared_classifier(name: str, small: Set) -> None:
    model = made(name)
    before = dict(vars(model))
    fitted = fit(model, small[0].reshape(300, -1), small[1], threads=2, where=WHERE)
    assert fitted is not model and vars(model) == before
    # The file does not depend on the number of cores.
    assert fitted.get_params().get("n_jobs") is None


def test_the_deprecated_n_jobs_of_logistic_regression_is_not_set(small: Set) -> None:
    # It would warn, and warnings are errors here.
    fitted = fit(made("LogisticRegression"), small[0].reshape(300, -1), small[1], threads=2, where=WHERE)
    assert isinstance(fitted, LogisticRegression) and fitted.n_jobs is None


@pytest.mark.parametrize(
    "model",
    [
        {"name": "GaussianNB", "priors": [0.5, 0.5]},
        {"name": "MultiOutputClassifier", "estimator": {"class": "GaussianNB"}},
        {"name": "ClassifierChain", "estimator": {"class": "GaussianNB"}},
        {"name": "FixedThresholdClassifier", "estimator": {"class": "GaussianNB"}},
    ],
    ids=lambda model: model["name"],
)
def test_a_classifier_that_rejects_the_data_is_named_with_its_place_and_reason(
    model: dict[str, Any], small: Set
) -> None:
    X, y = small[0].reshape(300, -1), small[1]
    with pytest.raises(Exception) as reason:
        made(**model).fit(X, y)
    with pytest.raises(UserError) as caught:
        fit(made(**model), X, y, threads=1, where=WHERE)
    message = str(caught.value)
    assert message.startswith(f"params.yaml: baselines.x: {model['name']} ")
    assert message.endswith(" ".join(str(reason.value).split()))


def test_out_of_memory_while_fitting_names_the_place_and_the_size(small: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> None:
        raise MemoryError("Unable to allocate 23.4 GiB")

    monkeypatch.setattr(LinearSVC, "fit", fail)
    with pytest.raises(UserError, match=r"^params\.yaml: baselines\.x: LinearSVC .*23\.4 GiB"):
        fit(made("LinearSVC"), small[0].reshape(300, -1), small[1], threads=1, where=WHERE)


# Predictions of classifiers


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ({"name": "GaussianNB"}, "probability"),
        ({"name": "RidgeClassifier"}, "decision"),
        ({"name": "SVC"}, "decision"),
        ({"name": "OutputCodeClassifier", "estimator": {"class": "DecisionTreeClassifier"}}, "none"),
        ({"name": "VotingClassifier", "estimators": [["a", {"class": "GaussianNB"}]]}, "none"),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else value,
)
def test_scores_are_those_that_the_classifier_has(model: dict[str, Any], kind: str, small: Set, unseen: Set) -> None:
    fitted = fit(made(**model), small[0].reshape(300, -1), small[1], 1, WHERE)
    Q = unseen[0].reshape(80, -1)
    predicted = predictions(fitted, Q, 4)
    assert (score_kind(fitted), predicted.kind) == (kind, kind)
    np.testing.assert_array_equal(predicted.codes, fitted.predict(Q))
    columns = 0 if kind == "none" else 4
    assert predicted.scores.shape == (80, columns)
    if kind != "none":
        scores = fitted.predict_proba(Q) if kind == "probability" else fitted.decision_function(Q)
        np.testing.assert_array_equal(predicted.scores, scores.astype(np.float32))
    empty = predictions(fitted, Q[:0], 4)
    assert (empty.codes.shape, empty.scores.shape, empty.kind) == ((0,), (0, columns), kind)
    assert (empty.codes.dtype, empty.scores.dtype) == (predicted.codes.dtype, predicted.scores.dtype)


@pytest.mark.parametrize(
    ("name", "lowest"), [("GaussianNB", 0.0), ("RidgeClassifier", -np.inf), ("KNeighborsClassifier", 0.0)]
)
def test_a_class_without_training_rows_has_the_lowest_score(name: str, lowest: float, small: Set) -> None:
    X, y = small[0].reshape(300, -1), small[1]
    fitted = fit(made(name), X[y != 2], y[y != 2], 1, WHERE)
    predicted = predictions(fitted, X, 4)
    assert set(predicted.codes) == {0, 1, 3}
    assert (predicted.scores[:, 2] == lowest).all()
    np.testing.assert_array_equal(predicted.codes, fitted.predict(X))
    np.testing.assert_array_equal(predicted.scores.argmax(axis=1), predicted.codes)


def test_one_decision_value_for_two_classes_becomes_two(small: Set) -> None:
    X, y = small[0].reshape(300, -1), small[1] % 2
    fitted = fit(made("RidgeClassifier"), X, y, 1, WHERE)
    predicted = predictions(fitted, X, 2)
    value = fitted.decision_function(X).astype(np.float32)
    np.testing.assert_array_equal(predicted.scores, np.column_stack([-value, value]))
    np.testing.assert_array_equal(predicted.scores.argmax(axis=1), predicted.codes)


def test_values_of_pairs_of_classes_are_not_scores(small: Set) -> None:
    X, y = small[0].reshape(300, -1), small[1]
    predicted = predictions(fit(made("SVC", decision_function_shape="ovo"), X, y, 1, WHERE), X, 4)
    assert predicted.scores.shape == (300, 0)


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_neighbours_vote_as_in_scikit_learn_in_a_tie_too(weights: str) -> None:
    # Few different distances give many ties, which rounded probabilities would break differently.
    for seed in range(10):
        rng = np.random.default_rng(seed)
        X = (rng.integers(0, 3, (200, 6)) / 2).astype(np.float32)
        model = KNeighborsClassifier(n_neighbors=8, weights=weights, metric="manhattan")
        model.fit(X, rng.integers(0, 4, 200))
        Q = (rng.integers(0, 3, (300, 6)) / 2 + 0.25).astype(np.float32)
        np.testing.assert_array_equal(predictions(model, Q, 4).codes, model.predict(Q))


def test_a_classifier_that_cannot_predict_an_image_is_named_with_the_reason(small: Set) -> None:
    X, y = small[0].reshape(300, -1), small[1]
    fitted = fit(made("RadiusNeighborsClassifier", radius=0.5), X, y, 1, WHERE)
    with pytest.raises(UserError) as caught:
        predictions(fitted, np.ones_like(X[:2]), 4)
    message = str(caught.value)
    assert message.startswith("RadiusNeighborsClassifier ") and "No neighbors found" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("model", "count"),
    [
        ({"name": "RidgeClassifier"}, (64 + 1) * 4),
        ({"name": "Perceptron"}, (64 + 1) * 4),
        ({"name": "MLPClassifier", "max_iter": 1}, None),
        ({"name": "GaussianNB"}, None),
        ({"name": "SVC"}, None),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else "",
)
def test_the_weights_of_linear_classifiers_are_counted(model: dict[str, Any], count: int | None, small: Set) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = fit(made(**model), small[0].reshape(300, -1), small[1], 1, WHERE)
    assert parameter_count(fitted) == count


# The stages


@pytest.fixture(params=["0.1", "0"], ids=["validated", "not validated"])
def divided(workspace: Path, edited_params: Any, request: pytest.FixtureRequest) -> Path:
    """A workspace with a small data set, already split, and shortened training."""
    edited_params(
        ("validation: 0.1", f"validation: {request.param}"),
        ("epochs: 30", "epochs: 3"),
        ("batch_size: 512", "batch_size: 64"),
        ("train_accuracy_rows: 10000", "train_accuracy_rows: 100"),
        ("threads: 0", "threads: 1"),
    )
    images, labels = digits(250, size=8, classes=4)
    datasets.save_raw(datasets.Raw(images, labels.astype(np.uint8), None))
    split_main()
    return workspace


def test_the_stage_of_a_baseline_evaluates_the_file_that_it_saved(
    divided: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["train_baselines", "linear-svc"])
    baselines_main()
    saved = load_baseline("linear-svc")
    for name in ("validation", "test"):
        X = datasets.load_images(name).reshape(-1, 64)
        predicted = load_predictions("linear-svc", name)
        assert predicted.scores.shape == (len(X), 4)
        if len(X):
            np.testing.assert_array_equal(predicted.codes, saved.predict(X))
            np.testing.assert_array_equal(predicted.scores, saved.decision_function(X).astype(np.float32))
    X, y = datasets.load_images("train").reshape(-1, 64), datasets.load_labels("train")
    assert load_facts("linear-svc") == {
        "class": "LinearSVC",
        "parameters": 65 * 4,
        "train_accuracy": float(np.mean(saved.predict(X[:100]) == y[:100])),
        "train_rows_judged": 100,
    }
    assert re.search(rf"linear-svc: .*LinearSVC.* {len(y)} ", capsys.readouterr().out)


def test_the_stage_of_a_net_evaluates_the_file_that_it_saved(
    divided: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["train_nets", "softmax"])
    # TensorFlow accepts the number of threads once per process, before its first operation.
    monkeypatch.setattr("tensorflow.config.threading.set_intra_op_parallelism_threads", lambda threads: None)
    nets_main()
    saved = load_net("softmax")
    for name in ("validation", "test"):
        predicted = load_predictions("softmax", name)
        np.testing.assert_array_equal(predicted.scores, probabilities(saved, datasets.load_images(name)))
        np.testing.assert_array_equal(predicted.codes, predicted.scores.argmax(axis=1))
        assert predicted.kind == "probability" and predicted.codes.dtype == np.int64
    validated = len(datasets.load_labels("validation")) > 0
    history, facts = load_history("softmax"), load_facts("softmax")
    assert ("val_loss" in history) == validated
    labels = datasets.load_labels("train")
    codes = probabilities(saved, datasets.load_images("train")[:100]).argmax(axis=1)
    assert facts == {
        "parameters": 65 * 4,
        "train_accuracy": float(np.mean(codes == labels[:100])),
        "train_rows_judged": 100,
        "epochs": len(history),
        "best_epoch": best_epoch(history, 5),
    }
    assert paths.SUMMARIES.path("softmax").read_text(encoding="utf-8").startswith('Model: "softmax"')
    lines = capsys.readouterr().out.splitlines()
    assert any("260" in line and str(len(labels)) in line for line in lines)
    assert any("no validation set" in line for line in lines) != validated
    assert f"epoch {facts['best_epoch']} of 3" in lines[-1] and f"{facts['train_accuracy']:.5f}" in lines[-1]


@pytest.mark.parametrize(("edit", "threads"), [(None, 1), ("threads: 0", 0), ("threads: 3", 3)])
def test_a_net_may_have_its_own_number_of_threads(
    divided: Path, edited_params: Any, monkeypatch: pytest.MonkeyPatch, edit: str | None, threads: int
) -> None:
    # `divided` has set training.threads to 1.
    edited_params(("epochs: 3\n", f"epochs: 1\n    {edit}\n" if edit else "epochs: 1\n"))
    values: list[int] = []
    monkeypatch.setattr("tensorflow.config.threading.set_intra_op_parallelism_threads", values.append)
    monkeypatch.setattr(sys, "argv", ["train_nets", "softmax"])
    nets_main()
    assert values == [threads]


def test_both_stages_reject_a_name_that_is_not_declared(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["stage", "sgdd"])
    with pytest.raises(UserError, match=r"params\.yaml.*'sgdd'.*linear-svc, sgd"):
        baselines_main()
    with pytest.raises(UserError, match=r"params\.yaml.*'sgdd'.*softmax, mlp-48"):
        nets_main()
    assert not Path("models").exists()
