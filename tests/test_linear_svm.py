"""The linear support vector machine of all cores against scikit-learn's own."""

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

# What scikit-learn's own tests expect of LinearSVC.
FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": "weighting a sample is not the same as repeating it",
    "check_sample_weight_equivalence_on_sparse_data": "weighting a sample is not the same as repeating it",
}


def clouds(n: int, n_classes: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Draw overlapping classes of 12 features in 0-1, and name them out of alphabetical order."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, n_classes, n)
    centres = np.random.default_rng(0).random((n_classes, 12))
    return np.clip(centres[codes] + rng.normal(0, 0.4, (n, 12)), 0, 1), np.array(["d", "b", "e", "a", "c"])[codes]


def state(model: LinearSVC) -> dict[str, Any]:
    return {key: value for key, value in vars(model).items() if key.endswith("_")}


def same(one: LinearSVC, other: LinearSVC) -> bool:
    """Tell whether two models learned the same, to the last bit."""
    mine, yours = state(one), state(other)
    return mine.keys() == yours.keys() and all(np.array_equal(mine[key], yours[key]) for key in mine)


def cost(model: LinearSVC, X: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
    """Return what LinearSVC minimises, class by class (its user guide, "Mathematical formulation")."""
    signs = np.where(y[:, None] == model.classes_, 1, -1)
    hinge = np.maximum(0, 1 - signs * (X @ model.coef_.T + model.intercept_))
    return 0.5 * ((model.coef_**2).sum(axis=1) + model.intercept_**2) + model.C * (hinge**2).sum(axis=0)


@parametrize_with_checks([ParallelLinearSVC()], expected_failed_checks=lambda _: FAILURES)
def test_keeps_the_rules(estimator: ParallelLinearSVC, check: Callable[[ParallelLinearSVC], None]) -> None:
    check(estimator)


@pytest.mark.parametrize("settings", [{}, {"C": 0.1}, {"fit_intercept": False}, {"dual": False, "tol": 1e-3}])
def test_finds_the_minimum_that_scikit_learn_finds(settings: dict[str, Any]) -> None:
    X, y = clouds(600, 5)
    there, here = LinearSVC(**settings).fit(X, y), ParallelLinearSVC(**settings).fit(X, y)
    assert state(there).keys() == state(here).keys()
    assert here.classes_.tolist() == there.classes_.tolist() and here.coef_.shape == there.coef_.shape
    np.testing.assert_allclose(cost(here, X, y), cost(there, X, y), rtol=10 * there.tol)
    unseen = clouds(1000, 5, seed=1)[0]
    assert np.mean(here.predict(unseen) == there.predict(unseen)) > 0.99


def test_each_class_is_scikit_learns_problem_of_two_labels() -> None:
    X, y = clouds(300, 4)
    model = ParallelLinearSVC().fit(X, y)
    for row, label in enumerate(model.classes_):
        alone = LinearSVC().fit(X, y == label)
        assert np.array_equal(model.coef_[row], alone.coef_[0]) and model.intercept_[row] == alone.intercept_[0]


def test_any_number_of_cores_gives_the_same() -> None:
    X, y = clouds(500, 5)
    models = []
    for jobs in (None, 2, -1):
        models.append(ParallelLinearSVC(n_jobs=jobs).fit(X, y))
    assert same(models[0], models[1]) and same(models[0], models[2])


@pytest.mark.parametrize("threads", [1, 2])
def test_the_stage_fits_on_as_many_threads_as_it_is_told(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    used: set[int] = set()
    scikit_learns = LinearSVC.fit

    def noting(self: LinearSVC, *arguments: Any) -> LinearSVC:
        used.add(threading.get_ident())
        time.sleep(0.05)  # so that no thread can take all classes before the other begins
        return scikit_learns(self, *arguments)

    monkeypatch.setattr(LinearSVC, "fit", noting)
    X, y = clouds(200, 5)
    fitted = fit(LinearSVC(), X.astype(np.float32), np.unique(y, return_inverse=True)[1], threads, ("here",))
    assert len(used) == threads and type(fitted) is LinearSVC


def test_dense_sparse_and_float32_rows_give_the_same() -> None:
    X, y = clouds(300, 3)
    X = X.astype(np.float32).astype(np.float64)
    dense = ParallelLinearSVC().fit(X, y)
    assert same(dense, ParallelLinearSVC().fit(csr_array(X), y))
    assert same(dense, ParallelLinearSVC().fit(X.astype(np.float32), y))


def test_weights_of_rows_count() -> None:
    X, y = clouds(300, 3)
    weights = np.where(y == "d", 5.0, 0.2)
    here, there = ParallelLinearSVC().fit(X, y, weights), LinearSVC().fit(X, y, weights)
    assert np.abs(here.coef_ - ParallelLinearSVC().fit(X, y).coef_).max() > 0.1
    np.testing.assert_allclose(here.coef_, there.coef_, atol=0.02)


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
def test_what_threads_cannot_do_is_scikit_learns(settings: dict[str, Any]) -> None:
    X, y = clouds(200, 4)
    assert same(
        ParallelLinearSVC(random_state=3, **settings).fit(X, y), LinearSVC(random_state=3, **settings).fit(X, y)
    )


def test_two_classes_are_scikit_learns() -> None:
    X, y = clouds(200, 2)
    assert same(ParallelLinearSVC().fit(X, y), LinearSVC().fit(X, y))


def test_fewer_rows_than_features_are_scikit_learns_dual_problem() -> None:
    X, y = clouds(10, 3)
    assert same(ParallelLinearSVC(random_state=0).fit(X, y), LinearSVC(random_state=0).fit(X, y))


def test_too_few_iterations_are_told() -> None:
    X, y = clouds(300, 3)
    with pytest.warns(ConvergenceWarning, match="failed to converge"):
        ParallelLinearSVC(max_iter=1).fit(X, y)


def test_what_is_saved_is_scikit_learns_own_class() -> None:
    X, y = clouds(200, 3)
    fast = accelerated(LinearSVC(C=0.5, random_state=1)).set_params(n_jobs=2).fit(X, y)
    slow = plain(fast)
    assert (type(fast), type(slow)) == (ParallelLinearSVC, LinearSVC)
    assert vars(slow).keys() == vars(LinearSVC().fit(X, y)).keys()
    assert slow.get_params() == LinearSVC(C=0.5, random_state=1).get_params() and same(slow, fast)
    loaded = skops.io.load(io.BytesIO(skops.io.dumps(slow)))
    assert type(loaded) is LinearSVC and np.array_equal(loaded.predict(X), fast.predict(X))
