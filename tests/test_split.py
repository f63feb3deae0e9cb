"""Which rows train, validate and test, and what becomes of grey values and labels."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from stages.normalise_and_split.__main__ import main
from stages.normalise_and_split.duplicates import described, duplicates
from stages.normalise_and_split.normalise import encode, normalise
from stages.normalise_and_split.split import Division, divide
from stages.shared.errors import UserError
from stages.shared.files import datasets, paths
from tests.fixtures.synthetic import digits

# How often each digit stands in MNIST's 70,000.
MNIST_COUNTS = (6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958)

NOTEBOOK = {"test": 0.2, "random_state": 42}


@pytest.fixture(scope="module")
def mnist() -> NDArray[np.int64]:
    """Codes as many and as frequent as MNIST's, in another order."""
    codes = np.repeat(np.arange(10), MNIST_COUNTS)
    return np.random.default_rng(1).permutation(codes)


@pytest.fixture(scope="module")
def default(mnist: NDArray[np.int64]) -> Division:
    return divide(mnist, validation=0.1, **NOTEBOOK)


def shares(codes: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.bincount(codes, minlength=10) / len(codes)


def refused(codes: Any, **settings: Any) -> str:
    with pytest.raises(UserError) as caught:
        divide(np.asarray(codes), **{"validation": 0.0, **NOTEBOOK, **settings})
    assert "\n" not in str(caught.value)
    return str(caught.value)


# The notebook's division


def test_the_test_rows_are_the_notebooks(mnist: NDArray[np.int64], default: Division) -> None:
    _, expected = train_test_split(np.arange(70_000), test_size=0.2, stratify=mnist, random_state=42)
    np.testing.assert_array_equal(default.test, expected)


def test_without_a_validation_set_the_training_rows_are_the_notebooks_in_their_order(mnist: NDArray[np.int64]) -> None:
    # As the notebook calls it: with a matrix and labels. One pixel tells the rows apart.
    X = np.arange(70_000)[:, np.newaxis]
    X_train, X_test, y_train, y_test = train_test_split(X, mnist, test_size=0.2, stratify=mnist, random_state=42)
    division = divide(mnist, validation=0.0, **NOTEBOOK)
    np.testing.assert_array_equal(X[division.train], X_train)
    np.testing.assert_array_equal(X[division.test], X_test)
    np.testing.assert_array_equal(mnist[division.train], y_train)
    np.testing.assert_array_equal(mnist[division.test], y_test)
    assert division.validation.shape == (0,)
    assert [len(rows) for rows in division] == [56_000, 0, 14_000]


def test_sizes_of_the_default_division(default: Division) -> None:
    assert [len(rows) for rows in default] == [50_400, 5_600, 14_000]


def test_no_row_is_in_two_sets_or_in_none(default: Division) -> None:
    for one, other in combinations(default, 2):
        assert not np.intersect1d(one, other).size
    np.testing.assert_array_equal(np.sort(np.concatenate(default)), np.arange(70_000))


def test_each_class_has_its_share_of_every_set(mnist: NDArray[np.int64], default: Division) -> None:
    for rows in default:
        np.testing.assert_allclose(np.bincount(mnist[rows]), shares(mnist) * len(rows), atol=1)


def test_the_validation_set_is_taken_from_the_notebooks_training_set(
    mnist: NDArray[np.int64], default: Division
) -> None:
    whole = divide(mnist, validation=0.0, **NOTEBOOK)
    np.testing.assert_array_equal(np.sort(np.concatenate(default[:2])), np.sort(whole.train))


def test_the_seed_decides_the_division(mnist: NDArray[np.int64], default: Division) -> None:
    for again, rows in zip(divide(mnist, validation=0.1, **NOTEBOOK), default, strict=True):
        np.testing.assert_array_equal(again, rows)
    other = divide(mnist, validation=0.1, test=0.2, random_state=43)
    assert not np.array_equal(other.test, default.test)


def test_row_numbers_are_int64(default: Division) -> None:
    assert {rows.dtype for rows in default} == {np.dtype(np.int64)}


# The data set's own division


def test_the_official_test_rows_are_the_last(mnist: NDArray[np.int64]) -> None:
    division = divide(mnist, test=None, validation=0.0, random_state=42, train_rows=60_000)
    np.testing.assert_array_equal(division.train, np.arange(60_000))
    np.testing.assert_array_equal(division.test, np.arange(60_000, 70_000))


def test_a_validation_set_beside_the_official_test_rows(mnist: NDArray[np.int64]) -> None:
    division = divide(mnist, test=None, validation=0.1, random_state=42, train_rows=60_000)
    assert [len(rows) for rows in division] == [54_000, 6_000, 10_000]
    np.testing.assert_array_equal(division.test, np.arange(60_000, 70_000))
    np.testing.assert_array_equal(np.sort(np.concatenate(division[:2])), np.arange(60_000))


# A subset


@pytest.mark.parametrize(
    ("test", "sizes"), [(0.2, [720, 80, 200]), (None, [771, 86, 143])], ids=["notebook", "official"]
)
def test_a_subset_is_stratified_and_the_same_every_time(
    mnist: NDArray[np.int64], test: float | None, sizes: list[int]
) -> None:
    settings: Any = {"test": test, "validation": 0.1, "random_state": 42, "rows": 1000, "train_rows": 60_000}
    division = divide(mnist, **settings)
    assert [len(rows) for rows in division] == sizes
    every = np.concatenate(division)
    assert len(np.unique(every)) == 1000
    np.testing.assert_allclose(np.bincount(mnist[every]), shares(mnist) * 1000, atol=2)
    if test is None:
        assert division.test.min() >= 60_000 > max(division.train.max(), division.validation.max())
    for again, rows in zip(divide(mnist, **settings), division, strict=True):
        np.testing.assert_array_equal(again, rows)
    other = divide(mnist, **{**settings, "random_state": 43})
    assert not np.array_equal(np.sort(np.concatenate(other)), np.sort(every))


@pytest.mark.parametrize("test", [0.2, None])
def test_a_subset_of_all_rows_is_no_subset(mnist: NDArray[np.int64], test: float | None) -> None:
    settings: Any = {"test": test, "validation": 0.1, "random_state": 42, "train_rows": 60_000}
    for one, other in zip(divide(mnist, **settings), divide(mnist, **settings, rows=70_000), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_subset_keeps_the_order_of_the_data_set(mnist: NDArray[np.int64]) -> None:
    division = divide(mnist, test=None, validation=0.0, random_state=42, rows=1000, train_rows=60_000)
    assert (np.diff(division.train) > 0).all() and (np.diff(division.test) > 0).all()


def test_a_subset_of_the_smallest_size() -> None:
    division = divide(np.arange(1000) % 2, test=0.2, validation=0.0, random_state=0, rows=10)
    assert [len(rows) for rows in division] == [8, 0, 2]


# What cannot be divided


def test_more_rows_than_there_are() -> None:
    assert refused(np.arange(2000) % 10, rows=2001) == (
        "split.rows in params.yaml is 2,001, but the data set has 2,000 rows"
    )


def test_official_without_a_division_of_the_data_sets_own() -> None:
    assert refused(np.arange(20) % 2, test=None) == (
        "split.test in params.yaml is 'official', but the source does not tell the data set's own test rows; "
        "give fetch.openml.train_rows, or a share such as 0.2"
    )


@pytest.mark.parametrize("train_rows", [0, 20, 21])
def test_official_with_an_empty_set(train_rows: int) -> None:
    assert refused(np.arange(20) % 2, test=None, train_rows=train_rows) == (
        f"split.test in params.yaml is 'official', but {train_rows} of the 20 rows are for training, which leaves one "
        "of the two sets empty"
    )


@pytest.mark.parametrize(
    ("settings", "opening"),
    [
        (
            {"test": 0.2},
            "split.test = 0.2 in params.yaml cannot divide 21 rows of 3 classes, the smallest with 1 rows (",
        ),
        (
            {"test": None, "train_rows": 15, "validation": 0.2},
            "split.validation = 0.2 in params.yaml cannot divide 15 rows of 3 classes, the smallest with 1 rows (",
        ),
        ({"rows": 12}, "split.rows in params.yaml cannot divide 21 rows of 3 classes, the smallest with 1 rows ("),
    ],
)
def test_a_class_too_small_to_be_divided(settings: dict[str, Any], opening: str) -> None:
    codes = np.array([0, 1] * 10 + [2])
    codes[[3, 20]] = codes[[20, 3]]
    said = refused(codes, **settings)
    assert said.startswith(opening) and said.endswith("; take more rows, or another share")
    assert "The least populated class" in said


def test_a_share_too_small_for_all_classes() -> None:
    said = refused(np.arange(100) % 10, test=0.05)
    assert said == (
        "split.test = 0.05 in params.yaml cannot divide 100 rows of 10 classes, the smallest with 10 rows "
        "(The test_size = 5 should be greater or equal to the number of classes = 10); take more rows, or another share"
    )


def test_a_share_that_leaves_nothing_to_train_on() -> None:
    said = refused([0, 1] * 5, test=0.99)
    assert said.startswith("split.test = 0.99 in params.yaml cannot divide 10 rows of 2 classes, ")


def test_a_share_that_leaves_a_class_without_a_training_row() -> None:
    codes = np.array([0] * 96 + [1] * 4)
    said = refused(codes, test=0.9)
    assert said == "split.test = 0.9 in params.yaml leaves class code 1 without a training row"


def test_a_class_that_the_official_training_rows_lack() -> None:
    assert refused([0, 1] * 5 + [2, 2, 0], test=None, train_rows=10) == (
        "split.test in params.yaml is 'official', but class code 2 has no row among the 10 for training"
    )


# Labels


@pytest.mark.parametrize(
    ("labels", "codes", "names"),
    [
        (np.array([3, 0, 7, 3], np.uint8), [1, 0, 2, 1], ["0", "3", "7"]),
        (np.array([-1, 1, -1, 5], np.int64), [0, 1, 0, 2], ["-1", "1", "5"]),
        (np.array([10, 9, 100]), [1, 0, 2], ["9", "10", "100"]),
        (np.array(["b", "a", "NA", "01"]), [3, 2, 1, 0], ["01", "NA", "a", "b"]),
        (np.array(["10", "9"]), [0, 1], ["10", "9"]),
    ],
)
def test_labels_become_codes_in_their_own_order(labels: NDArray[Any], codes: list[int], names: list[str]) -> None:
    encoded, found = encode(labels)
    assert encoded.dtype == np.int64
    assert (encoded.tolist(), found) == (codes, names)
    assert all(type(name) is str for name in found)


def test_classes_can_be_named() -> None:
    given = ["T-shirt", "trouser", "NA"]
    codes, names = encode(np.array([2, 0, 1]), given)
    assert (codes.tolist(), names) == ([2, 0, 1], given)
    assert names is not given


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            ["a", "b"],
            "split.class_names in params.yaml has 2 names, but the data set has 3 classes: -1, 4, 9; the rarest is "
            "-1 (1 of 3 rows)",
        ),
        (["a", "b", "a"], "split.class_names in params.yaml holds a name twice; each class needs its own"),
    ],
)
def test_names_that_do_not_fit_the_classes(given: list[str], sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        encode(np.array([-1, 4, 9]), given)
    assert str(caught.value) == sentence


def test_no_more_than_twenty_classes_are_listed() -> None:
    with pytest.raises(UserError) as caught:
        encode(np.arange(1000), ["a", "b"])
    assert f"but the data set has 1000 classes: {', '.join(map(str, range(20)))}; the rarest" in str(caught.value)


def test_a_label_outside_the_classes_is_named() -> None:
    with pytest.raises(UserError) as caught:
        encode(np.array([0, 1, 2] * 100 + [200], np.uint8), ["a", "b", "c"])
    assert str(caught.value) == (
        "split.class_names in params.yaml has 3 names, but the data set has 4 classes: 0, 1, 2, 200; the rarest is 200 "
        "(1 of 301 rows)"
    )


# Grey values


def test_grey_values_become_the_nearest_fractions() -> None:
    values = normalise(np.arange(256, dtype=np.uint8))
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, (np.arange(256) / 255).astype(np.float32))
    assert (values[0], values[255]) == (0, 1)
    # and back, which the integer search for neighbours needs
    np.testing.assert_array_equal(np.rint(values * 255), np.arange(256))


def test_arguments_are_left_as_they_are() -> None:
    images, labels = digits(40, size=6, classes=3)
    codes = labels.copy()
    before = images.copy()
    for array in (images, codes):
        array.setflags(write=False)
    normalise(images)
    encode(codes)
    division = divide(codes, validation=0.2, **NOTEBOOK)
    duplicates(images, codes, division)
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(codes, labels)


NO_DUPLICATES = dict.fromkeys(
    (
        *("within_train", "within_validation", "within_test"),
        *("validation_in_train", "test_in_train_or_validation", "with_another_label"),
    ),
    0,
)


def test_images_that_stand_there_twice_are_counted() -> None:
    images = np.arange(10, dtype=np.uint8)[:, np.newaxis, np.newaxis] * np.ones((1, 2, 2), np.uint8)
    codes = np.zeros(10, np.int64)
    division = Division(np.array([0, 1, 2, 3]), np.array([4, 5]), np.array([6, 7, 8, 9]))

    def counted(**expected: int) -> bool:
        return duplicates(images, codes, division) == NO_DUPLICATES | expected

    assert counted()
    images[6], images[8] = images[0], images[5]
    assert counted(test_in_train_or_validation=2)
    images[7] = images[0]  # twice among the test images, and among the training images
    assert counted(test_in_train_or_validation=3, within_test=1)
    images[8, 0, 0] += 1
    assert counted(test_in_train_or_validation=2, within_test=1)
    images[4] = images[5]
    assert counted(test_in_train_or_validation=2, within_test=1, within_validation=1)
    images[4] = images[1]
    assert counted(test_in_train_or_validation=2, within_test=1, validation_in_train=1)
    images[2] = images[0]
    assert counted(test_in_train_or_validation=2, within_test=1, validation_in_train=1, within_train=1)
    codes[6] = 1  # of four that are the same
    assert counted(
        test_in_train_or_validation=2, within_test=1, validation_in_train=1, within_train=1, with_another_label=4
    )


def test_rows_that_are_in_no_set_are_no_duplicates() -> None:
    images = np.zeros((6, 2, 2), np.uint8)
    images[2] = 1
    division = Division(np.array([0]), np.array([], np.int64), np.array([2]))
    assert duplicates(images, np.arange(6), division) == NO_DUPLICATES


def test_duplicates_are_told_in_words() -> None:
    assert described(NO_DUPLICATES) == ""
    assert described(NO_DUPLICATES | {"within_train": 1200, "with_another_label": 1}) == (
        "within train 1,200, with another label 1"
    )


# The stage


@pytest.fixture
def raw(workspace: Path) -> Iterator[datasets.Raw]:
    """A small raw data set in the workspace."""
    images, labels = digits(200, size=6, classes=4)
    data = datasets.Raw(images, (labels * 2).astype(np.uint8), 150)
    datasets.save_raw(data)
    yield data


def test_the_stage_writes_three_sets(raw: datasets.Raw, capsys: pytest.CaptureFixture[str]) -> None:
    main()
    division = divide(raw.labels.astype(np.int64), validation=0.1, **NOTEBOOK)
    for name, rows in zip(datasets.SETS, division, strict=True):
        np.testing.assert_array_equal(datasets.load_images(name), normalise(raw.images[rows]))
        np.testing.assert_array_equal(datasets.load_labels(name), raw.labels[rows] // 2)
    assert datasets.load_classes() == ["0", "2", "4", "6"]
    assert datasets.load_image_size() == (6, 6)
    assert json.loads(paths.DUPLICATES.read_text()) == NO_DUPLICATES
    assert capsys.readouterr().out == "normalise-and-split: 144 train, 16 validation, 40 test rows of 4 classes\n"


def test_the_stage_tells_of_copies(raw: datasets.Raw, capsys: pytest.CaptureFixture[str]) -> None:
    images = raw.images.copy()
    division = divide(raw.labels.astype(np.int64), validation=0.1, **NOTEBOOK)
    images[division.test[:3]] = images[division.train[0]]
    datasets.save_raw(raw._replace(images=images))
    main()
    counts = json.loads(paths.DUPLICATES.read_text())
    assert (counts["test_in_train_or_validation"], counts["within_test"], counts["within_train"]) == (3, 2, 0)
    assert counts["with_another_label"] == 4
    assert capsys.readouterr().out.splitlines()[1] == (
        "normalise-and-split: images that are the same, pixel by pixel: "
        "within test 2, test in train or validation 3, with another label 4"
    )


def test_the_stage_tells_of_a_class_that_is_not_tested(
    raw: datasets.Raw, edited_params: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    edited_params(("test: 0.2", "test: official"), ("validation: 0.1", "validation: 0"))
    labels = raw.labels.copy()
    labels[7] = 200
    datasets.save_raw(raw._replace(labels=labels))
    main()
    assert capsys.readouterr().out.splitlines()[1] == "normalise-and-split: no test rows of 200"


def test_the_stage_follows_params_yaml(raw: datasets.Raw, edited_params: Any) -> None:
    edited_params(
        ("test: 0.2", "test: official"),
        ("validation: 0.1", "validation: 0"),
        ("class_names: null", "class_names: [zero, two, four, six]"),
    )
    main()
    np.testing.assert_array_equal(datasets.load_images("test"), normalise(raw.images[150:]))
    assert datasets.load_images("validation").shape == (0, 6, 6)
    assert datasets.load_classes() == ["zero", "two", "four", "six"]


def test_the_stage_writes_nothing_where_it_must_refuse(raw: datasets.Raw, edited_params: Any) -> None:
    edited_params(("class_names: null", "class_names: [a, b]"))
    with pytest.raises(UserError, match=re.escape("has 2 names, but the data set has 4 classes: 0, 2, 4, 6")):
        main()
    assert not Path("data/split").exists()
