"""Normalising and dividing a data set."""

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from stages.console import UserError
from stages.normalise_and_split.normalise import encode, normalise
from stages.normalise_and_split.split import divide, duplicates


@pytest.fixture(scope="module")
def codes() -> np.ndarray:
    """70,000 class codes, as many as MNIST's, unevenly spread."""
    return np.random.default_rng(0).choice(10, 70_000, p=np.array([10, 11, 10, 10, 10, 9, 10, 10, 10, 10]) / 100)


def test_the_test_set_is_the_notebooks_own(codes: np.ndarray) -> None:
    X = np.arange(len(codes)).reshape(-1, 1)  # the notebook's call, on rows in place of images
    X_train, X_test, _, _ = train_test_split(X, codes, test_size=0.2, stratify=codes, random_state=42)
    division = divide(codes, test=0.2, validation=0, random_state=42)
    np.testing.assert_array_equal(division.train, X_train.ravel())
    np.testing.assert_array_equal(division.test, X_test.ravel())
    assert len(division.validation) == 0

    validated = divide(codes, test=0.2, validation=0.1, random_state=42)
    np.testing.assert_array_equal(validated.test, X_test.ravel())
    assert [len(rows) for rows in validated] == [50_400, 5_600, 14_000]


def test_no_row_is_in_two_sets_and_classes_keep_their_shares(codes: np.ndarray) -> None:
    division = divide(codes, test=0.2, validation=0.1, random_state=7)
    together = np.concatenate(division)
    assert len(np.unique(together)) == len(together) == len(codes)
    whole = np.bincount(codes) / len(codes)
    for rows in division:
        np.testing.assert_allclose(np.bincount(codes[rows]) / len(rows), whole, atol=1e-3)


def test_another_seed_divides_otherwise_and_the_same_seed_the_same(codes: np.ndarray) -> None:
    one, same, other = (divide(codes, test=0.2, validation=0.1, random_state=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one.test, other.test)


def test_the_official_division_keeps_the_test_rows(codes: np.ndarray) -> None:
    division = divide(codes, test=None, validation=0.1, random_state=42, train_rows=60_000)
    np.testing.assert_array_equal(division.test, np.arange(60_000, 70_000))
    assert division.train.max() < 60_000
    assert [len(rows) for rows in division] == [54_000, 6_000, 10_000]


@pytest.mark.parametrize("test", [0.2, None])
def test_a_subset_is_stratified(codes: np.ndarray, test: float | None) -> None:
    division = divide(codes, test=test, validation=0.1, random_state=42, rows=7_000, train_rows=60_000)
    rows = np.concatenate(division)
    assert len(np.unique(rows)) == len(rows) == 7_000
    np.testing.assert_allclose(np.bincount(codes[rows]) / 7_000, np.bincount(codes) / 70_000, atol=1e-3)
    if test is None:
        assert division.test.min() >= 60_000
        assert len(division.test) == 1_000


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"test": 0.2, "rows": 13}, "split.rows in params.yaml is 13, but the data set has 12 rows"),
        ({"test": None}, "split.test in params.yaml is 'official', but the source does not tell"),
        ({"test": None, "train_rows": 12}, "which leaves one of the two sets empty"),
        ({"test": 0.1}, r"split.test = 0.1 in params.yaml cannot divide 12 rows of 3 classes, the smallest with 4"),
        ({"test": 0.25, "validation": 0.1}, "split.validation = 0.1 in params.yaml cannot divide 9 rows of 3 classes"),
        ({"test": 0.2, "rows": 11}, "split.rows in params.yaml cannot divide 12 rows"),
    ],
)
def test_what_cannot_be_divided_is_a_sentence(settings: dict, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        divide(np.arange(12) % 3, **{"validation": 0, "random_state": 0, **settings})


def test_normalise_gives_the_nearest_float32() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    before = grey.copy()
    result = normalise(grey)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result.ravel(), (np.arange(256) / 255).astype(np.float32))
    np.testing.assert_array_equal(grey, before)


@pytest.mark.parametrize(
    ("labels", "codes", "names"),
    [
        (np.array([7, 3, 7], np.uint8), [1, 0, 1], ["3", "7"]),
        (np.array([-2, 10, 3]), [0, 2, 1], ["-2", "3", "10"]),
        (np.array(["b", "NA", "b"]), [1, 0, 1], ["NA", "b"]),
    ],
)
def test_labels_become_codes_in_their_order(labels: np.ndarray, codes: list[int], names: list[str]) -> None:
    found, found_names = encode(labels)
    assert found.tolist() == codes
    assert found.dtype == np.int64
    assert found_names == names


def test_class_names_take_the_place_of_labels() -> None:
    assert encode(np.array([4, 2]), ["shirt", "shoe"])[1] == ["shirt", "shoe"]
    with pytest.raises(UserError, match="has 3 names, but the data set has 2 classes: 2, 4"):
        encode(np.array([4, 2]), ["a", "b", "c"])
    with pytest.raises(UserError, match="holds a name twice"):
        encode(np.array([4, 2]), ["a", "a"])


def test_copies_of_training_images_in_the_test_set_are_counted() -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 5, 5)).astype(np.uint8)
    division = divide(np.arange(60) % 3, test=0.2, validation=0.2, random_state=0)
    assert duplicates(images, division) == 0
    images[division.test[0]] = images[division.train[3]]
    images[division.test[1]] = images[division.validation[2]]
    assert duplicates(images, division) == 2
