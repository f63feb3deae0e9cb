"""FastSVC compared with scikit-learn's SVC, with and without scikit-learn-intelex."""

import io
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import skops.io
from numpy.typing import DTypeLike, NDArray
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from stages.train_baselines import kernel_svm
from stages.train_baselines.acceleration import accelerated, plain
from stages.train_baselines.kernel_svm import FastSVC, onedal_svc

CLASSES = pytest.mark.parametrize("n_classes", [2, 5])
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
KERNELS = pytest.mark.parametrize("kernel", ["linear", "poly", "rbf", "sigmoid"])

# The failures that scikit-learn's own tests expect of SVC.
SVC_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": "weighting a sample is not the same as repeating it",
    "check_sample_weight_equivalence_on_sparse_data": "weighting a sample is not the same as repeating it",
}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.fixture(params=["oneDAL", "libsvm"])
def solver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Fit by each of the two solvers."""
    if request.param == "oneDAL":
        pytest.importorskip("sklearnex")
    else:
        monkeypatch.setattr(kernel_svm, "onedal_svc", lambda: None)
    return str(request.param)


def clouds(
    rng: np.random.Generator, n: int, n_classes: int, dtype: DTypeLike = np.float64
) -> tuple[NDArray[Any], NDArray[np.str_]]:
    """Return overlapping classes with 12 features in 0-1, whose labels are not in alphabetical order."""
    codes = rng.integers(0, n_classes, n)
    centres = np.random.default_rng(0).random((n_classes, 12))
    X = np.clip(centres[codes] + rng.normal(0, 0.3, (n, 12)), 0, 1)
    return X.astype(dtype), np.array(["d", "b", "e", "a", "c"])[codes]


@parametrize_with_checks([FastSVC()], expected_failed_checks=lambda _: SVC_FAILURES)
def test_follows_scikit_learns_conventions(estimator: FastSVC, check: Callable[[FastSVC], None], solver: str) -> None:
    check(estimator)


@CLASSES
@KERNELS
@DTYPES
def test_sets_the_same_attributes_as_svc(
    n_classes: int, kernel: str, dtype: DTypeLike, solver: str, rng: np.random.Generator
) -> None:
    X, y = clouds(rng, 200, n_classes, dtype)
    fast = vars(FastSVC(kernel=kernel).fit(X, y))
    slow = vars(SVC(kernel=kernel).fit(X, y))
    assert fast.keys() == slow.keys(), "SVC's attributes have changed: adapt kernel_svm.fitted_attributes"
    for name, expected in slow.items():
        assert type(fast[name]) is type(expected), name
        if isinstance(expected, np.ndarray):
            assert (fast[name].dtype, fast[name].ndim) == (expected.dtype, expected.ndim), name
            assert fast[name].flags.c_contiguous, name
        else:
            assert fast[name] == pytest.approx(expected), name
    np.testing.assert_array_equal(fast["support_vectors_"], X[fast["support_"]])


@CLASSES
@KERNELS
def test_learns_nearly_the_same_model_as_svc(
    n_classes: int, kernel: str, solver: str, rng: np.random.Generator
) -> None:
    X, y = clouds(rng, 500, n_classes)
    # By default the sigmoid function is not a kernel for these data, so the solution is not unique.
    settings = {"kernel": kernel, "gamma": 0.01} if kernel == "sigmoid" else {"kernel": kernel}
    fast, slow = FastSVC(**settings).fit(X, y), SVC(**settings).fit(X, y)
    queries, labels = clouds(rng, 500, n_classes)
    assert np.mean(fast.predict(queries) == slow.predict(queries)) >= 0.99
    assert fast.score(queries, labels) == pytest.approx(slow.score(queries, labels), abs=0.01)
    assert slow.score(queries, labels) > 0.6


@CLASSES
@KERNELS
@DTYPES
@pytest.mark.parametrize(
    "settings",
    [
        {"decision_function_shape": "ovo"},
        {"decision_function_shape": "ovr"},
        {"decision_function_shape": "ovr", "break_ties": True},
    ],
    ids=["ovo", "ovr", "break ties"],
)
def test_predicts_as_svc_with_the_same_fitted_attributes(
    n_classes: int,
    kernel: str,
    dtype: DTypeLike,
    settings: dict[str, Any],
    solver: str,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernel_svm, "BLOCK_ROWS", 64)
    X, y = clouds(rng, 200, n_classes, dtype)
    model = FastSVC(kernel=kernel, **settings).fit(X, y)
    queries, _ = clouds(rng, 150, n_classes, dtype)
    same = plain(model)
    np.testing.assert_allclose(model.decision_function(queries), same.decision_function(queries), atol=1e-9)
    np.testing.assert_array_equal(model.predict(queries), same.predict(queries))
    np.testing.assert_array_equal(model.predict(queries[:1]), same.predict(queries[:1]))


@pytest.mark.parametrize("method", ["predict", "decision_function"])
def test_svc_calls_the_private_methods_that_are_overridden(
    method: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Otherwise predictions are right, but slow.
    X, y = clouds(rng, 60, 3)
    model = FastSVC().fit(X, y)
    calls: list[int] = []
    values = FastSVC._pairwise_values
    monkeypatch.setattr(FastSVC, "_pairwise_values", lambda self, X: calls.append(len(X)) or values(self, X))
    getattr(model, method)(X)
    assert calls == [60], f"SVC.{method} has changed: adapt the private methods of kernel_svm.FastSVC"


@CLASSES
@KERNELS
def test_predicts_as_scikit_learn_intelex(n_classes: int, kernel: str, rng: np.random.Generator) -> None:
    sklearnex = pytest.importorskip("sklearnex.svm")
    X, y = clouds(rng, 200, n_classes)
    settings = {"kernel": kernel, "decision_function_shape": "ovo"}
    ours, onedal = plain(FastSVC(**settings).fit(X, y)), sklearnex.SVC(**settings).fit(X, y)
    np.testing.assert_allclose(ours.decision_function(X), onedal.decision_function(X), atol=1e-9)


@pytest.mark.parametrize("gamma", ["scale", "auto", 0.3, 0])
def test_every_setting_of_gamma(gamma: Any, solver: str, rng: np.random.Generator) -> None:
    X, y = clouds(rng, 200, 2, np.float32)
    fast, slow = FastSVC(gamma=gamma).fit(X, y), SVC(gamma=gamma).fit(X, y)
    assert fast._gamma == pytest.approx(slow._gamma, rel=1e-12)
    np.testing.assert_allclose(fast.decision_function(X), slow.decision_function(X), atol=0.01)


def test_the_first_class_wins_a_tie_of_votes(solver: str, rng: np.random.Generator) -> None:
    X, y = clouds(rng, 60, 3)
    model = FastSVC().fit(X, y)
    model._dual_coef_ = np.zeros_like(model._dual_coef_)
    # A positive value is a vote for the first of two classes: 0 wins against 1, 2 against 0, and 1 against 2.
    for intercept, winner in (([1, -1, 1], 0), ([-1, -1, 1], 1), ([0, 0, 0], 2)):
        model._intercept_ = np.array(intercept, np.float64)
        assert set(model.predict(X)) == set(plain(model).predict(X)) == {model.classes_[winner]}


def test_breaking_ties_needs_one_value_per_class(solver: str, rng: np.random.Generator) -> None:
    X, y = clouds(rng, 60, 3)
    model = FastSVC(break_ties=True, decision_function_shape="ovo").fit(X, y)
    with pytest.raises(ValueError, match="break_ties must be False"):
        model.predict(X)


@DTYPES
def test_fits_the_same_bytes_again(dtype: DTypeLike, solver: str, rng: np.random.Generator) -> None:
    X, y = clouds(rng, 500, 5, dtype)
    first, second = FastSVC().fit(X, y), FastSVC().fit(X, y)
    for name in ("support_", "dual_coef_", "intercept_"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()


@pytest.mark.parametrize(
    "settings",
    [{"class_weight": "balanced"}, {"max_iter": 10_000}, {"kernel": "precomputed"}, {"kernel": np.inner}],
    ids=["class_weight", "max_iter", "precomputed", "callable"],
)
def test_libsvm_fits_other_problems(
    settings: dict[str, Any], rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(kernel_svm, "onedal_svc")
    X, y = clouds(rng, 90, 3)
    if settings.get("kernel") == "precomputed":
        X = X @ X.T
    fast, slow = FastSVC(**settings).fit(X, y), SVC(**settings).fit(X, y)
    np.testing.assert_array_equal(fast.dual_coef_, slow.dual_coef_)
    np.testing.assert_array_equal(fast.predict(X), slow.predict(X))


def test_libsvm_fits_weights_sparse_data_and_probabilities(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(kernel_svm, "onedal_svc")
    X, y = clouds(rng, 90, 3)
    weights = rng.random(90)
    fast, slow = FastSVC().fit(X, y, weights), SVC().fit(X, y, weights)
    np.testing.assert_array_equal(fast.dual_coef_, slow.dual_coef_)

    fast, slow = FastSVC().fit(csr_array(X), y), SVC().fit(csr_array(X), y)
    np.testing.assert_array_equal(fast.decision_function(csr_array(X)), slow.decision_function(csr_array(X)))
    np.testing.assert_array_equal(fast.predict(X), slow.predict(X))

    with pytest.warns(FutureWarning, match="probability"):
        fast = FastSVC(probability=True, random_state=0).fit(X, y)
    with pytest.warns(FutureWarning, match="probability"):
        slow = SVC(probability=True, random_state=0).fit(X, y)
    np.testing.assert_array_equal(fast.predict_proba(X), slow.predict_proba(X))


def test_fits_without_onedal(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearnex.svm", None)
    assert onedal_svc() is None
    X, y = clouds(rng, 90, 3)
    fast, slow = FastSVC().fit(X, y), SVC().fit(X, y)
    np.testing.assert_array_equal(fast.support_, slow.support_)
    np.testing.assert_array_equal(fast.dual_coef_, slow.dual_coef_)


def test_warns_if_onedal_stops_early(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearnex")
    monkeypatch.setattr(kernel_svm, "ONEDAL_ITERATIONS", 1)
    X, y = clouds(rng, 500, 2)
    with pytest.warns(ConvergenceWarning, match="terminated early"):
        model = FastSVC(C=100).fit(X, y)
    assert model.fit_status_ == 1


def test_raises_the_errors_of_svc(solver: str, rng: np.random.Generator) -> None:
    X, y = clouds(rng, 60, 3)
    with pytest.raises(NotFittedError):
        FastSVC().decision_function(X)
    with pytest.raises(ValueError, match="'gamma' parameter"):
        FastSVC(gamma="large").fit(X, y)
    with pytest.raises(ValueError, match="number of classes has to be greater than one"):
        FastSVC().fit(X, np.zeros(60))
    with pytest.raises(ValueError, match="NaN"):
        FastSVC().fit(np.full_like(X, np.nan), y)
    model = FastSVC().fit(X, y)
    with pytest.raises(ValueError, match="features"):
        model.predict(X[:, 1:])


@CLASSES
def test_a_plain_model_is_the_same_after_saving_and_loading(
    n_classes: int, solver: str, rng: np.random.Generator
) -> None:
    X, y = clouds(rng, 200, n_classes, np.float32)
    model = FastSVC(C=5).fit(X, y)
    stored = skops.io.dumps(plain(model))
    assert skops.io.get_untrusted_types(data=stored) == []
    loaded = skops.io.load(io.BytesIO(stored))
    assert type(loaded) is SVC
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    np.testing.assert_array_equal(accelerated(loaded).decision_function(X), model.decision_function(X))


def test_a_fitted_model_is_converted_and_back(rng: np.random.Generator) -> None:
    X, y = clouds(rng, 60, 3)
    model = SVC(C=2, decision_function_shape="ovo").fit(X, y)
    before = dict(vars(model))
    fast = accelerated(model)
    again = plain(fast)
    assert (type(model), type(fast), type(again)) == (SVC, FastSVC, SVC)
    for twin in (model, fast, again):
        assert vars(twin).keys() == before.keys()
        assert all(vars(twin)[name] is value for name, value in before.items())
    fast.fit(X[:30], y[:30])
    assert all(vars(model)[name] is value for name, value in before.items())


def test_an_unfitted_model_is_converted_and_back() -> None:
    fast = accelerated(SVC(C=2))
    assert fast.get_params() == plain(fast).get_params() == SVC(C=2).get_params()
    with pytest.raises(NotFittedError):
        plain(fast).predict([[0.0]])
