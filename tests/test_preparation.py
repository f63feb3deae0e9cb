"""fetch.preparation: a picture of any data set becomes the image that its models were trained on."""

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from inference.predict import main as predict_main
from inference.prepare_picture import prepare
from stages.fetch.__main__ import main as fetch
from stages.normalise_and_split.__main__ import main as normalise_and_split
from stages.normalise_and_split.normalise import normalise
from stages.shared.errors import UserError
from stages.shared.files.datasets import load_classes, load_labels, load_preparation, load_raw, load_rows
from stages.shared.files.paths import BASELINES
from stages.shared.files.picture_files import read_picture
from stages.shared.files.skops_models import load_baseline, save_baseline
from tests.fixtures.idx_files import Digits, write
from tests.fixtures.small_project import Project, environment

Pixels = NDArray[np.uint8]

CLOTHES = ["trousers", "T-shirt", "dress", "shoe", "bag"]
TESTED = 100


def clothes() -> Digits:
    """Draw 500 pieces of clothing, each as large as the image, grey on black, of any brightness."""
    random = np.random.default_rng(5)
    y, x = np.mgrid[0:28, 0:28]
    x = np.abs(x - 13.5)
    forms = (
        (x > 2) & (x < 9),  # trousers
        (x < 7) | (y < 9),  # T-shirt
        x < 3 + y / 3,  # dress
        y > 12 + x / 3,  # shoe
        (y > 8) & (x < 13),  # bag
    )
    labels = np.arange(500) % len(forms)
    grey = random.integers(60, 256, (500, 1, 1)) - random.integers(0, 50, (500, 28, 28))
    images = np.array([forms[label] for label in labels]) * np.clip(grey, 0, 255)
    return Digits(np.roll(images, 1, axis=2).astype(np.uint8), labels.astype(np.uint8), 500 - TESTED)


def small_digits() -> Digits:
    """The digits of scikit-learn: they fill their 8 x 8 pixels."""
    data = load_digits()
    images = np.minimum(data.images[:1500] * 16, 255).astype(np.uint8)
    return Digits(images, data.target[:1500].astype(np.uint8), 1500 - TESTED)


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Pixels]:
    """Return a function that fetches and splits a data set, trains a model "neighbours", and returns the test images.

    The images are as in the source, 0-255.
    """

    def train(data: Digits, names: list[str] | None = None, **settings: Any) -> Pixels:
        monkeypatch.chdir(tmp_path)
        write(tmp_path / "source", data.files())
        split = {"test": "official", "validation": 0.1, "random_state": 1, "class_names": names}
        params = {"fetch": {"source": "source", **settings}, "split": split, "baselines": {"neighbours": {}}}
        Path("params.yaml").write_text(json.dumps(params))
        fetch()
        normalise_and_split()
        save_baseline("neighbours", KNeighborsClassifier(3).fit(load_rows("train"), load_labels("train")))
        return data.images[data.train_rows :]

    return train


@pytest.fixture
def predict(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[dict[str, Any]]]:
    """Return a function that runs the command for images and returns its answers."""

    def run(images: Any, *options: str, model: str = "neighbours") -> list[dict[str, Any]]:
        folder = Path("pictures")
        folder.mkdir(exist_ok=True)
        for k, image in enumerate(images):
            Image.fromarray(image).save(folder / f"{k:03}.png")
        monkeypatch.setattr(sys, "argv", ["predict", model, str(folder), "--json", *options])
        capsys.readouterr()
        with suppress(UserError):  # each is also the answer for a picture
            predict_main()
        rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
        return rows

    return run


def evaluated() -> list[str]:
    """Return the class of each test image as stage train-baselines predicts it."""
    names = load_classes()
    return [names[code] for code in load_baseline("neighbours").predict(load_rows("test"))]


def same(rows: list[dict[str, Any]]) -> float:
    """Return the share of pictures whose class is that of the evaluation."""
    return float(np.mean([row["class"] == name for row, name in zip(rows, evaluated(), strict=True)]))


@pytest.mark.parametrize(("data", "names"), [(clothes, CLOTHES), (small_digits, None)])
def test_a_picture_has_the_class_of_the_evaluation_if_it_is_used_as_it_is(
    trained: Callable[..., Pixels], predict: Callable[..., Any], data: Callable[[], Digits], names: list[str] | None
) -> None:
    images = trained(data(), names, preparation="as-is")
    expected = np.array(load_classes())[load_labels("test")]
    assert np.mean(np.array(evaluated()) == expected) > 0.9, "the model has learned something"
    rows = predict(images)
    assert same(rows) == 1
    assert {row["preparation"] for row in rows} == {"as-is"}
    assert not any(row["notes"] for row in rows)
    enlarged = predict(images.repeat(10, axis=1).repeat(10, axis=2))
    assert same(enlarged) >= 0.97
    assert not any(row["notes"] for row in enlarged)


def test_the_preparation_of_mnist_is_wrong_for_other_pictures_and_a_note_says_so(
    trained: Callable[..., Pixels], predict: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    images = trained(clothes(), CLOTHES)
    note = capsys.readouterr().out
    assert "the drawings take 100% of the height or width of the images" in note
    assert "set fetch.preparation: as-is" in note
    rows = predict(images)
    assert {row["preparation"] for row in rows} == {"mnist"}
    assert same(rows) < 0.9
    assert all("--preparation as-is" in str(row["error"] or row["notes"]) for row in rows)
    assert same(predict(images, "--preparation", "as-is")) == 1


def test_pictures_of_a_source_that_is_inverted_are_inverted(
    trained: Callable[..., Pixels], predict: Callable[..., Any]
) -> None:
    data = clothes()
    dark_on_light = data._replace(images=255 - data.images)
    images = trained(dark_on_light, CLOTHES, preparation="as-is", inverted=True)
    assert same(predict(images)) == 1


def test_a_picture_that_is_not_square_is_padded(
    trained: Callable[..., Pixels], predict: Callable[..., Any], tmp_path: Path
) -> None:
    trained(clothes(), CLOTHES, preparation="as-is")
    wide = np.zeros((28, 56), np.uint8)
    wide[:, 10:20] = 200
    predict([wide], "--show", str(tmp_path / "shown"))
    shown = np.asarray(Image.open(tmp_path / "shown" / "000.fed.png"))[5::10, 5::10]
    assert shown.shape == (28, 28)
    assert not shown[:7].any() and not shown[21:].any()
    assert shown[7:21].any(axis=1).all()


@pytest.mark.parametrize("square", ["pad", "crop", "stretch"])
@pytest.mark.parametrize("inverted", [False, True])
def test_a_picture_of_a_class_folder_becomes_the_fetched_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, square: str, inverted: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(6)
    for name in ("leaf", "shell"):
        (tmp_path / "source" / name).mkdir(parents=True)
        for k, shape in enumerate([(40, 60), (61, 33), (30, 30), (20, 20), (9, 7)]):
            pixels = random.integers(0, 256, (*shape, 4), dtype=np.uint8)  # coloured and partly transparent
            Image.fromarray(pixels).save(tmp_path / "source" / name / f"{k}.png")
    settings = {"size": 20, "square": square, "transparent": "black", "inverted": inverted, "preparation": "as-is"}
    split = {"test": 0.4, "validation": 0.0, "random_state": 1}
    Path("params.yaml").write_text(json.dumps({"fetch": {"source": "source", **settings}, "split": split}))
    fetch()
    normalise_and_split()
    preparation = load_preparation()
    for path, image in zip(sorted(Path("source").glob("*/*.png")), load_raw().images, strict=True):
        prepared = prepare(read_picture(path, preparation.transparent).grey, 20, preparation, str(path)).image
        np.testing.assert_array_equal(prepared, normalise(image))


def test_a_drawing_on_paper_for_a_model_of_dark_images_is_noted(
    trained: Callable[..., Pixels], predict: Callable[..., Any]
) -> None:
    trained(clothes(), CLOTHES, preparation="as-is")
    sheet = np.full((300, 300), 240, np.uint8)
    sheet[100:200, 140:160] = 20
    (row,) = predict([sheet])
    (note,) = row["notes"]
    assert note == "light ground, and the model's images have a dark one: perhaps one for --preparation mnist"


def test_of_a_model_alone_the_preparation_is_assumed_and_said(
    trained: Callable[..., Pixels],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    image = trained(clothes(), CLOTHES, preparation="as-is")[0]
    (tmp_path / "elsewhere").mkdir()
    model = BASELINES.path("neighbours").rename(tmp_path / "elsewhere" / "neighbours.skops").name
    monkeypatch.chdir(tmp_path / "elsewhere")
    Image.fromarray(image).save("one.png")

    def run(*options: str) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["predict", model, "one.png", *options])
        capsys.readouterr()
        predict_main()
        return capsys.readouterr()

    table, notes = run()
    assert table.splitlines()[-1].startswith("preparation: mnist (cropped, ")
    assert "neighbours.skops" in notes and "assum" in notes and "--preparation as-is" in notes
    table, notes = run("--preparation", "as-is")
    assert table.splitlines()[-1].startswith("preparation: as-is (")
    assert notes == ""


def test_another_preparation_is_refused(trained: Callable[..., Pixels]) -> None:
    with pytest.raises(UserError, match=r"fetch\.preparation.*'mnist'.*'as-is'"):
        trained(clothes(), CLOTHES, preparation="fashion")


def test_in_a_project_another_preparation_trains_nothing_again(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    project.edit(lambda params: params["fetch"].update(preparation="as-is"))
    assert set(project.repro()) == {"check-params", "fetch", "normalise-and-split", "check-models"}

    images = np.load(project.folder / "data/split/test/images.npy")[:TESTED]
    (tmp_path / "pictures").mkdir()
    for k, image in enumerate(images):
        Image.fromarray(np.rint(image * 255).astype(np.uint8)).save(tmp_path / "pictures" / f"{k:03}.png")
    names = json.loads(project.read("data/split/classes.json"))["names"]
    for model in ("linear", "dense"):
        command = [sys.executable, "-m", "inference.predict", model, str(tmp_path / "pictures"), "--json"]
        ran = subprocess.run(command, cwd=project.folder, env=environment(), capture_output=True, check=True)
        codes = np.load(project.folder / f"models/predictions/{model}.npz")["test_codes"][:TESTED]
        assert [row["class"] for row in json.loads(ran.stdout)] == [names[code] for code in codes]
