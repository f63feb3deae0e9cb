"""The fast nearest neighbours compared with scikit-learn's and with distances computed one by one."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from stages.train_baselines import neighbours
from stages.train_baselines.acceleration import accelerated, plain
from stages.train_baselines.neighbours import ExactNeighboursClassifier, nearest_pixels, recover_pixels

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
FEATURES = 40


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that records the number of queries of each fast search."""
    numbers: list[int] = []

    def counted(train: NDArray[np.uint8], queries: NDArray[np.uint8], n_neighbors: int) -> tuple[Any, Any]:
        numbers.append(len(queries))
        return nearest_pixels(train, queries, n_neighbors)

    monkeypatch.setattr(neighbours, "nearest_pixels", counted)
    return numbers


def fractions(rng: np.random.Generator, n: int, dtype: Any = np.float64, levels: int = 256) -> NDArray[Any]:
    return rng.integers(0, levels, (n, FEATURES)).astype(dtype) / dtype(255)


def letters(rng: np.random.Generator, n: int) -> NDArray[np.str_]:
    return rng.choice(["a", "bee", "sea"], n)


def untied(model: KNeighborsClassifier, queries: NDArray[Any]) -> NDArray[np.bool_]:
    """Return for each query whether its last neighbour is nearer than the next row, so that there is no tie."""
    distances = plain(model).kneighbors(queries, model.n_neighbors + 1)[0]
    return np.rint(255 * distances[:, -1]) > np.rint(255 * distances[:, -2])


def scikit_learns_failures(estimator: ExactNeighboursClassifier) -> dict[str, str]:
    if estimator.metric != "manhattan":
        return {}
    reason = "the error of scikit-learn's Manhattan distance for sparse matrices with 64-bit indices is misleading"
    return {"check_estimator_sparse_array": reason, "check_estimator_sparse_matrix": reason}


@parametrize_with_checks(
    [ExactNeighboursClassifier(), ExactNeighboursClassifier(metric="manhattan", algorithm="brute")],
    expected_failed_checks=scikit_learns_failures,
)
def test_follows_scikit_learns_conventions(estimator: ExactNeighboursClassifier, check: Callable[..., None]) -> None:
    check(estimator)


def test_scikit_learn_has_the_private_attributes_that_are_read(rng: np.random.Generator) -> None:
    train = fractions(rng, 20)
    attributes = vars(KNeighborsClassifier(algorithm="brute", metric="manhattan").fit(train, letters(rng, 20)))
    missing = {"_fit_method", "_fit_X"} - attributes.keys()
    assert not missing, "scikit-learn has changed: adapt ExactNeighboursClassifier._rows_to_search"
    assert attributes["_fit_method"] == "brute" and np.array_equal(attributes["_fit_X"], train)


@DTYPES
def test_every_pixel_is_recovered(dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "RECOVER_ROWS", 3)
    pixels = np.arange(256, dtype=np.uint8).reshape(32, 8)
    recovered = recover_pixels(pixels / dtype(255))
    assert recovered is not None and recovered.dtype == np.uint8
    np.testing.assert_array_equal(recovered, pixels)


@DTYPES
@pytest.mark.parametrize("value", [-1 / 255, 256 / 255, 0.5, 1e30, np.inf, np.nan])
def test_a_matrix_with_one_other_value_has_no_pixels(dtype: Any, value: float) -> None:
    X = np.zeros((4, 5), dtype)
    X[3, 4] = value
    assert recover_pixels(X) is None


@DTYPES
def test_the_next_float_after_a_pixel_is_not_a_pixel(dtype: Any) -> None:
    X = np.full((1, 1), 51, dtype) / dtype(255)
    assert recover_pixels(X) == 51
    assert recover_pixels(np.nextafter(X, 1)) is None


@pytest.mark.parametrize(
    "X",
    [None, np.zeros(3), np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.float16), csr_array((2, 2)), [["a"]]],
    ids=["None", "vector", "integers", "half precision", "sparse", "text"],
)
def test_only_matrices_of_float32_and_float64_have_pixels(X: Any) -> None:
    assert recover_pixels(X) is None


def test_float32_fractions_in_float64_are_not_pixels() -> None:
    assert recover_pixels((np.ones((1, 1), np.float32) / 255).astype(np.float64)) is None


@pytest.mark.parametrize("chunk_rows", [1, 7, 20, 1000])
@pytest.mark.parametrize("n_neighbors", [1, 5, 30, 101])
@pytest.mark.parametrize("levels", [2, 256], ids=["many ties", "few ties"])
def test_the_nearest_rows_are_those_of_distances_computed_one_by_one(
    chunk_rows: int, n_neighbors: int, levels: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "CHUNK_ROWS", chunk_rows)
    train = rng.integers(0, levels, (101, 13), np.uint8)
    queries = rng.integers(0, levels, (33, 13), np.uint8)
    distances, rows = nearest_pixels(train, queries, n_neighbors)
    every = np.abs(queries[:, None].astype(int) - train).sum(axis=2)
    expected = np.argsort(every, axis=1, kind="stable")[:, :n_neighbors]
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_array_equal(distances, np.take_along_axis(every, expected, axis=1))


@pytest.mark.parametrize("n_features", [1, 16, 40])
@pytest.mark.parametrize("ink", [0.0, 0.02, 0.3], ids=["all equal", "mostly background", "some background"])
@pytest.mark.parametrize("background", [0, 90])
def test_pixels_that_are_equal_in_all_training_rows_are_counted(
    n_features: int, ink: float, background: int, rng: np.random.Generator
) -> None:
    train = np.full((60, n_features), background, np.uint8)
    # More ink in some pixels than in others, as in digits.
    inked = rng.random(train.shape) < ink * rng.random(n_features) * 2
    train[inked] = rng.integers(background, 256, inked.sum())
    queries = rng.integers(0, 256, (20, n_features), np.uint8)
    before = train.copy(), queries.copy()
    distances, rows = nearest_pixels(train, queries, 7)
    every = np.abs(queries[:, None].astype(int) - train).sum(axis=2)
    np.testing.assert_array_equal(rows, np.argsort(every, axis=1, kind="stable")[:, :7])
    np.testing.assert_array_equal(distances, np.sort(every, axis=1)[:, :7])
    assert distances.dtype == rows.dtype == np.int32
    np.testing.assert_array_equal(train, before[0])
    np.testing.assert_array_equal(queries, before[1])


@DTYPES
@pytest.mark.parametrize(
    "metric",
    [{"metric": "manhattan"}, {"metric": "cityblock", "algorithm": "brute"}, {"metric": "l1"}, {"p": 1}],
    ids=lambda metric: str(next(iter(metric.values()))),
)
@pytest.mark.parametrize("n_neighbors", [1, 10, 60])
def test_finds_scikit_learns_neighbours(
    dtype: Any,
    metric: dict[str, Any],
    n_neighbors: int,
    rng: np.random.Generator,
    searches: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(neighbours, "CHUNK_ROWS", 50)
    monkeypatch.setattr(neighbours, "RECOVER_ROWS", 64)
    train, queries = fractions(rng, 230, dtype), fractions(rng, 150, dtype)
    train[100:150] = train[:50]
    model = ExactNeighboursClassifier(n_neighbors, **metric).fit(train, letters(rng, 230))
    distances, rows = model.kneighbors(queries)
    expected_distances, expected_rows = plain(model).kneighbors(queries)
    assert searches == [150]
    assert (distances.dtype, rows.dtype) == (expected_distances.dtype, expected_rows.dtype)
    np.testing.assert_allclose(distances, expected_distances, rtol=1e-6)
    clear = untied(model, queries)
    assert clear.sum() > 50
    np.testing.assert_array_equal(np.sort(rows[clear]), np.sort(expected_rows[clear]))
    np.testing.assert_array_equal(model.kneighbors(queries, return_distance=False), rows)


def test_training_rows_and_queries_may_differ_in_precision(rng: np.random.Generator, searches: list[int]) -> None:
    train, queries = fractions(rng, 90, np.float32), fractions(rng, 20, np.float64)
    model = ExactNeighboursClassifier(metric="manhattan").fit(train, letters(rng, 90))
    np.testing.assert_allclose(model.kneighbors(queries)[0], plain(model).kneighbors(queries)[0], rtol=1e-6)
    assert searches == [20]


@DTYPES
@pytest.mark.parametrize("weights", ["uniform", "distance", None, lambda d: 1 / (1 + d)])
@pytest.mark.parametrize("n_neighbors", [1, 4, 75])
def test_predicts_as_scikit_learn_does(
    dtype: Any,
    weights: Any,
    n_neighbors: int,
    rng: np.random.Generator,
    searches: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(neighbours, "CHUNK_ROWS", 50)
    train = fractions(rng, 230, dtype)
    queries = np.concatenate([fractions(rng, 100, dtype), train[:20]])
    model = ExactNeighboursClassifier(n_neighbors, metric="manhattan", weights=weights)
    model.fit(train, letters(rng, 230))
    queries = queries[untied(model, queries)]
    expected = plain(model)
    np.testing.assert_array_equal(model.predict(queries), expected.predict(queries))
    np.testing.assert_allclose(model.predict_proba(queries), expected.predict_proba(queries), rtol=1e-6)
    labels = letters(rng, len(queries))
    assert model.score(queries, labels) == expected.score(queries, labels)
    assert searches == [len(queries)] * 3


def test_the_first_of_equally_frequent_classes_wins(rng: np.random.Generator, searches: list[int]) -> None:
    train = np.repeat(fractions(rng, 1), 4, axis=0)
    model = ExactNeighboursClassifier(4, metric="manhattan", algorithm="brute").fit(train, list("bbaa"))
    assert model.predict(train[:1]) == plain(model).predict(train[:1]) == "a"
    assert searches == [1]


def test_ties_go_to_the_earlier_row(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "CHUNK_ROWS", 4)
    train, queries = fractions(rng, 60, levels=2), fractions(rng, 30, levels=2)
    model = ExactNeighboursClassifier(10, metric="manhattan").fit(train, letters(rng, 60))
    every = np.abs(255 * queries[:, None] - 255 * train).round().sum(axis=2)
    expected = np.argsort(every, axis=1, kind="stable")[:, :10]
    assert not untied(model, queries).all()
    np.testing.assert_array_equal(model.kneighbors(queries, return_distance=False), expected)
    np.testing.assert_allclose(model.kneighbors(queries)[0], plain(model).kneighbors(queries)[0])


def test_predicts_several_outputs(rng: np.random.Generator, searches: list[int]) -> None:
    train, queries = fractions(rng, 90), fractions(rng, 30)
    y = np.stack([rng.integers(0, 3, 90), rng.integers(5, 7, 90)], axis=1)
    model = ExactNeighboursClassifier(3, metric="manhattan").fit(train, y)
    queries = queries[untied(model, queries)]
    np.testing.assert_array_equal(model.predict(queries), plain(model).predict(queries))
    for ours, expected in zip(model.predict_proba(queries), plain(model).predict_proba(queries), strict=True):
        np.testing.assert_allclose(ours, expected)
    assert len(searches) == 2


@pytest.mark.parametrize(
    "settings",
    [
        {"metric": "manhattan"},
        {"metric": "manhattan", "algorithm": "brute", "weights": "distance"},
        {},
        {"metric": "manhattan", "algorithm": "kd_tree"},
    ],
    ids=["manhattan", "distance", "euclidean", "kd_tree"],
)
def test_scikit_learn_searches_other_floats(
    settings: dict[str, Any], rng: np.random.Generator, searches: list[int]
) -> None:
    train, queries = rng.random((80, FEATURES)), rng.random((30, FEATURES))
    model = ExactNeighboursClassifier(**settings).fit(train, letters(rng, 80))
    for ours, expected in zip(model.kneighbors(queries), plain(model).kneighbors(queries), strict=True):
        np.testing.assert_array_equal(ours, expected)
    np.testing.assert_array_equal(model.predict_proba(queries), plain(model).predict_proba(queries))
    np.testing.assert_array_equal(model.predict(queries), plain(model).predict(queries))
    assert not searches


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"metric": "chebyshev"},
        {"metric": "manhattan", "algorithm": "ball_tree"},
        {"p": 1, "metric_params": {"w": np.arange(FEATURES)}},
    ],
    ids=["euclidean", "chebyshev", "ball_tree", "weighted"],
)
def test_scikit_learn_does_other_searches_of_pixels(
    settings: dict[str, Any], rng: np.random.Generator, searches: list[int]
) -> None:
    train, queries = fractions(rng, 80), fractions(rng, 30)
    model = ExactNeighboursClassifier(**settings).fit(train, letters(rng, 80))
    np.testing.assert_array_equal(model.kneighbors(queries)[0], plain(model).kneighbors(queries)[0])
    np.testing.assert_array_equal(model.predict(queries), plain(model).predict(queries))
    assert not searches


def test_scikit_learn_searches_mixed_data_sparse_data_and_many_neighbours(
    rng: np.random.Generator, searches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "MOST_NEIGHBOURS", 9)
    pixels, floats, y = fractions(rng, 80), rng.random((80, FEATURES)), letters(rng, 80)
    model = ExactNeighboursClassifier(metric="manhattan")
    for train, queries, n_neighbors in (
        (pixels, floats, 5),
        (floats, pixels, 5),
        (pixels, None, 5),
        (csr_array(pixels), pixels, 5),
        (pixels, csr_array(pixels), 5),
        (pixels, pixels, 10),
    ):
        model.set_params(n_neighbors=n_neighbors).fit(train, y)
        np.testing.assert_array_equal(model.kneighbors(queries)[0], plain(model).kneighbors(queries)[0])
        np.testing.assert_array_equal(model.predict(queries), plain(model).predict(queries))
    assert not searches


def test_raises_the_errors_of_scikit_learn(rng: np.random.Generator) -> None:
    train = fractions(rng, 20)
    model = ExactNeighboursClassifier(metric="manhattan")
    for method in (model.predict, model.predict_proba, model.kneighbors):
        with pytest.raises(NotFittedError):
            method(train)
    model.fit(train, letters(rng, 20))
    with pytest.raises(ValueError, match="n_neighbors <= n_samples_fit"):
        model.kneighbors(train, 21)
    with pytest.raises(ValueError, match="n_neighbors > 0"):
        model.kneighbors(train, 0)
    with pytest.raises(TypeError, match="integer"):
        model.kneighbors(train, 2.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="features"):
        model.predict(train[:, 1:])
    with pytest.raises(ValueError, match="0 sample"):
        model.predict(train[:0])
    model = ExactNeighboursClassifier(metric="manhattan", metric_params={"w": np.ones(FEATURES)})
    with pytest.raises(TypeError, match="'w'"):
        model.fit(train, letters(rng, 20)).kneighbors(train)


def test_reads_data_frames_and_checks_their_column_names(rng: np.random.Generator, searches: list[int]) -> None:
    train = fractions(rng, 50)
    table = pd.DataFrame(train, columns=[f"pixel {k}" for k in range(FEATURES)])
    model = ExactNeighboursClassifier(metric="manhattan").fit(table, letters(rng, 50))
    rows = model.kneighbors(table, return_distance=False)
    with pytest.warns(UserWarning, match="feature names") as caught:
        np.testing.assert_array_equal(model.kneighbors(train, return_distance=False), rows)
    assert len(caught) == 1
    assert searches == [50, 50]


def test_predicting_does_not_change_the_model(rng: np.random.Generator, searches: list[int]) -> None:
    train = fractions(rng, 50)
    model = ExactNeighboursClassifier(metric="manhattan").fit(train, letters(rng, 50))
    before = pickle.dumps(model)
    model.predict(train)
    model.predict_proba(train)
    assert len(searches) == 2
    assert pickle.dumps(model) == before
    assert clone(model).get_params() == model.get_params()
    np.testing.assert_array_equal(pickle.loads(before).predict(train), model.predict(train))


def test_a_fitted_model_is_converted_and_back(rng: np.random.Generator) -> None:
    train, queries = fractions(rng, 50), fractions(rng, 20)
    model = KNeighborsClassifier(3, metric="manhattan", n_jobs=1).fit(train, letters(rng, 50))
    before = dict(vars(model))
    fast = accelerated(model)
    again = plain(fast)
    assert (type(model), type(fast), type(again)) == (
        KNeighborsClassifier,
        ExactNeighboursClassifier,
        KNeighborsClassifier,
    )
    for twin in (model, fast, again):
        assert vars(twin).keys() == before.keys()
        assert all(vars(twin)[name] is value for name, value in before.items())
    fast.fit(queries, letters(rng, 20))
    assert all(vars(model)[name] is value for name, value in before.items())


def test_an_unfitted_model_is_converted_and_back() -> None:
    model = KNeighborsClassifier(3, metric="manhattan")
    fast = accelerated(model)
    assert fast.get_params() == plain(fast).get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        plain(fast).predict([[0.0]])
