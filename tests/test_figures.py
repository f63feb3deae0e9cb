"""The pictures: what is drawn, that nothing is cut off, and that a file has the same bytes every time."""

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

from stages.plot_weights.confusion import confusion_figure
from stages.plot_weights.curves import all_nets_figure, learning_curves_figure
from stages.plot_weights.digits import confidently_wrong, sample_figure, wrong_figure
from stages.plot_weights.figures import class_labels, fitted, text_width, write_png
from stages.plot_weights.image_maps import grid, image_map
from stages.plot_weights.leaderboard import leaderboard_figure
from stages.plot_weights.scales import stretch, unstretch
from stages.plot_weights.weight_maps import weight_map_figure, weight_matrix_figure
from stages.shared.models.drawable_weights import weight_maps

DIGITS = [str(digit) for digit in range(10)]
LONG = ["Acute myeloid leukaemia with maturation", "T-shirt/top", "costs $5 or_$6"]
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


def history_of(epochs: int, best: float = 0.99) -> dict[str, NDArray[Any]]:
    left = 0.8 ** np.arange(epochs)
    return {
        "accuracy": 1 - 0.5 * left,
        "loss": 2 * left,
        "val_accuracy": best - 0.4 * left,
        "val_loss": 0.05 + left,
    }


def texts_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in shown_texts(figure)]


def shown_texts(figure: Figure) -> list[Text]:
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]


def main_axes(figure: Figure) -> Axes:
    return figure.axes[0]


def image_of(figure: Figure) -> "np.ma.MaskedArray[Any, Any]":
    return np.ma.asarray(main_axes(figure).images[0].get_array())


def check_layout(figure: Figure) -> None:
    """Every text lies within the figure, and no two tick labels of an axis on each other."""
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


def test_image_map_fills_padding_and_empty_cells_and_takes_any_shape() -> None:
    image = image_map(np.ones((1, 2, 3, 4), np.uint8), 2, 2, fill=-1)
    assert image.shape == (2 * 3 + 2, 2 * 4 + 2)
    assert (image == 1).sum() == 2 * 3 * 4
    assert (image[:3, :4] == 1).all() and (image[:3, 6:] == 1).all()
    assert (image[3:] == -1).all() and (image[:, 4:6] == -1).all()


def test_image_map_says_how_many_cells_are_needed() -> None:
    with pytest.raises(ValueError, match="7 images need 7 cells; 2 rows of 3 have 6"):
        image_map(np.zeros((7, 5, 5)), 2, 3)


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        *((1, (1, 1)), (2, (1, 2)), (3, (1, 3)), (7, (1, 7)), (10, (2, 5)), (26, (3, 9)), (32, (4, 8))),
        *((47, (6, 8)), (48, (6, 8)), (64, (8, 8)), (128, (8, 16)), (256, (16, 16)), (512, (32, 16))),
    ],
)
def test_grid(n: int, expected: tuple[int, int]) -> None:
    assert grid(n) == expected


def test_every_grid_holds_its_images_without_an_empty_row() -> None:
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


def test_weight_pixels_are_all_of_one_size(tmp_path: Path, rng: np.random.Generator) -> None:
    maps = rng.normal(size=(48, 28, 28))
    figure = weight_map_figure(maps, title="mlp-48", vmax=1.5)
    assert main_axes(figure).images[0].get_clim() == (-1.5, 1.5)
    drawn = main_axes(figure).images[0]
    write_png(figure, tmp_path / "weights.png")
    picture = imread(tmp_path / "weights.png")
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


def test_more_weights_than_can_be_seen_are_cut_and_it_is_said() -> None:
    figure = weight_map_figure(np.ones((512, 8, 8)), title="wide", at_most=100)
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
    with pytest.raises(ValueError, match="3 maps need as many names, not 2"):
        weight_map_figure(maps, title="", names=["a", "b"])
    with pytest.raises(ValueError, match="positive"):
        weight_map_figure(maps, title="", vmax=0)
    with pytest.raises(ValueError, match="need 3 cells"):
        weight_map_figure(maps, title="", rows_columns=(1, 2))
    with pytest.raises(ValueError, match="5 outputs"):
        weight_matrix_figure(maps[0], title="", output_names=DIGITS)


@CLASSES
def test_weight_matrix_has_a_row_an_output(names: list[str], rng: np.random.Generator) -> None:
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


def test_confidently_wrong_sorts_by_probability_or_margin() -> None:
    actual, predicted = np.array([0, 1, 2, 0]), np.array([0, 2, 1, 1])
    probabilities = np.array([[1, 0, 0], [0.2, 0.1, 0.7], [0.0, 0.9, 0.1], [0.3, 0.4, 0.3]], np.float32)
    rows, confidence, measure = confidently_wrong(actual, predicted, probabilities)
    assert rows.tolist() == [2, 1, 3] and measure == "confidence"
    np.testing.assert_allclose(confidence, [0.9, 0.7, 0.4], rtol=1e-6)  # type: ignore[arg-type]
    rows, confidence, measure = confidently_wrong(actual, predicted, 10 * probabilities, at_most=2)
    assert rows.tolist() == [2, 1] and measure == "margin"
    np.testing.assert_allclose(confidence, [8, 6], rtol=1e-6)  # type: ignore[arg-type]
    rows, confidence, _ = confidently_wrong(actual, predicted, None)
    assert rows.tolist() == [1, 2, 3] and confidence is None
    rows, confidence, _ = confidently_wrong(actual, actual, probabilities)
    assert len(rows) == 0 and confidence is not None and len(confidence) == 0


@CLASSES
@pytest.mark.parametrize("n", [50, 13])
def test_wrong_digits_say_what_they_are_and_were_taken_for(names: list[str], n: int, rng: np.random.Generator) -> None:
    images = rng.random((n, 28, 28), dtype=np.float32)
    actual = rng.integers(0, len(names), n)
    predicted = (actual + 1) % len(names)
    before = images.copy()
    figure = wrong_figure(
        images, actual, predicted, np.full(n, 0.987), title="deep-cnn", names=names, errors=60, total=7000
    )
    np.testing.assert_array_equal(images, before)
    texts = texts_of(figure)
    assert texts.count("0.987") == n
    assert sum("→" in text for text in texts) == n + 1
    if names == DIGITS:
        assert f"{actual[0]} → {predicted[0]}" in texts
    assert f"{n} of 60 errors among 7,000 images; below each: actual → predicted, confidence" in texts
    assert image_of(figure).sum() == pytest.approx(images.sum(), rel=1e-5)
    check_layout(figure)


def test_no_errors_are_a_picture_too() -> None:
    none = np.zeros(0, np.int64)
    figure = wrong_figure(np.zeros((0, 28, 28)), none, none, None, title="knn", names=DIGITS, errors=0, total=7000)
    assert set(texts_of(figure)) == {"knn", "no errors among 7,000 images"}
    check_layout(figure)


# curves


def test_learning_curves_mark_the_kept_epoch() -> None:
    history = history_of(20)
    before = {name: curve.copy() for name, curve in history.items()}
    figure = learning_curves_figure(title="mlp-48", **history, kept_epoch=18)
    for name, curve in history.items():
        np.testing.assert_array_equal(curve, before[name])
    for axes, what in zip(figure.axes, ["accuracy", "loss"], strict=True):
        lines = {str(line.get_label()): line for line in axes.lines}
        np.testing.assert_array_equal(lines["training"].get_xdata(), np.arange(1, 21))
        np.testing.assert_array_equal(lines["training"].get_ydata(), history[what])
        np.testing.assert_array_equal(lines["validation"].get_ydata(), history[f"val_{what}"])
        kept = history[f"val_{what}"][17]
        mark = lines[f"kept: epoch 18, {kept:.4f}"]
        assert [*mark.get_xdata(), *mark.get_ydata()] == [18, kept]  # type: ignore[misc]
        legend = axes.get_legend()
        assert legend is not None and len(legend.get_texts()) == 3
        low, high = axes.get_ylim()
        assert low < min(history[what].min(), history[f"val_{what}"].min())
        assert high > max(history[what].max(), history[f"val_{what}"].max())
    assert figure.axes[1].get_yscale() == "log"
    check_layout(figure)


@pytest.mark.parametrize("epochs", [1, 3, 50, 300])
def test_learning_curves_without_validation(epochs: int) -> None:
    history = history_of(epochs)
    figure = learning_curves_figure(
        title="softmax", accuracy=history["accuracy"], loss=history["loss"], kept_epoch=epochs
    )
    assert "validation" not in texts_of(figure) and "training" in texts_of(figure)
    ticks = figure.axes[0].get_xticks()
    low, high = figure.axes[0].get_xlim()
    assert 0 < low < 1 <= epochs < high
    assert any(low <= tick <= high for tick in ticks)
    check_layout(figure)


@pytest.mark.parametrize(
    ("accuracy", "loss"),
    [
        ([0.1, 0.1], [np.nan, np.inf]),
        ([0.9, 1.0], [0.1, 0.0]),
        ([0.5, 0.5], [0.7, 0.7]),
        ([np.nan], [np.nan]),
    ],
    ids=["diverged", "perfect", "constant", "nothing"],
)
def test_strange_learning_curves(accuracy: list[float], loss: list[float]) -> None:
    check_layout(learning_curves_figure(title="strange", accuracy=np.array(accuracy), loss=np.array(loss)))


def test_impossible_curves_are_refused() -> None:
    two, three = np.ones(2), np.ones(3)
    with pytest.raises(ValueError, match=r"not \[2, 3\]"):
        learning_curves_figure(title="", accuracy=two, loss=three)
    with pytest.raises(ValueError, match="one of 1 to 2, not 3"):
        learning_curves_figure(title="", accuracy=two, loss=two, kept_epoch=3)
    with pytest.raises(ValueError, match="same nets"):
        all_nets_figure(title="", val_accuracy={"a": two}, val_loss={"b": two})
    with pytest.raises(ValueError, match="same nets"):
        all_nets_figure(title="", val_accuracy={}, val_loss={})
    with pytest.raises(ValueError, match="not 0"):
        all_nets_figure(title="", val_accuracy={"a": two}, val_loss={"a": two}, kept_epochs={"a": 0})


@pytest.mark.parametrize("nets", [1, 5, 12])
def test_all_nets_differ_in_colour_or_stroke_and_are_listed_best_first(nets: int) -> None:
    histories = {f"net-{k}": history_of(10 + 3 * k, best=0.9 + 0.007 * k) for k in range(nets)}
    figure = all_nets_figure(
        title="all nets",
        val_accuracy={name: history["val_accuracy"] for name, history in histories.items()},
        val_loss={name: history["val_loss"] for name, history in histories.items()},
        kept_epochs=dict.fromkeys(histories, 5),
    )
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(histories)[::-1]
    curves = [line for line in figure.axes[0].lines if len(np.asarray(line.get_xdata())) > 1]
    assert len({(line.get_color(), str(line.get_linestyle())) for line in curves}) == nets
    np.testing.assert_array_equal(curves[-1].get_ydata(), histories[f"net-{nets - 1}"]["val_accuracy"])
    check_layout(figure)


def test_stretched_axis_goes_there_and_back_and_holds_1() -> None:
    accuracies = np.array([0, 0.1, 0.5, 0.9, 0.98, 0.99, 0.999, 1])
    np.testing.assert_allclose(unstretch(stretch(accuracies)), accuracies, atol=1e-12)
    assert (np.diff(stretch(accuracies)) > 0).all()


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


def test_impossible_confusion_is_refused() -> None:
    with pytest.raises(ValueError, match="all counts are 0"):
        confusion_figure(np.zeros((2, 2), np.int64), title="", names=["a", "b"])
    with pytest.raises(ValueError, match="2 names"):
        confusion_figure(np.ones((2, 3), np.int64), title="", names=["a", "b"])


# leaderboard


@pytest.mark.parametrize("accuracy", [[0.9919, 0.9601, 0.9138], [0.99, 0.98, 0.1135], [1.0, 1.0, 1.0], [0.97]])
def test_leaderboard_keeps_the_order_and_writes_the_values(accuracy: list[float]) -> None:
    values = np.array(accuracy)
    low, high = np.maximum(values - 0.003, 0), np.minimum(values + 0.002, 1)
    names = ["deep-cnn", "knn", "a-name-that-goes-on-and-on-and-on-without-end"][: len(values)]
    kinds = ["net", "baseline", "net"][: len(values)]
    figure = leaderboard_figure(names, values, low, high, title="accuracy on 7,000 digits", kinds=kinds)
    axes = main_axes(figure)
    dots = {y: x for line in axes.lines for x, y in zip(*map(np.asarray, line.get_data()), strict=True)}
    assert dots == dict(enumerate(accuracy))
    assert [text.get_text() for text in axes.texts] == [f"{value:.4f}" for value in accuracy]
    assert [label.get_text() for label in axes.get_yticklabels()][:2] == names[:2]
    bottom, top = axes.get_ylim()
    assert bottom > top
    left, right = axes.get_xlim()
    assert left < low.min() and right > high.max()
    check_layout(figure)


def test_leaderboard_refuses_arrays_of_other_lengths() -> None:
    one, two = np.ones(1), np.ones(2)
    with pytest.raises(ValueError, match=r"\[2, 2, 1, 2, 2\]"):
        leaderboard_figure(["a", "b"], two, one, two, title="")
    with pytest.raises(ValueError, match="at least 1"):
        leaderboard_figure([], one[:0], one[:0], one[:0], title="")


# what all pictures share


def test_class_labels_are_cut_and_drawable() -> None:
    assert class_labels(["7", "é", "ж", "$x$"]) == ["7", "é", "ж", "$x$"]
    assert class_labels(["お", "tab\there"]) == ["class 0", "class 1"]
    (cut,) = class_labels([LONG[0]])
    assert len(cut) <= 22 and cut.endswith("…") and LONG[0].startswith(cut[:-1])


@pytest.mark.parametrize("length", [1, 20, 60, 300])
def test_titles_fit(length: int) -> None:
    text, size = fitted("W" * length, 300, 12.0, bold=True)
    assert text_width(text, size, bold=True) <= 306 and 6.5 <= size <= 12
    check_layout(confusion_figure(np.eye(2, dtype=np.int64), title="W" * length, names=["a", "b"]))
    check_layout(weight_map_figure(np.ones((1, 28, 28)), title="W" * length))


def test_drawing_leaves_the_users_settings_alone(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "text.usetex": True}):
        own = confusion_figure(np.eye(2, dtype=np.int64), title="t", names=["a", "b"])
        write_png(own, tmp_path / "own.png")
    assert dict(matplotlib.rcParams) == before
    write_png(confusion_figure(np.eye(2, dtype=np.int64), title="t", names=["a", "b"]), tmp_path / "default.png")
    assert (tmp_path / "own.png").read_bytes() == (tmp_path / "default.png").read_bytes()


DRAW = """
import sys
from pathlib import Path
import numpy as np
from stages.plot_weights.confusion import confusion_figure
from stages.plot_weights.curves import learning_curves_figure
from stages.plot_weights.figures import write_png
from stages.plot_weights.weight_maps import weight_map_figure

rng = np.random.default_rng(3)
names = list("0123456789")
falling = np.linspace(1, 0.1, 9)
figures = {
    "weights": weight_map_figure(rng.normal(size=(10, 28, 28)), title="weights", names=names),
    "confusion": confusion_figure(rng.integers(0, 9, (10, 10)), title="confusion", names=names),
    "curves": learning_curves_figure(title="curves", accuracy=1 - falling, loss=falling, kept_epoch=7),
}
for name, figure in figures.items():
    write_png(figure, Path(sys.argv[1]) / f"{name}.png")
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
    for name in ("weights.png", "confusion.png", "curves.png"):
        first, second = ((folder / name).read_bytes() for folder in folders)
        assert first == second
        assert len(first) < 200_000
        assert not any(chunk in first for chunk in (b"tEXt", b"iTXt", b"tIME", b"atplotlib"))
