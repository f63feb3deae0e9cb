"""The pictures of pixels: what is drawn, that nothing is cut off, and that files have the same bytes every time."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text
from numpy.typing import NDArray

from stages.plot_weights import weight_pictures
from stages.plot_weights.confusion_matrix_picture import confusion_figure
from stages.plot_weights.weight_pictures import weight_map_figure, weight_matrix_figure
from stages.report.digit_pictures import most_confident_errors, sample_figure, wrong_figure
from stages.shared.charts.image_grid import grid, image_map
from stages.shared.charts.picture_style import class_labels, figure_png, fitted, text_width
from stages.shared.files.predictions import Predictions, ScoreKind
from stages.shared.models.drawable_weights import weight_maps

DIGITS = [str(digit) for digit in range(10)]
LONG = ["Acute myeloid leukaemia with maturation, stage 2", "T-shirt/top", "costs $5 or_$6"]
CLASSES = pytest.mark.parametrize("names", [DIGITS, LONG, ["no", "yes"]], ids=["10", "3 long", "2"])


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def notebook_image_map(data: NDArray[Any], nrow: int, ncol: int, padding: int) -> NDArray[np.float64]:
    image = np.zeros((nrow * 5 + (nrow - 1) * padding, ncol * 5 + (ncol - 1) * padding))
    for k in range(len(data)):
        y, x = (k // ncol) * (5 + padding), (k % ncol) * (5 + padding)
        image[y : y + 5, x : x + 5] = data[k]
    return image


def counts_of(names: list[str], rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.integers(0, 9, (len(names), len(names))) + 700 * np.eye(len(names), dtype=np.int64)


def texts_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in shown_texts(figure)]


def shown_texts(figure: Figure) -> list[Text]:
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]


def main_axes(figure: Figure) -> Axes:
    return figure.axes[0]


def image_of(figure: Figure) -> "np.ma.MaskedArray[Any, Any]":
    return np.ma.asarray(main_axes(figure).images[0].get_array())


def check_layout(figure: Figure) -> None:
    """Check that every text is within the figure, and that the tick labels of an axis do not overlap."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    width, height = canvas.get_width_height()
    ticks = {
        id(label)
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for label in (*axis.get_ticklabels(), *axis.get_ticklabels(minor=True))
    }
    inside = {
        id(label)
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in axis.get_major_ticks()
        for label in (tick.label1, tick.label2)
        if min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    }
    for text in shown_texts(figure):
        if id(text) in ticks - inside:
            continue
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, text
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            boxes = [label.get_window_extent() for label in axis.get_ticklabels() if id(label) in inside]
            boxes = [box for box in boxes if box.width > 0]
            assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[k + 1 :]), axis


# image maps


@pytest.mark.parametrize("padding", [0, 1, 2, 3])
@pytest.mark.parametrize("n", [0, 1, 5, 6])
def test_image_map_is_the_notebooks(n: int, padding: int, rng: np.random.Generator) -> None:
    data = rng.normal(size=(n, 5, 5))
    before = data.copy()
    image = image_map(data, 2, 3, padding=padding)
    np.testing.assert_array_equal(image, notebook_image_map(data, 2, 3, padding))
    np.testing.assert_array_equal(data, before)
    assert image.dtype == np.float64


def test_image_map_of_integers_has_a_fractional_fill() -> None:
    np.testing.assert_array_equal(image_map(np.ones((1, 1, 1), np.uint8), 1, 2, padding=0, fill=0.5), [[1, 0.5]])


def test_image_map_fills_padding_and_empty_cells_and_takes_any_shape() -> None:
    image = image_map(np.ones((1, 2, 3, 4), np.uint8), 2, 2, fill=-1)
    assert image.shape == (2 * 3 + 2, 2 * 4 + 2)
    assert (image == 1).sum() == 2 * 3 * 4
    assert (image[:3, :4] == 1).all() and (image[:3, 6:] == 1).all()
    assert (image[3:] == -1).all() and (image[:, 4:6] == -1).all()


def test_image_map_refuses_more_images_than_cells() -> None:
    with pytest.raises(ValueError, match=r"7 images .* 6 cells"):
        image_map(np.zeros((7, 5, 5)), 2, 3)


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        *((1, (1, 1)), (2, (1, 2)), (3, (1, 3)), (7, (1, 7)), (10, (2, 5)), (26, (3, 9)), (32, (4, 8))),
        *((47, (6, 8)), (48, (6, 8)), (64, (8, 8)), (128, (8, 16)), (256, (16, 16)), (512, (32, 16))),
        *((8, (2, 4)), (9, (3, 3)), (39, (5, 8)), (300, (19, 16))),
    ],
)
def test_grid(n: int, expected: tuple[int, int]) -> None:
    assert grid(n) == expected
    assert all(type(length) is int for length in grid(n))


def test_every_grid_has_enough_cells_and_no_empty_row() -> None:
    for n in range(1, 400):
        for at_most in (1, 5, 16):
            rows, columns = grid(n, at_most)
            assert columns <= at_most and rows * columns >= n > (rows - 1) * columns
            assert rows <= columns or n > at_most * (at_most - 1)
    with pytest.raises(ValueError, match="1 or more"):
        grid(0)


def test_weight_maps(rng: np.random.Generator) -> None:
    dense = rng.normal(size=(6, 4)).astype(np.float32)
    maps = weight_maps(dense, 2, 3)
    assert maps is not None and maps.shape == (4, 2, 3) and maps.dtype == np.float32
    np.testing.assert_array_equal(maps[1], dense[:, 1].reshape(2, 3))
    maps[:] = 0
    assert dense.any()

    convolution = rng.normal(size=(5, 3, 1, 8))
    maps = weight_maps(convolution, 28, 28)
    assert maps is not None and maps.shape == (8, 5, 3)
    np.testing.assert_array_equal(maps[7], convolution[:, :, 0, 7])

    for shape in [(7, 4), (5, 5, 32, 64), (6,), (2, 3, 4)]:
        assert weight_maps(np.zeros(shape), 2, 3) is None


# weights


@CLASSES
def test_weight_maps_are_drawn_with_names_on_a_symmetric_range(names: list[str], rng: np.random.Generator) -> None:
    maps = rng.normal(size=(len(names), 28, 28))
    before = maps.copy()
    figure = weight_map_figure(maps, title="softmax: weights", names=names)
    np.testing.assert_array_equal(maps, before)
    drawn = main_axes(figure).images[0]
    limit = np.abs(maps).max()
    assert drawn.get_clim() == (-limit, limit)
    assert tuple(drawn.to_rgba(np.array([0.0]))[0]) == (1, 1, 1, 1)
    image = image_of(figure).filled(np.nan)
    found = image[np.isfinite(image)]
    assert found.size == maps.size and found.sum() == pytest.approx(maps.sum())
    texts = texts_of(figure)
    assert {"softmax: weights", f"{limit:.3g}", f"\N{MINUS SIGN}{limit:.3g}", "0"} <= set(texts)
    assert all(any(text.startswith(name[:12]) for text in texts) for name in names)
    check_layout(figure)


def test_all_weights_are_squares_of_the_same_size(rng: np.random.Generator) -> None:
    maps = rng.normal(size=(48, 28, 28))
    figure = weight_map_figure(maps, title="mlp-48", vmax=1.5)
    assert main_axes(figure).images[0].get_clim() == (-1.5, 1.5)
    drawn = main_axes(figure).images[0]
    picture = imread(io.BytesIO(figure_png(figure)))
    rows, columns = image_of(figure).shape
    assert (rows, columns) == (6 * 30 + 2, 8 * 30 + 2)
    box = main_axes(figure).get_window_extent()
    top, left, scale = picture.shape[0] - round(box.y1), round(box.x0), round(box.width / columns)
    cut = picture[top : top + rows * scale, left : left + columns * scale, :3]
    blocks = cut.reshape(rows, scale, columns, scale, 3)
    assert (blocks == blocks[:, :1, :, :1]).all()
    expected = drawn.to_rgba(image_of(figure))[..., :3]
    # A palette of 256 colours may be off by one step of the 64 from white to red.
    assert np.abs(blocks[:, 0, :, 0] - expected).max() < 1.2 / 64
    assert (picture[0, 0] == 1).all()


def test_only_the_first_of_many_weights_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight_pictures, "MAPS_AT_MOST", 100)
    figure = weight_map_figure(np.ones((512, 8, 8)), title="wide")
    assert "the first 100 of 512" in texts_of(figure)
    figure = weight_matrix_figure(np.ones((3136, 10)), title="final", output_names=DIGITS)
    assert "the first 128 of 3,136 inputs" in texts_of(figure)
    assert image_of(figure).shape == (10, 128)
    check_layout(figure)


@pytest.mark.parametrize("weights", [np.zeros((3, 5, 5)), np.full((3, 5, 5), np.nan), np.full((3, 5, 5), np.inf)])
def test_weights_without_a_range_are_drawn(weights: NDArray[np.float64]) -> None:
    figure = weight_map_figure(weights, title="nothing learned")
    assert main_axes(figure).images[0].get_clim() == (-1, 1)
    check_layout(figure)


def test_impossible_weight_maps_are_refused() -> None:
    maps = np.zeros((3, 5, 5))
    with pytest.raises(ValueError, match="positive"):
        weight_map_figure(maps, title="", vmax=0)
    with pytest.raises(ValueError, match=r"3 images .* 2 cells"):
        weight_map_figure(maps, title="", rows_columns=(1, 2))


@CLASSES
def test_weight_matrix_has_one_row_per_output(names: list[str], rng: np.random.Generator) -> None:
    weights = rng.normal(size=(48, len(names))).astype(np.float32)
    before = weights.copy()
    figure = weight_matrix_figure(weights, title="mlp-48: final", output_names=names, vmax=2)
    np.testing.assert_array_equal(weights, before)
    axes = main_axes(figure)
    np.testing.assert_array_equal(image_of(figure), weights.T)
    assert axes.images[0].get_clim() == (-2, 2)
    assert [label.get_text() for label in axes.get_yticklabels()] == class_labels(names)
    check_layout(figure)


# digits


def test_sample_is_the_image_map_in_dark_on_white(rng: np.random.Generator) -> None:
    images = rng.integers(0, 256, (50, 28, 28), dtype=np.uint8)
    drawn = main_axes(sample_figure(images, title="the first 50")).images[0]
    np.testing.assert_array_equal(np.asarray(drawn.get_array()), image_map(images, 5, 10))
    assert drawn.get_clim() == (0, 255) and drawn.get_cmap().name == "binary"
    assert main_axes(sample_figure(images[:7] / 255, title="7")).images[0].get_clim() == (0, 1)


@pytest.mark.parametrize(
    ("kind", "at_most", "rows", "confidence"),
    [
        ("probability", 50, [2, 1, 3], [0.9, 0.7, 0.4]),
        # Values that could be probabilities, too: the kind decides.
        ("decision", 2, [2, 1], [0.8, 0.6]),
        ("none", 2, [1, 2], None),
    ],
)
def test_the_most_confident_errors_are_sorted_by_probability_or_margin(
    kind: ScoreKind, at_most: int, rows: list[int], confidence: list[float] | None
) -> None:
    actual, predicted = np.array([0, 1, 2, 0]), np.array([0, 2, 1, 1])
    scores = np.array([[1, 0, 0], [0.2, 0.1, 0.7], [0.0, 0.9, 0.1], [0.3, 0.4, 0.3]], np.float32)
    test = Predictions(predicted, scores[:, :0] if kind == "none" else scores, kind)
    found, measured = most_confident_errors(actual, test, at_most)
    assert found.tolist() == rows
    assert (measured is None) == (confidence is None)
    if measured is not None:
        np.testing.assert_allclose(measured, confidence, rtol=1e-6)  # type: ignore[arg-type]
    found, _ = most_confident_errors(predicted, test)
    assert len(found) == 0


@CLASSES
@pytest.mark.parametrize("n", [50, 13])
def test_errors_have_their_actual_and_predicted_class(names: list[str], n: int, rng: np.random.Generator) -> None:
    images = rng.random((n, 28, 28), dtype=np.float32)
    actual = rng.integers(0, len(names), n)
    predicted = (actual + 1) % len(names)
    before = images.copy()
    figure = wrong_figure(
        *(images, actual, predicted, np.full(n, 0.987)),
        title="deep-cnn",
        names=names,
        kind="probability",
        errors=60,
        total=7000,
    )
    np.testing.assert_array_equal(images, before)
    texts = texts_of(figure)
    assert texts.count("0.987") == n
    assert sum("→" in text for text in texts) == n + 1
    # Names are whole, on several lines, but for one of more than 40 letters.
    words = " ".join(text.replace("\u200e→\u00a0", "") for text in texts)
    assert all(name in words for name in class_labels(names))
    if names == DIGITS:
        assert f"{actual[0]} \u200e→ {predicted[0]}" in texts
    assert f"{n} of 60 errors among 7,000 images; below each: actual → predicted, confidence" in texts
    assert image_of(figure).sum() == pytest.approx(images.sum(), rel=1e-5)
    check_layout(figure)


def test_a_model_without_errors_has_a_picture() -> None:
    none = np.zeros(0, np.int64)
    figure = wrong_figure(
        *(np.zeros((0, 28, 28)), none, none, None), title="knn", names=DIGITS, kind="none", errors=0, total=7000
    )
    assert set(texts_of(figure)) == {"knn", "no errors among 7,000 images"}
    check_layout(figure)


# confusion


@CLASSES
def test_confusion_matrix_shows_errors_and_counts(names: list[str], rng: np.random.Generator) -> None:
    counts = counts_of(names, rng)
    before = counts.copy()
    figure = confusion_figure(counts, title="knn", names=names)
    np.testing.assert_array_equal(counts, before)
    axes = main_axes(figure)
    image = image_of(figure)
    np.testing.assert_array_equal(np.ma.getmaskarray(image), np.eye(len(names), dtype=bool))
    shares = counts / counts.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(image.filled(0), np.where(np.eye(len(names)), 0, shares))
    assert [text.get_text() for text in axes.texts] == [str(count) for count in counts.ravel()]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == class_labels(names)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "actual")
    errors, total = int(counts.sum() - np.trace(counts)), int(counts.sum())
    assert f"{errors:,} of {total:,} wrong, accuracy {1 - errors / total:.4f}" in texts_of(figure)
    check_layout(figure)


@pytest.mark.parametrize("n", [1, 13, 26, 47])
def test_confusion_of_many_classes_stays_legible(n: int, rng: np.random.Generator) -> None:
    names = [f"letter {k}" for k in range(n)]
    figure = confusion_figure(counts_of(names, rng), title="balanced", names=names)
    assert bool(main_axes(figure).texts) == (n <= 26)
    check_layout(figure)


def test_confusion_without_errors_and_with_an_absent_class() -> None:
    figure = confusion_figure(np.diag([700, 0, 680]), title="knn", names=LONG)
    assert "0 of 1,380 wrong, accuracy 1.0000" in texts_of(figure)
    assert len(figure.axes) == 1
    check_layout(figure)


# what all pictures share


def test_class_labels_are_cut_and_drawable() -> None:
    assert class_labels(["7", "é", "ж", "$x$"]) == ["7", "é", "ж", "$x$"]
    assert class_labels(["お", "tab\there"]) == ["class 0", "class 1"]
    (cut,) = class_labels([LONG[0]])
    assert len(cut) <= 40 and cut.endswith("…") and LONG[0].startswith(cut[:-1])


@pytest.mark.parametrize("length", [1, 20, 60, 300])
def test_titles_fit(length: int) -> None:
    text, size = fitted("W" * length, 300, 12.0, bold=True)
    assert text_width(text, size, bold=True) <= 306 and 6.5 <= size <= 12
    check_layout(confusion_figure(np.eye(2, dtype=np.int64), title="W" * length, names=["a", "b"]))
    check_layout(weight_map_figure(np.ones((1, 28, 28)), title="W" * length))


@pytest.mark.parametrize("width", range(100, 220, 4))
def test_a_line_is_cut_only_in_the_smallest_letters(width: int) -> None:
    text, size = fitted("normal colon mucosa", width, 9.0)
    assert text_width(text, size) <= 1.02 * width
    assert text == "normal colon mucosa" or size == 6.5


def test_drawing_neither_uses_nor_changes_the_users_settings() -> None:
    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "text.usetex": True}):
        own = figure_png(confusion_figure(np.eye(2, dtype=np.int64), title="t", names=["a", "b"]))
    assert dict(matplotlib.rcParams) == before
    assert own == figure_png(confusion_figure(np.eye(2, dtype=np.int64), title="t", names=["a", "b"]))


DRAW = """
import sys
from pathlib import Path
import numpy as np
from stages.plot_weights.confusion_matrix_picture import confusion_figure
from stages.shared.charts.picture_style import figure_png
from stages.plot_weights.weight_pictures import weight_map_figure

rng = np.random.default_rng(3)
names = list("0123456789")
figures = {
    "weights": weight_map_figure(rng.normal(size=(10, 28, 28)), title="weights", names=names),
    "confusion": confusion_figure(rng.integers(0, 9, (10, 10)), title="confusion", names=names),
}
for name, figure in figures.items():
    (Path(sys.argv[1]) / f"{name}.png").write_bytes(figure_png(figure))
assert "matplotlib.pyplot" not in sys.modules
"""


def test_two_processes_write_the_same_bytes_without_date_or_version(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    folders = [tmp_path / "first", tmp_path / "second"]
    runs = []
    for seed, folder in enumerate(folders):
        folder.mkdir()
        environment = os.environ | {"PYTHONHASHSEED": str(seed)}
        command = [sys.executable, "-W", "error", "-c", DRAW, str(folder)]
        runs.append(subprocess.Popen(command, cwd=root, env=environment))
    assert [run.wait(timeout=120) for run in runs] == [0, 0]
    for name in ("weights.png", "confusion.png"):
        first, second = ((folder / name).read_bytes() for folder in folders)
        assert first == second
        assert len(first) < 200_000
        assert not any(chunk in first for chunk in (b"tEXt", b"iTXt", b"tIME", b"atplotlib"))
