"""The charts: their data, and that PNG files have the same bytes in every process."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from stages.shared.charts.axes import (
    stretched,
)
from stages.shared.charts.curves_chart import MEASURES, Measure, all_nets_chart, curves_chart, net_curves_chart
from stages.shared.charts.leaderboard_chart import leaderboard_chart
from stages.shared.charts.number_format import percent
from stages.shared.charts.png import chart_png
from stages.shared.charts.style import COLOURS, SERIES, colour, net_colours, series, with_light_colours
from tests.fixtures.small_project import ROOT


def history_of(epochs: int, best: float = 0.99) -> pd.DataFrame:
    rest = 0.8 ** np.arange(epochs)
    return pd.DataFrame(
        {
            "epoch": np.arange(1, epochs + 1),
            "accuracy": 1 - 0.5 * rest,
            "loss": 2 * rest,
            "val_accuracy": best - 0.4 * rest,
            "val_loss": 0.05 + rest,
        }
    )


def board_of(*accuracies: float) -> list[dict[str, Any]]:
    return [
        {
            "model": f"model-{k}",
            "test_accuracy": accuracy,
            "test_accuracy_low": max(accuracy - 0.01, 0),
            "test_accuracy_high": min(accuracy + 0.01, 1),
        }
        for k, accuracy in enumerate(accuracies)
    ]


def values_of(chart: dict[str, Any]) -> pd.DataFrame:
    """Return the data of a chart, wherever Altair puts it."""
    (values,) = chart["datasets"].values()
    return pd.DataFrame(json.loads(values))


def size_of(png: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(png)).size


# The leaderboard


@pytest.mark.parametrize(("accuracies", "wide"), [((0.99, 0.98, 0.9), False), ((0.99, 0.2), True), ((0.97,), False)])
def test_the_leaderboard_has_every_model_in_order_on_an_axis_that_is_stretched_if_they_are_far_apart(
    accuracies: tuple[float, ...], wide: bool
) -> None:
    board = board_of(*accuracies)
    chart = leaderboard_chart(board, {"model-0"}).to_dict()
    values = values_of(chart)
    assert values["model"].tolist() == [row["model"] for row in board]
    assert values["value"].tolist() == [percent(accuracy) for accuracy in accuracies]
    assert values["kind"].tolist() == ["neural net", *["baseline"] * (len(board) - 1)]
    assert values["interval"][0] == f"{percent(accuracies[0] - 0.01)} – {percent(min(accuracies[0] + 0.01, 1))}"
    x = chart["layer"][0]["encoding"]["x"]
    assert x["scale"].get("type") == ("log" if wide else None)
    assert ("stretched" in x["axis"]["title"]) == wide
    low, high = x["scale"]["domain"]
    for column, key in (("test_accuracy_low", "test_accuracy_low"), ("test_accuracy", "test_accuracy")):
        expected = [stretched(row[key]) if wide else row[key] for row in board]
        np.testing.assert_allclose(values[column], expected, atol=1e-6)
        assert values[column].between(low, high).all()
    assert high - low >= 0.01


@pytest.mark.parametrize("accuracies", [(0.99, 0.96, 0.91), (0.99, 0.1), (1.0, 1.0), (0.97,), (0.0,)])
def test_a_leaderboard_grows_with_its_models(accuracies: tuple[float, ...]) -> None:
    width, height = size_of(chart_png(leaderboard_chart(board_of(*accuracies), []).properties(width=300), "title"))
    one, _ = size_of(chart_png(leaderboard_chart(board_of(0.5), []).properties(width=300), "title"))
    assert abs(width - one) < 60
    assert height > 34 * 1.6 * len(accuracies)


# Learning curves


def test_curves_leave_out_values_that_are_not_finite_and_mark_the_kept_epoch() -> None:
    history = pd.DataFrame(
        {"epoch": [1, 2, 3], "accuracy": [0.5, 0.6, 0.1], "loss": [1.0, np.inf, np.nan], "val_loss": [1.2, 0.0, 2.0]}
    )
    values = values_of(curves_chart({"net": history}, {"net": 2}, "loss").to_dict())
    assert len(values) == 4
    assert values.loc[values["ring"], ["set", "epoch"]].to_numpy().tolist() == [["validation", 2]]
    assert (values["at"] > 0).all(), "a logarithmic axis has no 0"


def test_without_a_validation_set_the_training_curve_is_marked() -> None:
    history = pd.DataFrame({"epoch": [1], "accuracy": [1.0], "loss": [0.1]})
    (point,) = values_of(curves_chart({"net": history}, {"net": 1}, "accuracy").to_dict()).to_dict("records")
    assert (point["set"], point["ring"], point["label"]) == ("training", True, "100.00 %")


@pytest.mark.parametrize("measure", MEASURES)
def test_curves_have_their_values_within_the_axes(measure: Measure) -> None:
    chart = curves_chart({"a": history_of(20), "b": history_of(30)}, {"a": 18, "b": 30}, measure).to_dict()
    values = values_of(chart)
    assert len(values) == 2 * (20 + 30)
    low, high = chart["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert low < values["at"].min() < values["at"].max() < high
    assert chart["layer"][0]["encoding"]["x"]["scale"]["domain"] == [1, 30]


@pytest.mark.parametrize("epochs", [1, 3, 300])
@pytest.mark.parametrize("validated", [True, False])
def test_curves_of_any_length_are_drawn(epochs: int, validated: bool) -> None:
    history = history_of(epochs) if validated else history_of(epochs)[["epoch", "accuracy", "loss"]]
    chart = net_curves_chart(history, epochs)
    text = json.dumps(chart.to_dict())
    assert ("validation" in text.split('"datasets"')[1]) == validated
    width, height = size_of(chart_png(chart, "net"))
    assert width > 700 and height > 400


@pytest.mark.parametrize(
    ("accuracy", "loss"),
    [([0.1, 0.1], [np.nan, np.inf]), ([0.9, 1.0], [0.1, 0.0]), ([0.5, 0.5], [0.7, 0.7]), ([np.nan], [np.nan])],
    ids=["diverged", "perfect", "constant", "nothing"],
)
def test_unusual_curves_are_drawn(accuracy: list[float], loss: list[float]) -> None:
    history = pd.DataFrame({"epoch": range(1, len(loss) + 1), "accuracy": accuracy, "loss": loss})
    for png in (
        chart_png(net_curves_chart(history, 1), "net"),
        chart_png(all_nets_chart({"a": history, "b": history}, {"a": 1, "b": 1}), "all nets"),
    ):
        image = np.asarray(Image.open(io.BytesIO(png)).convert("L"))
        # Both axes: below the title, something is drawn in the left and in the right half.
        below = image[len(image) // 3 :]
        assert below[:, : below.shape[1] // 2].min() < 255 and below[:, below.shape[1] // 2 :].min() < 255


@pytest.mark.parametrize("nets", [2, 12])
def test_all_nets_differ_in_colour_or_stroke_and_are_listed_best_first(nets: int) -> None:
    histories = {f"net-{k}": history_of(10 + 3 * k, best=0.9 + 0.007 * k) for k in range(nets)}
    chart = all_nets_chart(histories, dict.fromkeys(histories, 5))
    lines = chart.to_dict()["hconcat"][0]["layer"][0]["encoding"]
    assert lines["color"]["legend"]["values"] == [*histories][::-1]
    strokes = lines["strokeDash"]["scale"]["range"]
    assert len({(str(dash), of) for dash, of in zip(strokes, lines["color"]["scale"]["range"], strict=True)}) == nets
    assert len(chart_png(chart, "all nets")) < 100_000


# Colours and files


def colours_of(chart: dict[str, Any], field: str) -> dict[str, str]:
    scale = chart["layer"][0]["encoding"]["color"]
    assert scale["field"] == field
    return dict(zip(scale["scale"]["domain"], scale["scale"]["range"], strict=True))


def test_a_net_has_the_same_colour_in_every_chart_and_in_any_order() -> None:
    nets = ["model-2", "model-0"]
    expected = {"model-0": colour("series-0"), "model-2": colour("series-1")}
    assert net_colours(nets) == net_colours(nets[::-1]) == expected
    board = leaderboard_chart(board_of(0.9, 0.8, 0.7), nets).to_dict()
    assert colours_of(board, "model") == {**expected, "model-1": colour("edge")}, "a baseline has the colour of no net"
    for order in (nets, nets[::-1]):
        histories = {net: history_of(3) for net in order}
        for chart in (
            curves_chart(histories, dict.fromkeys(nets, 3), "loss").to_dict(),
            *all_nets_chart(histories, dict.fromkeys(nets, 3)).to_dict()["hconcat"],
        ):
            assert colours_of(chart, "net") == expected


def test_the_curves_of_one_net_have_the_colour_of_no_net() -> None:
    # Which colour a net has depends on the others.
    for chart in net_curves_chart(history_of(3), 3).to_dict()["hconcat"]:
        assert {*colours_of(chart, "net").values()} == {colour("ink")}


def test_colours_are_those_of_the_page() -> None:
    assert series(SERIES + 1)[-1] == series(1)[0] == colour("series-0")
    light, _ = COLOURS["ink"]
    assert with_light_colours(f"a {colour('ink')} b") == f"a {light} b"
    with pytest.raises(KeyError):
        colour("pink")


DRAW = """
import sys
from pathlib import Path
from stages.shared.charts.curves_chart import all_nets_chart
from stages.shared.charts.leaderboard_chart import leaderboard_chart
from stages.shared.charts.png import chart_png
from tests.test_charts import board_of, history_of

histories = {name: history_of(20) for name in ("a", "b")}
charts = {
    "leaderboard": leaderboard_chart(board_of(0.9, 0.8), ["model-0"]).properties(width=300),
    "curves": all_nets_chart(histories, {"a": 3, "b": 4}),
}
for name, chart in charts.items():
    Path(sys.argv[1], f"{name}.png").write_bytes(chart_png(chart, name, "note"))
"""


def test_two_processes_draw_the_same_bytes_without_date_or_version(tmp_path: Path) -> None:
    folders = [tmp_path / "first", tmp_path / "second"]
    runs = []
    for seed, folder in enumerate(folders):
        folder.mkdir()
        environment = os.environ | {"PYTHONHASHSEED": str(seed), "PYTHONPATH": str(ROOT)}
        runs.append(subprocess.Popen([sys.executable, "-c", DRAW, str(folder)], cwd=ROOT, env=environment))
    assert [run.wait(timeout=120) for run in runs] == [0, 0]
    for name in ("leaderboard.png", "curves.png"):
        first, second = ((folder / name).read_bytes() for folder in folders)
        assert first == second
        assert len(first) < 100_000
        assert not any(chunk in first for chunk in (b"tEXt", b"iTXt", b"tIME"))
