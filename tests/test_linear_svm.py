"""ParallelLinearSVC compared with scikit-learn's LinearSVC."""

import io
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import skops.io
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from stages.train_baselines.acceleration import accelerated, plain
from stages.train_baselines.fitting import fit
from stages.train_baselines.linear_svm import ParallelLinearSVC

# The failures that scikit-learn's own tests expect of LinearSVC.
FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": "weighting a sample is not the same as repeating it",
    "check_sample_weight_equivalence_on_sparse_data": "weighting a sample is not the same as repeating it",
}


def clouds(n: int, n_classes: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Return overlapping classes with 12 features in 0-1, whose labels are not in alphabetical order."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, n_classes, n)
    centres = np.random.default_rng(0).random((n_classes, 12))
    return np.clip(centres[codes] + rng.normal(0, 0.4, (n, 12)), 0, 1), np.array(["d", "b", "e", "a", "c"])[codes]


def state(model: LinearSVC) -> dict[str, Any]:
    return {key: value for key, value in vars(model).items() if key.endswith("_")}


def same(one: LinearSVC, other: LinearSVC) -> bool:
    """Return whether two models have equal fitted attributes."""
    first, second = state(one), state(other)
    return first.keys() == second.keys() and all(np.array_equal(first[key], second[key]) for key in first)


def cost(model: LinearSVC, X: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
    """Return the loss that LinearSVC minimises, per class (user guide, "Mathematical formulation")."""
    signs = np.where(y[:, None] == model.classes_, 1, -1)
    hinge = np.maximum(0, 1 - signs * (X @ model.coef_.T + model.intercept_))
    return 0.5 * ((model.coef_**2).sum(axis=1) + model.intercept_**2) + model.C * (hinge**2).sum(axis=0)


@parametrize_with_checks([ParallelLinearSVC()], expected_failed_checks=lambda _: FAILURES)
def test_follows_scikit_learns_conventions(
    estimator: ParallelLinearSVC, check: Callable[[ParallelLinearSVC], None]
) -> None:
    check(estimator)


@pytest.mark.parametrize("settings", [{}, {"C": 0.1}, {"fit_intercept": False}, {"dual": False, "tol": 1e-3}])
def test_finds_the_same_minimum_as_scikit_learn(settings: dict[str, Any]) -> None:
    X, y = clouds(600, 5)
    expected, model = LinearSVC(**settings).fit(X, y), ParallelLinearSVC(**settings).fit(X, y)
    assert state(expected).keys() == state(model).keys()
    assert model.classes_.tolist() == expected.classes_.tolist() and model.coef_.shape == expected.coef_.shape
    np.testing.assert_allclose(cost(model, X, y), cost(expected, X, y), rtol=10 * expected.tol)
    unseen = clouds(1000, 5, seed=1)[0]
    assert np.mean(model.predict(unseen) == expected.predict(unseen)) > 0.99


def test_each_class_is_fitted_as_a_problem_of_two_classes() -> None:
    X, y = clouds(300, 4)
    model = ParallelLinearSVC().fit(X, y)
    for row, label in enumerate(model.classes_):
        single = LinearSVC().fit(X, y == label)
        assert np.array_equal(model.coef_[row], single.coef_[0]) and model.intercept_[row] == single.intercept_[0]


def test_the_number_of_threads_does_not_affect_the_result() -> None:
    X, y = clouds(500, 5)
    models = [ParallelLinearSVC() for _ in range(3)]
    for model, n_jobs in zip(models, (None, 2, -1), strict=True):
        model.n_jobs = n_jobs
        model.fit(X, y)
    assert same(models[0], models[1]) and same(models[0], models[2])


@pytest.mark.parametrize("threads", [1, 2])
def test_the_stage_fits_on_the_given_number_of_threads(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    used: set[int] = set()
    original = LinearSVC.fit

    def recorded(self: LinearSVC, *arguments: Any) -> LinearSVC:
        used.add(threading.get_ident())
        time.sleep(0.05)  # so that no thread can take all classes before the other begins
        return original(self, *arguments)

    monkeypatch.setattr(LinearSVC, "fit", recorded)
    X, y = clouds(200, 5)
    fitted = fit(LinearSVC(), X.astype(np.float32), np.unique(y, return_inverse=True)[1], threads, ("baselines", "x"))
    assert len(used) == threads and type(fitted) is LinearSVC


def test_dense_sparse_and_float32_rows_give_the_same_result() -> None:
    X, y = clouds(300, 3)
    X = X.astype(np.float32).astype(np.float64)
    dense = ParallelLinearSVC().fit(X, y)
    assert same(dense, ParallelLinearSVC().fit(csr_array(X), y))
    assert same(dense, ParallelLinearSVC().fit(X.astype(np.float32), y))


def test_sample_weights_are_used() -> None:
    X, y = clouds(300, 3)
    weights = np.where(y == "d", 5.0, 0.2)
    model, expected = ParallelLinearSVC().fit(X, y, weights), LinearSVC().fit(X, y, weights)
    assert np.abs(model.coef_ - ParallelLinearSVC().fit(X, y).coef_).max() > 0.1
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=0.02)


@pytest.mark.parametrize(
    "settings",
    [
        {"dual": True, "max_iter": 20_000},
        {"loss": "hinge", "dual": True, "max_iter": 20_000},
        {"penalty": "l1", "dual": False, "max_iter": 20_000},
        {"multi_class": "crammer_singer", "max_iter": 20_000},
        {"class_weight": {"a": 3.0}},
        {"class_weight": "balanced"},
    ],
)
def test_scikit_learn_fits_other_problems(settings: dict[str, Any]) -> None:
    X, y = clouds(200, 4)
    assert same(
        ParallelLinearSVC(random_state=3, **settings).fit(X, y), LinearSVC(random_state=3, **settings).fit(X, y)
    )


@pytest.mark.parametrize(("n", "n_classes"), [(200, 2), (10, 3)], ids=["two classes", "fewer rows than features"])
def test_scikit_learn_fits_special_data(n: int, n_classes: int) -> None:
    X, y = clouds(n, n_classes)
    assert same(ParallelLinearSVC(random_state=0).fit(X, y), LinearSVC(random_state=0).fit(X, y))


def test_too_few_iterations_give_a_warning() -> None:
    X, y = clouds(300, 3)
    with pytest.warns(ConvergenceWarning, match="failed to converge"):
        ParallelLinearSVC(max_iter=1).fit(X, y)


def test_the_saved_model_is_of_scikit_learns_own_class() -> None:
    X, y = clouds(200, 3)
    fast = accelerated(LinearSVC(C=0.5, random_state=1))
    fast.n_jobs = 2
    fast.fit(X, y)
    slow = plain(fast)
    assert (type(fast), type(slow)) == (ParallelLinearSVC, LinearSVC)
    assert vars(slow).keys() == vars(LinearSVC().fit(X, y)).keys()
    assert slow.get_params() == LinearSVC(C=0.5, random_state=1).get_params() and same(slow, fast)
    loaded = skops.io.load(io.BytesIO(skops.io.dumps(slow)))
    assert type(loaded) is LinearSVC and np.array_equal(loaded.predict(X), fast.predict(X))
