"""The report: its content, that it is self-contained, and that it has the same bytes every time."""

import base64
import io
import json
import os
import re
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from stages.evaluate.leaderboard import leaderboard
from stages.evaluate.metrics import model_metrics
from stages.report import page
from stages.report.__main__ import main
from stages.report.classes_chart import classes_chart
from stages.report.error_images import COLUMNS, error_rows, sprite
from stages.report.vega import compile_chart
from stages.shared.charts.curves_chart import MEASURES, Measure, curves_chart
from stages.shared.charts.style import COLOURS, css_variables
from stages.shared.files import paths
from tests.fixtures.small_project import ROOT
from tests.fixtures.stores import MODELS, NAMES, NETS, ROWS, write_store

MEGABYTE = 1_000_000


class Reader(HTMLParser):
    """Collects a page's elements, the text outside of scripts and styles, and the content of those by id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: dict[str, str] = {}
        self.inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.inside = dict(attrs).get("id") or tag

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.scripts[self.inside] = self.scripts.get(self.inside, "") + data
        else:
            self.text += data

    def unpacked(self, name: str) -> Any:
        """Return the content of a compressed script."""
        return json.loads(zlib.decompress(base64.b64decode(self.scripts[name])))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small finished run and its report."""
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        write_store(folder, patch)
        main()
    return folder


@pytest.fixture(scope="module")
def read(written: Path) -> Reader:
    return Reader((written / paths.PAGE).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def results() -> page.Results:
    """One baseline, no validation set, one error."""
    labels = np.array([0, 1, 2, 3] * 5)
    codes = labels.copy()
    codes[0] = 1
    facts = {"train_accuracy": 0.95, "parameters": None}
    none = np.empty(0, np.int64)
    metrics = model_metrics((none, none), (labels, codes), None, facts, len(NAMES))
    scores = {"model": "only", "class": NAMES, "precision": 1.0, "recall": 0.9, "f1": 0.95, "support": 5}
    return page.Results(
        leaderboard=leaderboard({"only": metrics}, {"only": codes}, labels),
        per_class=pd.DataFrame(scores),
        histories={},
        kept={},
        names=NAMES,
        images=np.zeros((20, 5, 7), np.float32),
        labels=labels,
        predicted={"only": codes},
        confusion={"only": [[4, 1, 0, 0], [0, 5, 0, 0], [0, 0, 5, 0], [0, 0, 0, 5]]},
        weights={},
    )


def test_another_process_writes_the_same_bytes(written: Path) -> None:
    before = [(written / path).read_bytes() for path in (paths.PAGE, paths.README)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "1"}
    subprocess.run([sys.executable, "-m", "stages.report"], cwd=written, env=environment, check=True)
    assert [(written / path).read_bytes() for path in (paths.PAGE, paths.README)] == before


def test_the_page_is_self_contained(read: Reader) -> None:
    addresses = [
        value or "" for _, attributes in read.tags for name, value in attributes.items() if name in ("src", "href")
    ]
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert all(address.startswith("data:") for address in re.findall(r"url\((.{5})", read.scripts["style"]))
    assert "@import" not in read.scripts["style"]


def test_names_are_escaped(written: Path, read: Reader) -> None:
    assert not any(tag == "b" for tag, _ in read.tags)
    assert "<b>0</b>" not in (written / paths.PAGE).read_text(encoding="utf-8")
    assert json.loads(read.scripts["data"])["classes"] == NAMES


def test_a_hostile_name_cannot_end_the_data(results: page.Results) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    read = Reader(page.html_page(results._replace(names=[evil, *NAMES[1:]])))
    assert json.loads(read.scripts["data"])["classes"][0] == evil
    assert not any("onerror" in attributes for _, attributes in read.tags)


def test_one_baseline_and_no_validation_set_make_a_page(results: page.Results) -> None:
    read = Reader(page.html_page(results))
    ids = {attributes.get("id") for _, attributes in read.tags}
    assert {"leaderboard", "details", "errors", "gallery"} <= ids
    assert not {"curves", "weights"} & ids
    assert "Sorted by test accuracy" in read.text


def test_a_model_no_better_than_chance_is_flagged(results: page.Results) -> None:
    board = [{**row, "chance_level": None} for row in results.leaderboard]
    board[-1]["chance_level"] = 0.25
    text = page.html_page(results._replace(leaderboard=board))
    assert re.findall(r'<th scope="row">(\S+) ⚠</th>', text) == [board[-1]["model"]]
    assert "25.00 %" in text
    assert "⚠" not in page.html_page(results).split('id="library"')[0]


def test_a_model_without_errors_makes_a_page(results: page.Results) -> None:
    read = Reader(page.html_page(results._replace(predicted={"only": results.labels})))
    assert "gallery" not in {attributes.get("id") for _, attributes in read.tags}
    assert "No model misclassifies any test image." in read.text


def test_tables_pictures_and_headings_are_accessible(read: Reader) -> None:
    order = [int(tag[1]) for tag, _ in read.tags if re.fullmatch("h[1-6]", tag)]
    assert order[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(order))
    pictures = [attributes for tag, attributes in read.tags if tag == "img"]
    assert len(pictures) == len(NETS)
    assert all("Weights of hidden of" in (attributes["alt"] or "") for attributes in pictures)
    tags = [tag for tag, _ in read.tags]
    # The script of the page fills two more tables, with their captions.
    assert tags.count("table") == tags.count("caption") + 2
    labelled = {attributes.get("for") for tag, attributes in read.tags if tag == "label"}
    assert {attributes["id"] for tag, attributes in read.tags if tag == "select"} <= labelled


def test_every_model_is_in_the_leaderboard_and_in_the_selection(read: Reader) -> None:
    assert all(read.text.count(name) >= 2 for name in MODELS)
    assert sum(tag == "option" for tag, _ in read.tags) == len(MODELS)


def test_the_counts_are_the_predictions(written: Path, read: Reader) -> None:
    data = json.loads(read.scripts["data"])
    rows = json.loads((written / "reports/leaderboard.json").read_text())
    for row in rows:
        counts = np.array(data["confusion"][row["model"]])
        assert counts.sum() == ROWS
        assert counts.sum() - np.trace(counts) == row["test_errors"]
        errors = read.unpacked("errors-data")
        predicted, actual = np.array(errors["predicted"][row["model"]]), np.array(errors["actual"])
        assert (predicted != actual).sum() == row["test_errors"], "the page has all errors of every model"


def test_the_markdown_shows_every_picture_by_a_relative_path(written: Path) -> None:
    text = (written / paths.README).read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert shown[:3] == [f"pictures/overview/{name}.png" for name in ("leaderboard", "errors", "all-nets")]
    assert len(shown) == 3 + 2 * len(NETS)
    assert all((written / "reports" / path).is_file() for path in shown)
    assert "| **convolution** |" in text


def test_the_markdown_follows_the_leaderboard() -> None:
    pictures = {"b": ["weights.y", "curves"], "a": ["curves", "weights.x"], "c": []}
    text = page.markdown_page("| table |", pictures)
    shown = ["overview/all-nets", "models/b/curves", "models/a/curves", "models/b/weights.y", "models/a/weights.x"]
    assert re.findall(r"pictures/(.*).png", text)[2:] == shown
    assert "Confusion" not in text


def test_the_errors_of_the_best_model_come_first_then_those_of_most_models() -> None:
    labels = np.zeros(6, np.int64)
    predicted = {
        "best": np.array([0, 1, 0, 0, 0, 1]),
        "second": np.array([0, 0, 1, 1, 0, 1]),
        "third": np.array([0, 0, 1, 0, 0, 1]),
    }
    assert error_rows(labels, predicted, "best").tolist() == [5, 1, 2, 3]


@pytest.mark.parametrize("side", [28, 64])
def test_a_page_of_many_errors_stays_below_a_megabyte(results: page.Results, side: int) -> None:
    rows = 4000
    random = np.random.default_rng(7)
    labels = random.integers(0, 4, rows)
    read = Reader(
        text := page.html_page(
            results._replace(
                images=random.random((rows, side, side), dtype=np.float32),
                labels=labels,
                predicted={"only": (labels + 1) % 4},
                weights={f"only.{k}": random.bytes(150_000) for k in range(4)},
            )
        )
    )
    assert 0.9 * MEGABYTE < len(text.encode()) < MEGABYTE
    errors = read.unpacked("errors-data")
    assert 0 < len(errors["rows"]) < rows
    assert len(errors["actual"]) == len(errors["predicted"]["only"]) == len(errors["rows"])
    assert "Too large for this page" in read.text
    assert "2 of only, 3 of only." in " ".join(read.text.split())


def test_the_sprite_has_every_image_in_16_shades() -> None:
    images = np.random.default_rng(7).random((COLUMNS + 2, 5, 7), dtype=np.float32)
    picture = np.asarray(Image.open(io.BytesIO(sprite(images))).convert("RGBA"))[..., 3]
    assert picture.shape == (2 * 5, COLUMNS * 7)
    for k, image in enumerate(images):
        row, column = divmod(k, COLUMNS)
        part = picture[5 * row : 5 * row + 5, 7 * column : 7 * column + 7]
        assert np.array_equal(part, 17 * np.round(15 * image))


def test_every_chart_has_a_description_and_is_a_vega_specification_without_legends(read: Reader) -> None:
    charts = read.unpacked("charts")
    assert set(charts) == {"leaderboard", "classes", "accuracy", "loss"}
    for chart in charts.values():
        assert "schema/vega/v" in chart["$schema"]
        assert chart["description"]
        assert "legends" not in chart
        used = set(re.findall(r"var\(--([\w-]+)\)", json.dumps(chart)))
        assert used and used <= set(COLOURS)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_training_without_finite_values_has_empty_axes(measure: Measure) -> None:
    history = pd.DataFrame({"epoch": [1, 2], "accuracy": [np.nan, np.nan], "loss": [np.nan, np.inf]})
    chart = compile_chart(curves_chart({"net": history}, {"net": 1}, measure))
    assert [axis["title"] for axis in chart["axes"] if "title" in axis]


def test_classes_keep_their_order_whatever_their_names() -> None:
    table = pd.DataFrame({"model": "m", "class": ["b", "a"], "precision": 1.0, "recall": 0.5, "f1": 0.7})
    encoding = classes_chart(table, ["b", "a"], ["m"]).to_dict()["layer"][0]["encoding"]
    assert encoding["y"]["sort"] == ["b", "a"]
    assert encoding["x"]["scale"]["domain"] == [0.5, 1]


def contrast(one: str, other: str) -> float:
    """Contrast ratio as the Web Content Accessibility Guidelines define it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_stand_out(scheme: str) -> None:
    found = {name: pair[scheme == "dark"] for name, pair in COLOURS.items()}
    assert all(f"--{name}: {value};" in css_variables() for name, value in found.items())
    for text in ("ink", "quiet", "accent", "wrong", "right"):
        for ground in ("ground", "raised"):
            assert contrast(found[text], found[ground]) >= 4.5, (text, ground)
    for mark in ("edge", *(f"series-{k}" for k in range(8))):
        assert contrast(found[mark], found["ground"]) >= 3, mark


def test_the_committed_page_is_small() -> None:
    path = ROOT / paths.PAGE
    if not path.is_file():
        pytest.skip("the report has not been written yet")
    assert path.stat().st_size < MEGABYTE
