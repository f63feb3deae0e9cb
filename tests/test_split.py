"""The division into train, validation and test set, and the conversion of grey values and labels."""

import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from stages.normalise_and_split.__main__ import main
from stages.normalise_and_split.duplicates import count_duplicates, describe
from stages.normalise_and_split.normalise import encode, normalise
from stages.normalise_and_split.split import Division, divide
from stages.shared.errors import UserError
from stages.shared.files import datasets, paths
from tests.fixtures.synthetic import digits

# How often each digit occurs in MNIST.
MNIST_COUNTS = (6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958)

NOTEBOOK = {"test": 0.2, "random_state": 42}
NAMES = [f"c{code}" for code in range(10)]


@pytest.fixture(scope="module")
def mnist() -> NDArray[np.int64]:
    """Class codes with the frequencies of MNIST, in another order."""
    codes = np.repeat(np.arange(10), MNIST_COUNTS)
    return np.random.default_rng(1).permutation(codes)


@pytest.fixture(scope="module")
def default(mnist: NDArray[np.int64]) -> Division:
    return divide(mnist, NAMES, validation=0.1, **NOTEBOOK)


def shares(codes: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.bincount(codes, minlength=10) / len(codes)


# The notebook's division


def test_the_test_rows_are_those_of_the_notebook(mnist: NDArray[np.int64], default: Division) -> None:
    _, expected = train_test_split(np.arange(70_000), test_size=0.2, stratify=mnist, random_state=42)
    np.testing.assert_array_equal(default.test, expected)


def test_without_a_validation_set_the_training_rows_are_those_of_the_notebook(mnist: NDArray[np.int64]) -> None:
    # As the notebook calls it: with a matrix and labels. The only pixel is the number of the row.
    X = np.arange(70_000)[:, np.newaxis]
    X_train, X_test, y_train, y_test = train_test_split(X, mnist, test_size=0.2, stratify=mnist, random_state=42)
    division = divide(mnist, NAMES, validation=0.0, **NOTEBOOK)
    np.testing.assert_array_equal(X[division.train], X_train)
    np.testing.assert_array_equal(X[division.test], X_test)
    np.testing.assert_array_equal(mnist[division.train], y_train)
    np.testing.assert_array_equal(mnist[division.test], y_test)
    assert division.validation.shape == (0,)
    assert [len(rows) for rows in division] == [56_000, 0, 14_000]


def test_sizes_of_the_default_division(default: Division) -> None:
    assert [len(rows) for rows in default] == [50_400, 5_600, 14_000]


def test_every_row_is_in_exactly_one_set(default: Division) -> None:
    for one, other in combinations(default, 2):
        assert not np.intersect1d(one, other).size
    np.testing.assert_array_equal(np.sort(np.concatenate(default)), np.arange(70_000))


def test_the_sets_are_stratified(mnist: NDArray[np.int64], default: Division) -> None:
    for rows in default:
        np.testing.assert_allclose(np.bincount(mnist[rows]), shares(mnist) * len(rows), atol=1)


def test_the_validation_set_is_part_of_the_notebooks_training_set(mnist: NDArray[np.int64], default: Division) -> None:
    whole = divide(mnist, NAMES, validation=0.0, **NOTEBOOK)
    np.testing.assert_array_equal(np.sort(np.concatenate(default[:2])), np.sort(whole.train))


def test_the_division_depends_on_the_seed(mnist: NDArray[np.int64], default: Division) -> None:
    for again, rows in zip(divide(mnist, NAMES, validation=0.1, **NOTEBOOK), default, strict=True):
        np.testing.assert_array_equal(again, rows)
    other = divide(mnist, NAMES, validation=0.1, test=0.2, random_state=43)
    assert not np.array_equal(other.test, default.test)


def test_row_numbers_are_int64(default: Division) -> None:
    assert {rows.dtype for rows in default} == {np.dtype(np.int64)}


# The data set's own division


def test_the_official_test_rows_are_the_last(mnist: NDArray[np.int64]) -> None:
    division = divide(mnist, NAMES, test=None, validation=0.0, random_state=42, train_rows=60_000)
    np.testing.assert_array_equal(division.train, np.arange(60_000))
    np.testing.assert_array_equal(division.test, np.arange(60_000, 70_000))


def test_validation_set_with_the_official_test_rows(mnist: NDArray[np.int64]) -> None:
    division = divide(mnist, NAMES, test=None, validation=0.1, random_state=42, train_rows=60_000)
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
    division = divide(mnist, NAMES, **settings)
    assert [len(rows) for rows in division] == sizes
    every = np.concatenate(division)
    assert len(np.unique(every)) == 1000
    np.testing.assert_allclose(np.bincount(mnist[every]), shares(mnist) * 1000, atol=2)
    if test is None:
        assert division.test.min() >= 60_000 > max(division.train.max(), division.validation.max())
    for again, rows in zip(divide(mnist, NAMES, **settings), division, strict=True):
        np.testing.assert_array_equal(again, rows)
    other = divide(mnist, NAMES, **{**settings, "random_state": 43})
    assert not np.array_equal(np.sort(np.concatenate(other)), np.sort(every))


@pytest.mark.parametrize("test", [0.2, None])
def test_a_subset_of_all_rows_changes_nothing(mnist: NDArray[np.int64], test: float | None) -> None:
    settings: Any = {"test": test, "validation": 0.1, "random_state": 42, "train_rows": 60_000}
    for one, other in zip(divide(mnist, NAMES, **settings), divide(mnist, NAMES, **settings, rows=70_000), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_subset_keeps_the_order_of_the_data_set(mnist: NDArray[np.int64]) -> None:
    division = divide(mnist, NAMES, test=None, validation=0.0, random_state=42, rows=1000, train_rows=60_000)
    assert (np.diff(division.train) > 0).all() and (np.diff(division.test) > 0).all()


def test_a_subset_of_the_smallest_size() -> None:
    division = divide(np.arange(1000) % 2, NAMES, test=0.2, validation=0.0, random_state=0, rows=10)
    assert [len(rows) for rows in division] == [8, 0, 2]


# Data sets that cannot be divided


TWO_CLASSES = np.arange(20) % 2
ONE_OF_A_CLASS = np.array([0, 1] * 10 + [2])
ONE_OF_A_CLASS[[3, 20]] = ONE_OF_A_CLASS[[20, 3]]


@pytest.mark.parametrize(
    ("codes", "settings", "facts"),
    [
        (np.arange(2000) % 10, {"rows": 2001}, ["split.rows", "2,001", "2,000 rows"]),
        (TWO_CLASSES, {"test": None}, ["split.test", "'official'", "fetch.openml.train_rows", "0.2"]),
        (TWO_CLASSES, {"test": None, "train_rows": 0}, ["split.test", "'official'", "0 of the 20 rows", "empty"]),
        (TWO_CLASSES, {"test": None, "train_rows": 20}, ["split.test", "'official'", "20 of the 20 rows", "empty"]),
        (TWO_CLASSES, {"test": None, "train_rows": 21}, ["split.test", "'official'", "21 of the 20 rows", "empty"]),
        (
            [0, 1] * 5 + [2, 2, 0],
            {"test": None, "train_rows": 10},
            ["split.test", "'official'", "class 'c2'", "10 training rows"],
        ),
        (ONE_OF_A_CLASS, {}, ["split.test = 0.2", "21 rows of 3 classes", "1 rows", "The least populated class"]),
        (
            ONE_OF_A_CLASS,
            {"test": None, "train_rows": 15, "validation": 0.2},
            ["split.validation = 0.2", "15 rows of 3 classes", "1 rows", "The least populated class"],
        ),
        (
            ONE_OF_A_CLASS,
            {"rows": 12},
            ["split.rows in params.yaml", "21 rows of 3 classes", "1 rows", "The least populated class"],
        ),
        (
            np.arange(100) % 10,
            {"test": 0.05},
            ["split.test = 0.05", "100 rows of 10 classes", "10 rows", "test_size = 5", "number of classes = 10"],
        ),
        ([0, 1] * 5, {"test": 0.99}, ["split.test = 0.99", "10 rows of 2 classes"]),
        ([0] * 96 + [1] * 4, {"test": 0.9}, ["split.test = 0.9", "training row of class 'c1'"]),
    ],
)
def test_impossible_division(codes: Any, settings: dict[str, Any], facts: list[str]) -> None:
    with pytest.raises(UserError, match=r"params\.yaml") as caught:
        divide(np.asarray(codes), NAMES, **{"validation": 0.0, **NOTEBOOK, **settings})
    message = str(caught.value)
    assert "\n" not in message
    assert [fact for fact in facts if fact not in message] == [], message


# Labels


@pytest.mark.parametrize(
    ("labels", "codes", "names"),
    [
        (np.array([3, 0, 7, 3], np.uint8), [1, 0, 2, 1], ["0", "3", "7"]),
        (np.array([-1, 1, -1, 5], np.int64), [0, 1, 0, 2], ["-1", "1", "5"]),
        (np.array([10, 9, 100]), [1, 0, 2], ["9", "10", "100"]),
        (np.array(["b", "a", "NA", "01"]), [3, 2, 1, 0], ["01", "NA", "a", "b"]),
        (np.array(["10", "9"]), [1, 0], ["9", "10"]),
        (np.array(["a10b", "a9", "a", "a9"]), [2, 1, 0, 1], ["a", "a9", "a10b"]),
        (np.array(["1", "01", "x1y2"]), [1, 0, 2], ["01", "1", "x1y2"]),
    ],
)
def test_codes_follow_the_order_of_the_labels(labels: NDArray[Any], codes: list[int], names: list[str]) -> None:
    encoded, found = encode(labels)
    assert encoded.dtype == np.int64
    assert (encoded.tolist(), found) == (codes, names)
    assert all(type(name) is str for name in found)


def test_class_names() -> None:
    given = ["T-shirt", "trouser", "NA"]
    codes, names = encode(np.array([2, 0, 1]), given)
    assert (codes.tolist(), names) == ([2, 0, 1], given)
    assert names is not given


@pytest.mark.parametrize(
    ("labels", "given", "facts"),
    [
        ([-1, 4, 9], ["a", "b"], ["2 names", "3 classes: -1, 4, 9;", "rarest is -1 (1 of 3 rows)"]),
        ([-1, 4, 9], ["b", "a", "a"], ["'a'"]),
        (range(1000), ["a", "b"], ["1000 classes", f": {', '.join(map(str, range(20)))};"]),  # the first 20
        ([0, 1, 2] * 100 + [200], ["a", "b", "c"], ["3 names", "4 classes", "rarest is 200 (1 of 301 rows)"]),
    ],
)
def test_class_names_that_do_not_match_the_classes(labels: Any, given: list[str], facts: list[str]) -> None:
    with pytest.raises(UserError, match=r"split\.class_names in params\.yaml") as caught:
        encode(np.array(labels), given)
    assert [fact for fact in facts if fact not in str(caught.value)] == [], caught.value


# Grey values


def test_grey_values_become_the_nearest_float32() -> None:
    values = normalise(np.arange(256, dtype=np.uint8))
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, (np.arange(256) / 255).astype(np.float32))
    assert (values[0], values[255]) == (0, 1)
    # The integer search for neighbours converts them back.
    np.testing.assert_array_equal(np.rint(values * 255), np.arange(256))


def test_arguments_do_not_change() -> None:
    images, labels = digits(40, size=6, classes=3)
    codes = labels.copy()
    before = images.copy()
    for array in (images, codes):
        array.setflags(write=False)
    normalise(images)
    encode(codes)
    division = divide(codes, NAMES, validation=0.2, **NOTEBOOK)
    count_duplicates(images, codes, division)
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(codes, labels)


NO_DUPLICATES = dict.fromkeys(
    (
        *("within_train", "within_validation", "within_test"),
        *("validation_in_train", "test_in_train_or_validation", "with_another_label"),
    ),
    0,
)


def test_duplicate_images_are_counted() -> None:
    images = np.arange(10, dtype=np.uint8)[:, np.newaxis, np.newaxis] * np.ones((1, 2, 2), np.uint8)
    codes = np.zeros(10, np.int64)
    division = Division(np.array([0, 1, 2, 3]), np.array([4, 5]), np.array([6, 7, 8, 9]))

    def counted(**expected: int) -> bool:
        return count_duplicates(images, codes, division) == NO_DUPLICATES | expected

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
    codes[6] = 1  # one of four equal images
    assert counted(
        test_in_train_or_validation=2, within_test=1, validation_in_train=1, within_train=1, with_another_label=4
    )


def test_rows_in_no_set_are_not_counted() -> None:
    images = np.zeros((6, 2, 2), np.uint8)
    images[2] = 1
    division = Division(np.array([0]), np.array([], np.int64), np.array([2]))
    assert count_duplicates(images, np.arange(6), division) == NO_DUPLICATES


def test_description_of_duplicates() -> None:
    assert describe(NO_DUPLICATES) == ""
    assert describe(NO_DUPLICATES | {"within_train": 1200, "with_another_label": 1}) == (
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
    division = divide(raw.labels.astype(np.int64), NAMES, validation=0.1, **NOTEBOOK)
    for name, rows in zip(datasets.SETS, division, strict=True):
        np.testing.assert_array_equal(datasets.load_images(name), normalise(raw.images[rows]))
        np.testing.assert_array_equal(datasets.load_labels(name), raw.labels[rows] // 2)
    assert datasets.load_classes() == ["0", "2", "4", "6"]
    assert datasets.load_image_size() == (6, 6)
    assert json.loads(paths.DUPLICATES.read_text()) == NO_DUPLICATES
    (line,) = capsys.readouterr().out.splitlines()
    assert "144 train, 16 validation, 40 test rows of 4 classes" in line


def test_the_stage_reports_duplicates(raw: datasets.Raw, capsys: pytest.CaptureFixture[str]) -> None:
    images = raw.images.copy()
    division = divide(raw.labels.astype(np.int64), NAMES, validation=0.1, **NOTEBOOK)
    images[division.test[:3]] = images[division.train[0]]
    datasets.save_raw(raw._replace(images=images))
    main()
    counts = json.loads(paths.DUPLICATES.read_text())
    assert (counts["test_in_train_or_validation"], counts["within_test"], counts["within_train"]) == (3, 2, 0)
    assert counts["with_another_label"] == 4
    line = capsys.readouterr().out.splitlines()[1]
    assert line.endswith(": within test 2, test in train or validation 3, with another label 4")


def test_the_stage_reports_a_class_without_test_rows(
    raw: datasets.Raw, edited_params: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    edited_params(("test: 0.2", "test: official"), ("validation: 0.1", "validation: 0"))
    labels = raw.labels.copy()
    labels[7] = 200
    datasets.save_raw(raw._replace(labels=labels))
    main()
    assert capsys.readouterr().out.splitlines()[1].endswith("no test rows of 200")


def test_the_stage_follows_params_yaml(raw: datasets.Raw, edited_params: Any) -> None:
    edited_params(
        ("test: 0.2", "test: official"),
        ("validation: 0.1", "validation: 0"),
        ("class_names: #", "class_names: [zero, two, four, six] #"),
    )
    main()
    np.testing.assert_array_equal(datasets.load_images("test"), normalise(raw.images[150:]))
    assert datasets.load_images("validation").shape == (0, 6, 6)
    assert datasets.load_classes() == ["zero", "two", "four", "six"]


def test_the_stage_writes_nothing_after_a_mistake(raw: datasets.Raw, edited_params: Any) -> None:
    edited_params(("class_names: #", "class_names: [a, b] #"))
    with pytest.raises(UserError, match=r"2 names.* 4 classes: 0, 2, 4, 6"):
        main()
    assert not Path("data/split").exists()
